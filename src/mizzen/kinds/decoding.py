"""Schemas compiled into closures that check, prune and default an object in one pass.

Paths are kept as linked tuples and rendered only when something is wrong, so a pod of a hundred
values costs tens of microseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import orjson

from mizzen.base.errors import Cause
from mizzen.base.go_base64 import illegal_at
from mizzen.base.objects import Obj
from mizzen.kinds import times
from mizzen.kinds.combined import check_of
from mizzen.kinds.facts import omitted_zeros, zeros
from mizzen.kinds.limits import RANGES, limits_of
from mizzen.kinds.misfits import INTEGER_FLOAT_MAX, misfit_of, misshapen, says_either
from mizzen.kinds.quantities import canonical
from mizzen.kinds.remembered import Memory, key_of
from mizzen.kinds.report import Embedded, Path, Report, Unknown, Unserved, quoted, render
from mizzen.kinds.schema import MICRO_TIME, QUANTITY, TIME, Schema
from mizzen.kinds.served_fields import treatments
from mizzen.kinds.treatment import Refused, RefusedByNode, Warned, asks_for_nothing
from mizzen.kinds.values import fresh, mark_of

Decoder = Callable[[Any, Path, "Report"], Any]


@dataclass(slots=True)
class Decoded:
    """A fresh object with defaults, without unknown fields and nulls, and what was wrong.

    Parts that the schema leaves open are shared with the input.
    """

    object: Obj
    causes: list[Cause]
    unknown: list[Unknown]
    unserved: list[Unserved]
    mistyped: tuple[Path, Any] | None = None  # the first value that does not fit its field's type
    embedded: Embedded | None = None  # the first unreadable metadata of an object within it


def decode(
    schema: Schema,
    value: Obj,
    kept: frozenset[str] = frozenset(),
    *,
    is_custom: bool = False,
    keeps_nulls: bool = False,
) -> Decoded:
    """Checks and completes an object. Never raises for bad input, never changes the input.

    `kept` names fields that come from an object decoded before: they are taken as they are.
    `is_custom`: the schema is a user's. `keeps_nulls`: null is a value like others.
    """
    report = Report(is_custom=is_custom, keeps_nulls=keeps_nulls)
    decoder = _keeping(schema, kept) if kept else decoder_of(schema)
    try:
        result = decoder(value, None, report)
    except RecursionError:
        report.add(None, "the object is nested too deeply")
        result = value
    if is_custom:  # as upstream, which gathers what it prunes
        report.unknown.sort(key=lambda each: each.path)
    return Decoded(
        result, report.causes, report.unknown, report.unserved, report.mistyped, report.embedded
    )


def decoder_of(schema: Schema) -> Decoder:
    """The schema's decoder, compiled at first use."""
    found = schema.cache.get("decoder")
    if found is None:
        found = _remembering(_compile(schema)) if schema.recurs else _compile(schema)
        if schema.type in ("any", "array", "object"):
            found = _limited(found, schema)
        combined = {w: each for w, each in schema.combined.items() if not says_either(schema, w)}
        if combined:
            found = _combining(found, combined)
        if schema.nullable:
            found = _nullable(found)
        schema.cache["decoder"] = found
    return found


def _keeping(schema: Schema, kept: frozenset[str]) -> Decoder:
    """The decoder that passes these fields on, compiled at first use for each set of names."""
    name = f"keeping {' '.join(sorted(kept))}"
    found = schema.cache.get(name)
    if found is None:
        fields = {**schema.fields, **dict.fromkeys(kept & schema.fields.keys(), Schema("any"))}
        found = schema.cache[name] = decoder_of(replace(schema, fields=fields, cache={}))
    return found


@dataclass(frozen=True, slots=True)
class _Known:
    """A value that was right: as JSON, complete; what of it is not served; what defaults added."""

    data: bytes
    unserved: tuple[Unserved, ...]
    defaulted_bytes: int


def _remembering(inner: Decoder) -> Decoder:
    """The same for values that come again: a right one is read instead of checked anew."""
    known: dict[Path, Memory[_Known]] = {}

    def decode(value: Any, path: Path, report: Report) -> Any:
        key, memory = key_of(value), known.get(path)
        if key is None or report.keeps_nulls:
            return inner(value, path, report)
        if memory is None:
            if len(known) >= _PLACES_MAX:
                return inner(value, path, report)
            memory = known[path] = Memory()
        found = memory.find(key)
        if found is not None:
            report.unserved += found.unserved
            report.may_default(found.defaulted_bytes)
            return orjson.loads(found.data)
        own = Report(is_custom=report.is_custom, keeps_nulls=report.keeps_nulls)
        own.defaulted_bytes, own.checked_steps = report.defaulted_bytes, report.checked_steps
        result = inner(value, path, own)
        is_right = not own.causes and not own.unknown
        is_pure = own.checked_steps == report.checked_steps
        if is_right and is_pure and memory.recurs(key):
            added = own.defaulted_bytes - report.defaulted_bytes
            memory.keep(key, _Known(orjson.dumps(result), tuple(own.unserved), added))
        report.take(own)
        return result

    return decode


