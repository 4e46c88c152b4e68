"""Schemas compiled into closures that check, prune and default an object in one pass.

Paths are kept as linked tuples and rendered only when something is wrong, so a pod of a hundred
values costs tens of microseconds.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.kinds.combined import problems
from mizzen.kinds.quantities import canonical
from mizzen.kinds.schema import Schema

# (parent, segment): a str is a field, an int a list index, a 1-tuple a map key.
Path = tuple["Path", "str | int | tuple[str]"] | None
Decoder = Callable[[Any, Path, "Report"], Any]

_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_RANGES = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}
_NAMES = {
    str: "string", bool: "boolean", int: "integer", float: "number", dict: "object",
    list: "array", type(None): "null",
}  # fmt: skip


def render(path: Path) -> str:
    """The path as users write it: `spec.containers[0].ports[1].containerPort`."""
    parts: list[str] = []
    while path is not None:
        path, segment = path
        if isinstance(segment, str):
            parts.append(segment if path is None else f".{segment}")
        else:
            parts.append(f"[{segment[0] if isinstance(segment, tuple) else segment}]")
    return "".join(reversed(parts))


@dataclass(slots=True)
class Report:
    """What was wrong on the way: causes for a 422, and fields the schema does not know."""

    causes: list[Cause] = field(default_factory=list[Cause])
    unknown: list[Unknown] = field(default_factory=list["Unknown"])

    def add(self, path: Path, message: str, reason: str = "FieldValueInvalid") -> None:
        self.causes.append(Cause(render(path), message, reason))

    def wrong(self, path: Path, value: Any, problem: str) -> None:
        self.add(path, f"Invalid value: {quoted(value)}: {problem}")

    def wrong_type(self, path: Path, value: Any, wanted: str) -> None:
        got = _NAMES.get(cast("type[Any]", type(value)), "value")
        self.add(
            path, f"Invalid value: {quoted(value)}: must be of type {wanted}, not {got}",
            "FieldValueTypeInvalid",
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Unknown:
    """A field that the schema lacks, and the names it has at that place."""

    path: str
    name: str
    known: tuple[str, ...]


@dataclass(slots=True)
class Decoded:
    """A fresh object with defaults, without unknown fields and nulls, and what was wrong.

    Parts that the schema leaves open are shared with the input.
    """

    object: Obj
    causes: list[Cause]
    unknown: list[Unknown]


def decode(schema: Schema, value: Obj) -> Decoded:
    """Checks and completes an object. Never raises for bad input, never changes the input."""
    report = Report()
    try:
        result = decoder_of(schema)(value, None, report)
    except RecursionError:
        report.add(None, "the object is nested too deeply")
        result = value
    return Decoded(result, report.causes, report.unknown)


def quoted(value: Any) -> str:
    """A value as it appears in messages; long ones are cut."""
    if isinstance(value, str):
        text = value if len(value) <= 80 else value[:77] + "..."
        return f'"{text}"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, dict):
        return "{...}" if value else "{}"
    if isinstance(value, list):
        return "[...]" if value else "[]"
    return str(value)


def decoder_of(schema: Schema) -> Decoder:
    """The schema's decoder, compiled at first use."""
    found = schema.cache.get("decoder")
    if found is None:
        found = _compile(schema)
        if schema.combined:
            found = _combining(found, schema.combined)
        if schema.nullable:
            found = _nullable(found)
        schema.cache["decoder"] = found
    return found


