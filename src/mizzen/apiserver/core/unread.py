"""What of a body no field of its kind reads: however deep it is, it is never stored."""

from __future__ import annotations

from typing import Any, cast

from mizzen.kinds.schema import Schema


def without_unread(schema: Schema, value: Any) -> Any:
    """The body with objects and lists emptied where the schema has no place for what is in them:
    under unknown fields, and where something else is expected. Never changes the body."""
    node = schema.resolve()
    if node.type == "any" or node.open:
        return value
    if isinstance(value, dict):
        if node.type != "object":
            return {}
        return {
            name: _emptied(each) if child is None else without_unread(child, each)
            for name, each in cast("dict[str, Any]", value).items()
            for child in (node.fields.get(name) or node.values,)
        }
    if isinstance(value, list):
        found, items = cast("list[Any]", value), node.items
        if node.type != "array":
            return []
        return found if items is None else [without_unread(items, each) for each in found]
    return value


def _emptied(value: Any) -> Any:
    if isinstance(value, dict):
        return {}
    return [] if isinstance(value, list) else value
