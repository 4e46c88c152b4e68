"""allOf, anyOf, oneOf and not of users' schemas: restrictions on values, as predicates.

Inside a combination a schema adds no structure (see `structural.py`), so whether a value satisfies
it is a yes or no; of what does not, the required fields that it lacks are named besides. Schemas
are compiled once; what a value costs is counted in the report, and where it is too much nothing
more is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from mizzen.cel.regex import RegexError
from mizzen.kinds import patterns
from mizzen.kinds.formats import FORMATS
from mizzen.kinds.limits import is_multiple
from mizzen.kinds.reading import entries, part
from mizzen.kinds.report import PREDICATE_STEPS, Path, Report, render
from mizzen.kinds.values import mark_of, one_of

Predicate = Callable[[Any, Report], bool]
Check = Callable[[Any, Path, Report], None]
_IS: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "boolean": (bool,), "integer": (int,),
    "number": (int, float),
}  # fmt: skip


def check_of(combined: Mapping[str, Any]) -> Check:
    """A check of values against the combinations of one schema, worded as upstream does, and for the
    fields that it requires (`required`) without having schemas for them.

    Source: kube-openapi `validate/schema_props.go`.
    """
    needed = {"required": combined["required"]} if combined.get("required") else None
    every = _branches(combined, "allOf")
    some = _branches(combined, "anyOf")
    single = _branches(combined, "oneOf")
    negated = predicate(combined["not"]) if combined.get("not") else None

    def check(value: Any, path: Path, report: Report) -> None:
        if report.is_spent:
            return

        def wrong(problem: str) -> None:
            report.unplaced(path, '""', f'"{render(path)}" {problem}')

        if needed:
            _miss(needed, value, path, report)
        failed = [branch for branch in every if not branch.holds(value, report)]
        for branch in failed:
            _miss(branch.schema, value, path, report)
        if failed:
            of_all = ". None validated" if len(failed) == len(every) else ""
            wrong(f"must validate all the schemas (allOf){of_all}")
        if some and not any(branch.holds(value, report) for branch in some):
            wrong("must validate at least one schema (anyOf)")
            _miss(some[0].schema, value, path, report)
        if single:
            count = sum(branch.holds(value, report) for branch in single)
            if count != 1:
                found = f"{count} valid alternatives" if count else "none valid"
                wrong(f"must validate one and only one schema (oneOf). Found {found}")
            if not count:
                _miss(single[0].schema, value, path, report)
        if negated is not None and negated(value, report):
            wrong("must not validate the schema (not)")

    return check


@dataclass(frozen=True, slots=True)
class _Branch:
    schema: Any
    holds: Predicate


def _branches(combined: Mapping[str, Any], word: str) -> list[_Branch]:
    return [_Branch(each, predicate(each)) for each in combined.get(word) or ()]


def _miss(schema: Any, value: Any, path: Path, report: Report) -> None:
    """Says which fields a value lacks that a schema requires, here and further within."""
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        for name, child in part(schema, "properties").items():
            if name in fields:
                _miss(child, fields[name], (path, name), report)
        for name in entries(schema, "required"):
            if name not in fields:
                report.add((path, name), "Required value", "FieldValueRequired")
    elif isinstance(value, list) and schema.get("items") is not None:
        for i, item in enumerate(cast("list[Any]", value)):
            _miss(schema["items"], item, (path, i), report)


def _meets(combined: Mapping[str, Any]) -> Predicate:
    every = [predicate(child) for child in combined.get("allOf") or ()]
    some = [predicate(child) for child in combined.get("anyOf") or ()]
    single = [predicate(child) for child in combined.get("oneOf") or ()]
    negated = predicate(combined["not"]) if combined.get("not") else None

    def meets(value: Any, report: Report) -> bool:
        if report.is_spent:
            return True
        return (
            all(holds(value, report) for holds in every)
            and (not some or any(holds(value, report) for holds in some))
            and (not single or sum(holds(value, report) for holds in single) == 1)
            and (negated is None or not negated(value, report))
        )

    return meets


def predicate(schema: Any) -> Predicate:
    """A test whether a value meets a schema that restricts values only."""
    checks: list[tuple[tuple[type, ...], Predicate]] = []
    if schema.get("enum"):
        checks.append(((), _plain(one_of(schema["enum"]))))
    checks += [((str,), check) for check in _string(schema)]
    checks += [((int, float), check) for check in _number(schema)]
    checks += [((list,), check) for check in _list(schema)]
    checks += [((dict,), check) for check in _object(schema)]
    kinds = _IS.get(schema.get("type") or "", ())
    meets = _meets(schema)

    def holds(value: Any, report: Report) -> bool:
        if not report.may_check(PREDICATE_STEPS):
            return False
        found = cast("type[Any]", type(value))
        if kinds and found not in kinds:
            return False
        if not all(check(value, report) for types, check in checks if not types or found in types):
            return False
        return meets(value, report)

    return holds


def _string(schema: Any) -> list[Predicate]:
    checks: list[Predicate] = []
    least, most = schema.get("minLength") or 0, schema.get("maxLength")
    if least or most is not None:
        checks.append(_plain(lambda value: _within(len(value), least, most)))
    if schema.get("format") in FORMATS:
        checks.append(_plain(FORMATS[schema["format"]]))
    pattern = schema.get("pattern")
    if pattern:
        checks.append(lambda value, report: _matches(pattern, value, report))
    return checks


def _plain(check: Callable[[Any], bool]) -> Predicate:
    """A check that costs nothing worth counting."""
    return lambda value, _: check(value)


def _within(count: int, least: int, most: int | None) -> bool:
    return least <= count and (most is None or count <= most)


def _matches(pattern: str, value: str, report: Report) -> bool:
    try:
        return patterns.matches(pattern, value, report)
    except RegexError:  # of a definition that was stored before patterns were checked
        return False


def _number(schema: Any) -> list[Predicate]:
    checks: list[Predicate] = []
    low, high, unit = schema.get("minimum"), schema.get("maximum"), schema.get("multipleOf")
    if low is not None:
        above = bool(schema.get("exclusiveMinimum"))
        checks.append(_plain(lambda value: value > low or (value == low and not above)))
    if high is not None:
        below = bool(schema.get("exclusiveMaximum"))
        checks.append(_plain(lambda value: value < high or (value == high and not below)))
    if unit:
        checks.append(_plain(lambda value: is_multiple(value, unit)))
    return checks


def _list(schema: Any) -> list[Predicate]:
    least, most = schema.get("minItems") or 0, schema.get("maxItems")
    checks: list[Predicate] = [_plain(lambda value: _within(len(value), least, most))]
    if schema.get("uniqueItems"):
        checks.append(_plain(lambda value: len(set(map(mark_of, value))) == len(value)))
    if schema.get("items") is not None:
        holds = predicate(schema["items"])
        checks.append(lambda value, report: all(holds(item, report) for item in value))
    return checks


def _object(schema: Any) -> list[Predicate]:
    needed = entries(schema, "required")
    fields = {name: predicate(child) for name, child in part(schema, "properties").items()}
    least, most = schema.get("minProperties") or 0, schema.get("maxProperties")
    return [
        _plain(lambda value: _within(len(value), least, most)),
        _plain(lambda value: all(name in value for name in needed)),
        lambda value, report: all(
            fields[name](each, report) for name, each in value.items() if name in fields
        ),
    ]
