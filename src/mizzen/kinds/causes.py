"""Causes in upstream's words, for what a validator finds.

Source: apimachinery `util/validation/field/errors.go`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mizzen.base.errors import Cause
from mizzen.base.go_text import marshalled, quoted


def required(path: str, detail: str = "") -> Cause:
    message = f"Required value: {detail}" if detail else "Required value"
    return Cause(path, message, "FieldValueRequired")


def forbidden(path: str, detail: str) -> Cause:
    return Cause(path, f"Forbidden: {detail}", "FieldValueForbidden")


def invalid(path: str, value: Any, problem: str) -> Cause:
    return Cause(path, f"Invalid value: {_json(value)}: {problem}")


def duplicate(path: str, value: Any) -> Cause:
    return Cause(path, f"Duplicate value: {_json(value)}", "FieldValueDuplicate")


def unsupported(path: str, value: Any, supported: Sequence[str]) -> Cause:
    known = ", ".join(f'"{each}"' for each in supported)
    message = f"Unsupported value: {_json(value)}: supported values: {known}"
    return Cause(path, message, "FieldValueNotSupported")


def too_many(path: str, count: int, most: int) -> Cause:
    message = f"Too many: {count}: must have at most {most} items"
    return Cause(path, message, "FieldValueTooMany")


def too_long(path: str, bytes_max: int) -> Cause:
    message = f"Too long: may not be more than {bytes_max} bytes"
    return Cause(path, message, "FieldValueTooLong")


def port_number(path: str, number: int) -> list[Cause]:
    """Causes against what is no port."""
    if 1 <= number <= 65535:
        return []
    return [Cause(path, f"Invalid value: {number}: must be between 1 and 65535, inclusive")]


def _json(value: Any) -> str:
    return quoted(value) if isinstance(value, str) else marshalled(value)
