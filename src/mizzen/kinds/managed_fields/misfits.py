"""What of an applied configuration does not fit the types of its kind, in upstream's words.

Source: structured-merge-diff `typed/validate.go`, v6.3; kube-openapi `schemaconv/openapi.go`.
"""

from __future__ import annotations

from typing import Any, cast

from mizzen.base.go_text import as_float, go_syntax, printed, type_name
from mizzen.base.objects import Obj
from mizzen.kinds.managed_fields.elements import NoElement, element_of, shown
from mizzen.kinds.schema import QUANTITY, Schema

_ANY = Schema("any")
_TYPED_FORMATS = ("", "byte")  # strings of others may be any scalar


def misfits(schema: Schema, value: Any, path: str = "") -> list[str]:
    """Undeclared fields, values of other types than their fields', items of lists that have no name
    of their own: each with its path. Null fits everywhere."""
    schema = schema.resolve()
    if value is None or schema.type in ("any", "int-or-string") or schema.name == QUANTITY.name:
        return []
    if schema.type == "object":
        if not isinstance(value, dict):
            return [_wrong(path, "map", value)]
        return _in_map(schema, cast("Obj", value), path)
    if schema.type == "array":
        if not isinstance(value, list):
            return [_wrong(path, "list", value)]
        return _in_list(schema, cast("list[Any]", value), path)
    return _in_scalar(schema, value, path)


def _wrong(path: str, wanted: str, value: Any) -> str:
    return f"{path}: expected {wanted}, got &{{{printed(as_float(value))}}}"


def _in_map(schema: Schema, obj: Obj, path: str) -> list[str]:
    found: list[str] = []
    others = schema.values
    if others is None and (schema.open or not schema.fields):
        others = _ANY
    for name, value in obj.items():
        child = schema.fields.get(name) or others
        if child is None:
            return [*found, f"{path}.{name}: field not declared in schema"]
        found += misfits(child, value, f"{path}.{name}")
    return found


def _in_list(schema: Schema, items: list[Any], path: str) -> list[str]:
    found: list[str] = []
    element, inner = element_of(schema), schema.items or _ANY
    seen: set[str] = set()
    for index, item in enumerate(items):
        if element is None:
            found += misfits(inner, item, f"{path}[{index}]")
            continue
        try:
            name = element(item)
        except NoElement as error:
            return [*found, f"{path}: element {index}: {error}"]
        if name in seen:
            found.append(f"{path}: duplicate entries for key {shown((name,))}")
        seen.add(name)
        found += misfits(inner, item, path + shown((name,)))
    return found


def _in_scalar(schema: Schema, value: Any, path: str) -> list[str]:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if schema.type in ("integer", "number"):
        if is_number:
            return []
        return [f"{path}: expected numeric (int or float), got {type_name(value)}"]
    if schema.type == "boolean":
        return [] if isinstance(value, bool) else [_wrong(path, "boolean", value)]
    if schema.format not in _TYPED_FORMATS:
        return [_wrong(path, "any scalar", value)] if isinstance(value, dict | list) else []
    if isinstance(value, str):
        return []
    got = f"&value.valueUnstructured{{Value:{go_syntax(as_float(value))}}}"
    return [f"{path}: expected string, got {got}"]