def _combining(inner: Decoder, combined: Mapping[str, Any]) -> Decoder:
    def decode(value: Any, path: Path, report: Report) -> Any:
        result = inner(value, path, report)
        for problem in problems(dict(combined), result):
            report.wrong(path, result, problem)
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
    fields: dict[str, tuple[Decoder, bool]] = {
        name: (_later(child), child.nullable) for name, child in schema.fields.items()
    }
    defaults = [
        (name, child.default) for name, child in schema.fields.items() if child.default is not None
    ]
    needed = [name for name, child in schema.fields.items() if child.required]
    is_open = schema.open
    values = _later(schema.values) if schema.values is not None else None
    known = tuple(schema.fields)
    find = fields.get

    def decode(value: Any, path: Path, report: Report) -> Any:
        if type(value) is not dict:
            report.wrong_type(path, value, "object")
            return value
        source = cast("dict[str, Any]", value)
        result: dict[str, Any] = {}
        for name, part in source.items():
            entry = find(name)
            if entry is None:
                if is_open:
                    result[name] = part
                elif values is not None:
                    result[name] = values(part, (path, (name,)), report)
                else:
                    report.unknown.append(Unknown(render((path, name)), name, known))
            elif part is not None or entry[1]:
                result[name] = entry[0](part, (path, name), report)
        for name, default in defaults:
            if name not in result:
                result[name] = fields[name][0](fresh(default), (path, name), report)
        for name in needed:
            if name not in result:
                report.add((path, name), "Required value", "FieldValueRequired")
        return result

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


def fresh(value: Any) -> Any:
    """A copy of a default that the object may own."""
    if type(value) is dict:
        return {key: fresh(part) for key, part in cast("dict[str, Any]", value).items()}
    if type(value) is list:
        return [fresh(part) for part in cast("list[Any]", value)]
    return value


def _map(schema: Schema) -> Decoder:
    assert schema.values is not None
    decode_value = _later(schema.values)
    keep_null = schema.values.nullable or schema.values.type == "any"
    least, most = schema.min_items, schema.max_items

    def decode(value: Any, path: Path, report: Report) -> Any:
        if type(value) is not dict:
            report.wrong_type(path, value, "object")
            return value
        source = cast("dict[str, Any]", value)
        _check_size(len(source), least, most, path, report)
        return {
            key: decode_value(part, (path, (key,)), report)
            for key, part in source.items()
            if part is not None or keep_null
        }

    return decode


def _array(schema: Schema) -> Decoder:
    decode_item = _later(schema.items) if schema.items is not None else _anything
    least, most = schema.min_items, schema.max_items
    unique, keys = schema.unique, schema.list_keys

    def decode(value: Any, path: Path, report: Report) -> Any:
        if type(value) is not list:
            report.wrong_type(path, value, "array")
            return value
        source = cast("list[Any]", value)
        _check_size(len(source), least, most, path, report)
        result = [decode_item(part, (path, i), report) for i, part in enumerate(source)]
        if unique:
            _check_unique(result, keys, path, report)
        return result

    return decode


def _check_size(count: int, least: int | None, most: int | None, path: Path, out: Report) -> None:
    if most is not None and count > most:
        out.add(path, f"Too many: {count}: must have at most {most} items", "FieldValueTooMany")
    if least is not None and count < least:
        out.add(path, f"Invalid value: {count}: must have at least {least} items")


def _check_unique(items: list[Any], keys: tuple[str, ...], path: Path, report: Report) -> None:
    seen: set[str] = set()
    for index, item in enumerate(items):
        if keys and isinstance(item, dict):
            entry = cast("Obj", item)
            shown = "{" + ",".join(f'"{k}":{quoted(entry.get(k))}' for k in keys) + "}"
            mark = repr([entry.get(k) for k in keys])
        else:
            shown, mark = quoted(item), repr(item)
        if mark in seen:
            report.add((path, index), f"Duplicate value: {shown}", "FieldValueDuplicate")
        seen.add(mark)


def _scalar(schema: Schema) -> Decoder:
    limits = _limits(schema)
    if schema.format == "quantity":
        return _quantity
    kind = schema.type
    allowed: tuple[type, ...] = {
        "string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,),
        "int-or-string": (int, str),
    }[kind]  # fmt: skip
    wanted = "integer or string" if kind == "int-or-string" else kind
    first = allowed[0]

    def decode(value: Any, path: Path, report: Report) -> Any:
        if type(value) is not first and type(value) not in allowed:
            # Strings made in process may be of a subclass (an enum, a Name).
            if not (isinstance(value, str) and str in allowed):
                report.wrong_type(path, value, wanted)
                return value
            value = str(value)
        if limits is not None:
            limits(value, path, report)
        return value

    return decode


