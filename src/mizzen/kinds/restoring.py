"""Objects on their way into types of Go that are filled without JSON: numbers are converted there.

Source: apimachinery `runtime/converter.go`, fromUnstructured.
"""

from __future__ import annotations

from typing import Any, cast

from mizzen.kinds.schema import Schema

_LEAST_INT64 = -(1 << 63)


def restored(schema: Schema, value: Any) -> Any:
    """The value with its whole numbers as the integers of its fields, which wrap around."""
    schema = schema.resolve()
    if schema.type == "object" and isinstance(value, dict):
        fields, others = schema.fields, schema.values
        return {
            name: restored(child, each) if (child := fields.get(name) or others) else each
            for name, each in cast("dict[str, Any]", value).items()
        }
    if schema.type == "array" and isinstance(value, list) and schema.items is not None:
        return [restored(schema.items, each) for each in cast("list[Any]", value)]
    number = cast("Any", value)
    if schema.type == "integer" and type(number) in (int, float):
        return _wrapped(number, 32 if schema.format == "int32" else 64)
    return number


def _wrapped(value: float, bits: int) -> float:
    if value % 1:
        return value
    number = int(value)
    if not _LEAST_INT64 <= number < -_LEAST_INT64:
        number = _LEAST_INT64  # as processors have it for what they cannot convert
    half = 1 << (bits - 1)
    return (number + half) % (2 * half) - half
