"""allOf, anyOf, oneOf and not of users' schemas: restrictions on values, as predicates.

Inside a combination a schema adds no structure (see `structural.py`), so whether a value satisfies
it is a yes or no. Schemas are compiled once; what a value costs is counted in the report, and where
it is too much nothing more is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from mizzen.cel.regex import RegexError
from mizzen.kinds import patterns
from mizzen.kinds.formats import FORMATS
from mizzen.kinds.limits import is_multiple
from mizzen.kinds.reading import entries, part
from mizzen.kinds.report import PREDICATE_STEPS, Report
from mizzen.kinds.values import mark_of, one_of

Predicate = Callable[[Any, Report], bool]
_IS: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "boolean": (bool,), "integer": (int,),
    "number": (int, float),
}  # fmt: skip


def problems_of(combined: Mapping[str, Any]) -> Callable[[Any, Report], list[str]]:
    """A check of values against the combinations of one schema, worded as upstream does."""
    every = [predicate(child) for child in combined.get("allOf") or ()]
    some = [predicate(child) for child in combined.get("anyOf") or ()]
    single = [predicate(child) for child in combined.get("oneOf") or ()]
    negated = predicate(combined["not"]) if combined.get("not") else None

    def problems(value: Any, report: Report) -> list[str]:
        found: list[str] = []
        if report.is_spent:
            return found
        if not all(holds(value, report) for holds in every):
            found.append("must validate all the schemas (allOf)")
        if some and not any(holds(value, report) for holds in some):
            found.append("must validate at least one schema (anyOf)")
        if single and sum(holds(value, report) for holds in single) != 1:
            found.append("must validate one and only one schema (oneOf)")
        if negated is not None and negated(value, report):
            found.append("must not validate the schema (not)")
        return found

    return problems


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
    problems = problems_of(schema)

    def holds(value: Any, report: Report) -> bool:
        if not report.may_check(PREDICATE_STEPS):
            return False
        found = cast("type[Any]", type(value))
        if kinds and found not in kinds:
            return False
        if not all(check(value, report) for types, check in checks if not types or found in types):
            return False
        return not problems(value, report)

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