def _quantity(value: Any, path: Path, report: Report) -> Any:
    if type(value) not in (str, int, float):
        report.wrong_type(path, value, "quantity")
        return value
    try:
        return canonical(str(value))
    except ValueError:
        report.wrong(
            path, value,
            'quantities are a number with an optional unit, such as "500m", "2" or "1.5Gi"',
        )  # fmt: skip
        return value


def _limits(schema: Schema) -> Decoder | None:
    """The check of a scalar's value, None when every value of the type is fine."""
    checks: list[Decoder] = []
    if schema.enum:
        checks.append(_one_of(schema.enum))
    if schema.type in ("integer", "number", "int-or-string"):
        low, high = _RANGES.get(schema.format, (None, None))
        low = schema.minimum if schema.minimum is not None else low
        high = schema.maximum if schema.maximum is not None else high
        if low is not None or high is not None:
            checks.append(_between(low, high, schema.exclusive_minimum, schema.exclusive_maximum))
        if schema.multiple_of:
            checks.append(_multiple(schema.multiple_of))
    if schema.min_length is not None or schema.max_length is not None:
        checks.append(_length(schema.min_length or 0, schema.max_length))
    if schema.pattern:
        checks.append(_matches(schema.pattern))
    if schema.format in ("date-time", "micro-time"):
        checks.append(_is_time)
    if schema.format == "byte":
        checks.append(_is_base64)
    if not checks:
        return None
    if len(checks) == 1:
        return checks[0]

    def every(value: Any, path: Path, report: Report) -> None:
        for check in checks:
            check(value, path, report)

    return every


def _one_of(allowed: tuple[Any, ...]) -> Decoder:
    def check(value: Any, path: Path, report: Report) -> None:
        if value not in allowed:
            listed = ", ".join(quoted(a) for a in allowed)
            report.add(
                path, f"Unsupported value: {quoted(value)}: supported values: {listed}",
                "FieldValueNotSupported",
            )  # fmt: skip

    return check


def _between(
    low: float | None, high: float | None, above: bool = False, below: bool = False
) -> Decoder:
    def check(value: Any, path: Path, report: Report) -> None:
        if isinstance(value, str):
            return
        if low is not None and (value < low or (above and value == low)):
            words = "greater than" if above else "greater than or equal to"
            report.wrong(path, value, f"must be {words} {low}")
        elif high is not None and (value > high or (below and value == high)):
            words = "less than" if below else "less than or equal to"
            report.wrong(path, value, f"must be {words} {high}")

    return check


def _multiple(unit: float) -> Decoder:
    def check(value: Any, path: Path, report: Report) -> None:
        if not isinstance(value, str) and value % unit:
            report.wrong(path, value, f"must be a multiple of {unit}")

    return check


def _length(least: int, most: int | None) -> Decoder:
    def check(value: Any, path: Path, report: Report) -> None:
        if not isinstance(value, str):
            return
        if len(value) < least:
            report.wrong(path, value, f"must have at least {least} characters")
        elif most is not None and len(value) > most:
            report.add(path, f"Too long: may not be more than {most} bytes", "FieldValueTooLong")

    return check


def _matches(pattern: str) -> Decoder:
    compiled = re.compile(pattern)

    def check(value: Any, path: Path, report: Report) -> None:
        if isinstance(value, str) and compiled.search(value) is None:
            report.wrong(path, value, f"must match '{pattern}'")

    return check


def _is_time(value: Any, path: Path, report: Report) -> None:
    if _TIME.fullmatch(value) is None:
        report.wrong(path, value, 'must be a time such as "2026-01-31T12:00:00Z"')


def _is_base64(value: Any, path: Path, report: Report) -> None:
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        report.wrong(path, value, "must be base64; put plain text into stringData where there is")