_PLACES_MAX = 16  # where a type is met: spec, spec.template.spec


def _combining(inner: Decoder, combined: Mapping[str, Any]) -> Decoder:
    check = check_of(combined)

    def decode(value: Any, path: Path, report: Report) -> Any:
        result = inner(value, path, report)
        check(result, path, report)
        return result

    return decode


def _limited(inner: Decoder, schema: Schema) -> Decoder:
    """Adds the limits of users' schemas for values that are no scalars, or may be anything."""
    limits = limits_of(schema)
    # Of other objects and of lists sizes are checked on the way.
    is_sized = bool(schema.fields) and (schema.min_items, schema.max_items) != (None, None)
    if limits is None and not is_sized:
        return inner

    def decode(value: Any, path: Path, report: Report) -> Any:
        result = inner(value, path, report)
        if limits is not None:
            limits(result, path, report)
        kind = cast("type[Any]", type(result))
        if is_sized and kind is dict:
            _check_size(len(result), schema.min_items, schema.max_items, path, report, "properties")
        return result

    return decode


def _compile(schema: Schema) -> Decoder:
    if schema.target is not None:
        return lambda value, path, report: decoder_of(schema.resolve())(value, path, report)
    if schema.type == "object":
        return _record(schema) if schema.fields or schema.values is None else _map(schema)
    if schema.type == "array":
        return _array(schema)
    if schema.type == "any":
        return _anything
    return _scalar(schema)


def _anything(value: Any, path: Path, report: Report) -> Any:
    return value


def _nullable(inner: Decoder) -> Decoder:
    return lambda value, path, report: None if value is None else inner(value, path, report)


def _record(schema: Schema) -> Decoder:
    # Decoder, nullable, the type whose values are right as they are, and if nothing is left out;
    # filled as fields are met, most fields of most schemas never are.
    fields: dict[str, tuple[Decoder, bool, type | None, bool]] = {}
    schemas = schema.fields
    special, omitted = treatments(schema.served_as or schema.name), omitted_zeros(schema.name)
    defaults = [
        (name, child.default, len(name) + len(orjson.dumps(child.default)))
        for name, child in schemas.items()
        if child.default is not None
    ]
    defaulted = frozenset(name for name, _, _ in defaults)
    needed = [_Needed.of(schema, name) for name, child in schemas.items() if child.required]
    is_open = schema.open
    values = _later(schema.values) if schema.values is not None else None
    known = tuple(schemas)
    find = fields.get

    def field(name: str) -> tuple[Decoder, bool, type | None, bool] | None:
        child, treatment = schemas.get(name), special.get(name)
        if child is None:
            return None
        decoder, plain = decoder_of(child), _plain_type(child)
        if name == "metadata" and schema.embedded:
            decoder = _of_embedded(decoder, child)
        if isinstance(treatment, Warned | Refused | RefusedByNode):
            decoder, plain = _unserved(decoder, treatment), None
        found = fields[name] = (decoder, child.nullable, plain, name in omitted)
        return found

    def decode(value: Any, path: Path, report: Report) -> Any:
        if type(value) is not dict:
            misshapen(schema, value, path, report, "object")
            return value
        source = cast("dict[str, Any]", value)
        result: dict[str, Any] = {}
        for name, part in source.items():
            entry = find(name) or field(name)
            if entry is None:
                if is_open:
                    result[name] = part
                elif values is not None:
                    at = (path, name if report.is_custom else (name,))
                    result[name] = values(part, at, report)
                else:
                    report.unknown.append(Unknown(path, name, known))
            elif type(part) is entry[2]:
                if part or not entry[3]:
                    result[name] = part
            elif part is not None or entry[1] or (report.keeps_nulls and name not in defaulted):
                made = entry[0](part, (path, name), report)
                if made or not entry[3]:
                    result[name] = made
        for name, default, size_bytes in defaults:
            if name not in result and report.may_default(size_bytes):
                entry = find(name) or field(name)
                assert entry is not None, "a field with a default is one of the schema's"
                result[name] = entry[0](fresh(default), (path, name), report)
        for each in needed:
            if each.name not in result:
                each.stand_in(result, path, report)
        return result

    return decode


