"""Limits of a value beyond its type: ranges, lengths, patterns, formats, an enum.

Each check is about values of its type, and lets others pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from mizzen.base.errors import Cause
from mizzen.base.go_text import marshalled, printed
from mizzen.kinds import patterns
from mizzen.kinds.causes import unsupported
from mizzen.kinds.formats import FORMATS, TEXT_FORMATS
from mizzen.kinds.report import Path, Report, quoted, render
from mizzen.kinds.schema import Schema
from mizzen.kinds.times import EXAMPLE
from mizzen.kinds.values import one_of

Check = Callable[[Any, Path, Report], None]

_LISTED_MAX = 20  # values of an enum that a message names
_OF_NUMBERS = {"integer": ("int32", "int64"), "number": ("float", "double")}
RANGES = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}


def known_format(schema: Schema) -> str:
    """The format of a user's schema, where upstream knows it for the type; "" otherwise."""
    if schema.type in ("string", "any"):
        return schema.format if schema.format.replace("-", "") in TEXT_FORMATS else ""
    return schema.format if schema.format in _OF_NUMBERS.get(schema.type, ()) else ""


def limits_of(schema: Schema) -> Check | None:
    """The check of a value, None when every value of the type is fine."""
    checks: list[Check] = []
    if schema.enum:
        checks.append(_one_of(schema.enum, schema.default))
    if schema.type in ("integer", "number", "int-or-string", "any"):
        low, high = RANGES.get(schema.format, (None, None))
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
    if schema.type in ("string", "any") and schema.format in FORMATS:
        checks.append(_has_format(schema.format))
    if not checks:
        return None
    if len(checks) == 1:
        return checks[0]

    def every(value: Any, path: Path, report: Report) -> None:
        for check in checks:
            check(value, path, report)

    return every


def _one_of(allowed: tuple[Any, ...], default: Any) -> Check:
    is_allowed = one_of(allowed)
    words = frozenset(each for each in allowed if type(each) is str)
    listed = ", ".join(quoted(each) for each in allowed[:_LISTED_MAX])
    if len(allowed) > _LISTED_MAX:
        listed += f" and {len(allowed) - _LISTED_MAX} more"

    def check(value: Any, path: Path, report: Report) -> None:
        if type(value) is str and value in words:  # as nearly every time
            return
        if is_allowed(value):
            return
        # Where a default is none of them it is the zero that Go leaves, which the kind's rules judge.
        if value == default and not report.is_custom and default is not None:
            return
        if report.is_custom:
            texts = [each if isinstance(each, str) else marshalled(each) for each in allowed]
            report.take_cause(unsupported(render(path), value, texts))
            return
        report.add(
            path, f"Unsupported value: {quoted(value)}: supported values: {listed}",
            "FieldValueNotSupported",
        )  # fmt: skip

    return check


def _between(
    low: float | None, high: float | None, above: bool = False, below: bool = False
) -> Check:
    def check(value: Any, path: Path, report: Report) -> None:
        if type(value) is not int and type(value) is not float:
            return
        if low is not None and (value < low or (above and value == low)):
            words = "greater than" if above else "greater than or equal to"
            report.beyond(path, value, f"be {words} {printed(low)}")
        elif high is not None and (value > high or (below and value == high)):
            words = "less than" if below else "less than or equal to"
            report.beyond(path, value, f"be {words} {printed(high)}")

    return check


def _multiple(unit: float) -> Check:
    def check(value: Any, path: Path, report: Report) -> None:
        if type(value) is int and report.is_custom and not int(unit):
            where = render(path)  # as upstream, which makes an integer of the factor
            what = f"factor MultipleOf declared for {where} must be positive: {int(unit)}"
            report.take_cause(Cause(where, f"Invalid value: {int(unit)}: {what}"))
        elif type(value) in (int, float) and not is_multiple(value, unit):
            report.beyond(path, value, f"be a multiple of {printed(unit)}")

    return check


def is_multiple(value: float, unit: float) -> bool:
    """True if a number is a multiple as people write them: 0.3 is one of 0.1.

    Source: go-openapi `validate.MultipleOf`, which looks how far from a whole number the ratio is.
    """
    if isinstance(value, int) and isinstance(unit, int):
        return value % unit == 0
    ratio = value / unit
    return math.isfinite(ratio) and math.isclose(ratio, round(ratio), rel_tol=1e-9, abs_tol=1e-9)


def _length(least: int, most: int | None) -> Check:
    def check(value: Any, path: Path, report: Report) -> None:
        if not isinstance(value, str):
            return
        if len(value) < least:
            shown = (
                "be at least {} chars long" if report.is_custom else "have at least {} characters"
            )
            report.beyond(path, value, shown.format(least))
        elif most is not None and len(value) > most:
            unit = "byte" if most == 1 else "bytes"
            report.add(path, f"Too long: may not be more than {most} {unit}", "FieldValueTooLong")

    return check


def _matches(pattern: str) -> Check:
    def check(value: Any, path: Path, report: Report) -> None:
        if isinstance(value, str):
            patterns.wrong(pattern, value, path, report)

    return check


def _has_format(name: str) -> Check:
    is_valid = FORMATS[name]
    what = _EXAMPLES.get(name, f"of the format {name}")

    def check(value: Any, path: Path, report: Report) -> None:
        if isinstance(value, str) and not is_valid(value):
            report.wrong_format(path, value, name, f"must be {what}")

    return check


_EXAMPLES = {
    "byte": "base64; put plain text into stringData where there is",
    "date": 'a date such as "2026-01-31"',
    "date-time": f'a time such as "{EXAMPLE}"',
    "duration": 'a duration such as "1h30m"',
}
