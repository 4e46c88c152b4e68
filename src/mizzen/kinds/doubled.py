"""Bodies that say a field twice, as upstream's decoder reads them into its types: what is said again
comes on top of what was there.

Source: Go's encoding/json, sigs.k8s.io/json: structs and maps keep what is not said again, lists
are decoded item by item into those before them, all else is replaced.
"""

from __future__ import annotations

import json
from typing import Any, cast

from mizzen.kinds.schema import Schema

_PARTS = ("metadata", "spec", "status")  # which are values in Go, so that null changes nothing


class _Members(list[tuple[str, Any]]):
    """Those of an object, in their order, repeated ones and all."""


def merged(body: bytes, schema: Schema) -> Any:
    """The value of a body in JSON of this schema. Errors: ValueError."""
    return _value(schema, json.loads(body, object_pairs_hook=_Members), None, 0)


def _value(schema: Schema | None, node: Any, before: Any, depth: int) -> Any:
    schema = schema.resolve() if schema is not None else None
    if isinstance(node, _Members):
        return _object(schema, node, before, depth)
    if not isinstance(node, list):
        return node
    items: Any = schema.items if schema is not None else None
    old = cast("list[Any]", before) if isinstance(before, list) else []
    return [
        _value(items, each, old[index] if index < len(old) else None, depth + 1)
        for index, each in enumerate(cast("list[Any]", node))
    ]


def _object(schema: Schema | None, node: _Members, before: Any, depth: int) -> dict[str, Any]:
    is_typed = schema is not None and bool(schema.fields or schema.values)
    kept = cast("dict[str, Any]", before) if is_typed and isinstance(before, dict) else {}
    found = dict(kept)
    for name, child in node:
        field = schema.fields.get(name) if schema is not None else None
        if child is None and depth == 0 and name in _PARTS and name in found:
            continue
        if field is None:  # each value of a map is read by itself
            found[name] = _value(
                schema.values if schema is not None else None, child, None, depth + 1
            )
        else:
            found[name] = _value(field, child, found.get(name), depth + 1)
    return found


def in_order(problems: list[str], body: bytes) -> list[str]:
    """What is said of fields (`unknown field "spec.x"`), in the order in which the body has them."""
    places: dict[str, int] = {}
    _place(json.loads(body, object_pairs_hook=_Members), "", places)
    last = len(places)
    return sorted(problems, key=lambda each: places.get(each.partition(" (did")[0], last))


def _place(node: Any, path: str, places: dict[str, int]) -> None:
    if isinstance(node, _Members):
        seen: set[str] = set()
        for name, child in node:
            at = f"{path}.{name}" if path else name
            word = "duplicate" if name in seen else "unknown"
            places.setdefault(f'{word} field "{at}"', len(places))
            seen.add(name)
            _place(child, at, places)
    elif isinstance(node, list):
        for index, child in enumerate(cast("list[Any]", node)):
            _place(child, f"{path}[{index}]", places)