@dataclass(frozen=True, slots=True)
class _Needed:
    """A required field. Go's decoder leaves its zero where a body has none: a struct is an empty
    one, of which only what it lacks itself is missed; a pointer is null."""

    name: str
    zero: Decoder | None
    is_missed: bool

    @staticmethod
    def of(schema: Schema, name: str) -> _Needed:
        child = schema.fields[name]
        if name not in zeros(schema.name):
            return _Needed(name, None, is_missed=True)
        if child.type == "object" and (child.fields or child.target):
            return _Needed(name, decoder_of(child), is_missed=False)
        value = "0" if child.name == QUANTITY.name else _LEFT_BY_GO.get(child.type)
        return _Needed(name, lambda _, path, report: fresh(value), is_missed=True)

    def stand_in(self, result: dict[str, Any], path: Path, report: Report) -> None:
        at = (path, self.name)
        if self.is_missed or report.is_custom:
            report.add(at, "Required value", "FieldValueRequired")
        if self.zero is not None and not report.is_custom:
            result[self.name] = self.zero({}, at, report)


_ZEROS: dict[str, Any] = {"object": {}, "string": "", "integer": 0, "number": 0, "boolean": False}
_LEFT_BY_GO: dict[str, Any] = {**_ZEROS, "array": [], "int-or-string": 0}


def _of_embedded(inner: Decoder, schema: Schema) -> Decoder:
    """Of the metadata of an object within another: upstream reads it before anything is validated."""

    def decode(value: Any, path: Path, report: Report) -> Any:
        own = Report()
        inner(value, None, own)
        if own.mistyped is not None and report.embedded is None:
            report.embedded = Embedded(path, value, schema, *own.mistyped)
        return inner(value, path, report)

    return decode


_PLAIN: dict[str, type] = {"string": str, "boolean": bool}


def _plain_type(schema: Schema | None) -> type | None:
    """The type of which every value is right as it stands; None where more is asked of them."""
    if schema is None or schema.type not in _PLAIN or schema.combined or schema.target is not None:
        return None
    is_converted = schema.name == QUANTITY.name or schema.name in _MOMENTS
    return None if is_converted or limits_of(schema) is not None else _PLAIN[schema.type]


def _unserved(inner: Decoder, treatment: Warned | Refused | RefusedByNode) -> Decoder:
    """Reports values that ask for what is not served; what is refused need not be right besides."""

    def decode(value: Any, path: Path, report: Report) -> Any:
        if asks_for_nothing(value, treatment.fine):
            return inner(value, path, report)
        report.unserved.append(Unserved(render(path), value, treatment))
        return value if isinstance(treatment, Refused) else inner(value, path, report)

    return decode


def _later(schema: Schema) -> Decoder:
    """The decoder, compiled when first called: most fields of most schemas never are."""
    done: list[Decoder] = []

    def decode(value: Any, path: Path, report: Report) -> Any:
        if not done:
            done.append(decoder_of(schema))
        return done[0](value, path, report)

    found = schema.cache.get("decoder")
    return found if found is not None else decode


def _map(schema: Schema) -> Decoder:
    assert schema.values is not None
    decode_value = _later(schema.values)
    keep_null = schema.values.nullable or schema.values.type == "any"
    of_null = None if keep_null else _ZEROS.get(schema.values.type)
    if schema.values.name == QUANTITY.name:
        of_null = "0"
    plain = _plain_type(schema.values)
    least, most = schema.min_items, schema.max_items

    def decode(value: Any, path: Path, report: Report) -> Any:
        if type(value) is not dict:
            misshapen(schema, value, path, report, "object")
            return value
        source = cast("dict[str, Any]", value)
        _check_size(len(source), least, most, path, report, "properties")
        is_custom = report.is_custom  # whose places upstream names without brackets
        return {
            key: part
            if type(part) is plain
            else decode_value(
                of_null if part is None and not is_custom else part,
                (path, key if is_custom else (key,)),
                report,
            )
            for key, part in source.items()
            if part is not None
            or keep_null
            or report.keeps_nulls
            or (of_null is not None and not is_custom)
        }

    return decode


def _array(schema: Schema) -> Decoder:
    decode_item = _later(schema.items) if schema.items is not None else _anything
    least, most = schema.min_items, schema.max_items
    unique, keys = schema.unique, schema.list_keys
    plain = _plain_type(schema.items)

    def of_null(report: Report) -> Any:
        """What Go's decoder makes of an item that is null."""
        items = schema.items
        if items is None or report.is_custom or items.nullable:
            return None
        return fresh(_ZEROS.get(items.resolve().type))

    def decode(value: Any, path: Path, report: Report) -> Any:
        if type(value) is not list:
            misshapen(schema, value, path, report, "array")
            return value
        source = cast("list[Any]", value)
        _check_size(len(source), least, most, path, report)
        result = [
            part
            if type(part) is plain
            else decode_item(part if part is not None else of_null(report), (path, i), report)
            for i, part in enumerate(source)
        ]
        if unique:
            _check_unique(result, keys, path, report)
        return result

    return decode


def _check_size(
    count: int, least: int | None, most: int | None, path: Path, out: Report, what: str = "items"
) -> None:
    if most is not None and count > most:
        out.add(path, f"Too many: {count}: must have at most {most} items", "FieldValueTooMany")
    if least is not None and count < least:
        out.beyond(path, count, f"have at least {least} {what if out.is_custom else 'items'}")


def _check_unique(items: list[Any], keys: tuple[str, ...], path: Path, report: Report) -> None:
    seen: set[Hashable] = set()
    for index, item in enumerate(items):
        if keys and isinstance(item, dict):
            entry = cast("Obj", item)
            shown = "{" + ",".join(f'"{k}":{quoted(entry.get(k))}' for k in keys) + "}"
            mark = mark_of([entry.get(k) for k in keys])
        else:
            shown, mark = quoted(item), mark_of(item)
        if mark in seen:
            report.add((path, index), f"Duplicate value: {shown}", "FieldValueDuplicate")
        seen.add(mark)


def _scalar(schema: Schema) -> Decoder:
    if schema.name == QUANTITY.name:  # a user's own format of that name means nothing
        return _quantity
    if schema.name in _MOMENTS:
        return _moment(micro=_MOMENTS[schema.name])
    if schema.format == "byte":
        return _bytes(schema)
    limits = limits_of(schema)
    kind = schema.type
    low, high = RANGES.get(schema.format, (None, 0)) if kind == "integer" else (None, 0)
    allowed: tuple[type, ...] = {
        "string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,),
        "int-or-string": (int, str),
    }[kind]  # fmt: skip
    wanted = "integer or string" if kind == "int-or-string" else kind
    first = allowed[0]
    misfit = misfit_of(schema, wanted)
    whole = -1.0  # floats up to here are taken as integers where they are whole: none
    if int in allowed:
        whole = INTEGER_FLOAT_MAX if kind != "number" else 2.0**62

    def decode(value: Any, path: Path, report: Report) -> Any:
        if report.is_custom and type(value) is float and -whole <= value <= whole and not value % 1:
            value = int(value)  # as Go's encoder writes it
        if type(value) is not first and type(value) not in allowed:
            # Strings made in process may be of a subclass (an enum, a Name).
            if not (isinstance(value, str) and str in allowed):
                if report.is_custom:
                    return misfit(value, path, report)
                report.wrong_type(path, value, wanted)
                return value
            value = str(value)
        if limits is not None:
            if low is not None and type(value) is int and not low <= value <= high:
                report.mistyped = report.mistyped or (path, value)
            limits(value, path, report)
        return value

    return decode


_MOMENTS = {TIME.name: False, MICRO_TIME.name: True}


def _moment(*, micro: bool) -> Decoder:
    """In the form that upstream writes back: typed clients read no other."""

    def decode(value: Any, path: Path, report: Report) -> Any:
        if type(value) is not str:
            report.wrong_type(path, value, "string")
            return value
        try:
            return times.canonical(value, micro=micro)
        except ValueError:
            report.mistyped = report.mistyped or (path, value)
            report.wrong(path, value, f'must be a time such as "{times.EXAMPLE}"')
            return value

    return decode


def _bytes(schema: Schema) -> Decoder:
    limits = limits_of(schema)

    def decode(value: Any, path: Path, report: Report) -> Any:
        if not isinstance(value, str):
            report.wrong_type(path, value, "string")
            return value
        if not report.is_custom:
            if illegal_at(value) is not None:
                report.mistyped = report.mistyped or (path, value)
            elif len(value) % 4:  # Go passes over ends of lines
                return value.translate(_WITHOUT_ENDS)
        if limits is not None:
            limits(value, path, report)
        return value

    return decode


_WITHOUT_ENDS = {ord("\r"): None, ord("\n"): None}


def _quantity(value: Any, path: Path, report: Report) -> Any:
    if type(value) not in (str, int, float):
        report.wrong_type(path, value, "quantity")
        return value
    try:
        return canonical(str(value).strip())
    except ValueError:
        report.mistyped = report.mistyped or (path, value)
        report.wrong(
            path, value,
            'quantities are a number with an optional unit, such as "500m", "2" or "1.5Gi"',
        )  # fmt: skip
        return value
