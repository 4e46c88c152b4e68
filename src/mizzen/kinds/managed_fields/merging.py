"""Applied configurations merged into objects, and fields taken out of objects again.

Pure: results share unchanged parts with what was given. Source: structured-merge-diff
`typed/merge.go`, `typed/remove.go`.
"""

from __future__ import annotations

from typing import Any, cast

from mizzen.base.objects import Obj
from mizzen.kinds.managed_fields.elements import Element, NoElement
from mizzen.kinds.managed_fields.sets import LEAF, SELF, Fields, below, is_member
from mizzen.kinds.managed_fields.walking import EMPTIED, Shape, shape_of
from mizzen.kinds.schema import Schema

_ANY = Schema("any")


def merge(schema: Schema, live: Obj, config: Obj) -> Obj:
    """The live object with the configuration's values; nothing is removed.

    Lists keep the order of the live object where the configuration's does not contradict.
    Errors: NoElement.
    """
    return _merge_maps(shape_of(schema), live, config)


def _merge(schema: Schema, live: Any, config: Any) -> Any:
    shape = shape_of(schema)
    if shape.is_map and isinstance(live, dict) and isinstance(config, dict):
        return _merge_maps(shape, cast("Obj", live), cast("Obj", config))
    is_open = (shape.is_map and isinstance(live, dict)) or (
        shape.is_list and isinstance(live, list)
    )
    if config is None and live and is_open:
        return cast("Any", live)  # null says as little as what is empty
    if shape.is_list and isinstance(config, list):
        before = cast("list[Any]", live) if isinstance(live, list) else []
        return _merge_lists(shape, before, cast("list[Any]", config))
    return config


def _merge_maps(shape: Shape, live: Obj, config: Obj) -> Obj:
    result = dict(live)
    for name, value in config.items():
        child = shape.fields.get(name) or shape.values or _ANY
        result[name] = _merge(child, live.get(name), value)
    return result


def _merge_lists(shape: Shape, live: list[Any], config: list[Any]) -> list[Any]:
    assert shape.element is not None and shape.items is not None
    before, old = _named(shape.element, live, duplicates=True)
    after, new = _named(shape.element, config, duplicates=False)
    shared = [name for name in after if name in old]
    out: list[Any] = []
    merged: set[str] = set()
    left = right = 0

    def take(name: str) -> None:
        merged.add(name)
        value = new[name]
        found = old.get(name)
        out.append(_merge(shape.items or _ANY, found, value))
        if shared and shared[0] == name:
            shared.pop(0)

    while left < len(before) or right < len(after):
        if left < len(before):
            name = before[left]
            if right < len(after) and name == after[right]:
                take(name)
                left, right = left + 1, right + 1
                continue
            if right < len(after) and name in new and shared and shared[0] != name:
                left += 1  # it comes later, in the configuration's order
                continue
            if name not in new:
                out.append(live[left])
                left += 1
                continue
            if name in merged:
                left += 1
                continue
        if right < len(after):
            take(after[right])
            right += 1
    return out


def _named(
    element: Element, items: list[Any], *, duplicates: bool
) -> tuple[list[str], dict[str, Any]]:
    """The items' names in their order, and the items by name; of twins there is none."""
    names: list[str] = []
    found: dict[str, Any] = {}
    for index, item in enumerate(items):
        try:
            name = element(item)
        except NoElement as error:
            raise NoElement(f"element {index}: {error}") from error
        if name in found:
            if not duplicates:
                raise NoElement(f"duplicate entries for key {name[2:]}")
            found[name] = None
        else:
            found[name] = item
        names.append(name)
    return names, found


def remove(schema: Schema, obj: Obj, fields: Fields) -> Obj:
    """The object without these fields and items; what has nothing left is EMPTIED."""
    left = _remove_from_map(shape_of(schema), obj, fields)
    return {} if left is EMPTIED else left


def settle_emptied(value: Any, *, is_typed: bool) -> Any:
    """The value as it is stored: fields that have nothing left go, as with a Go type's nil; without
    such types (`is_typed` False) null is what is left of them, and of nothing else."""
    if isinstance(value, dict):
        return {
            name: None if each is EMPTIED else settle_emptied(each, is_typed=is_typed)
            for name, each in cast("Obj", value).items()
            if not (is_typed and each is EMPTIED)
        }
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return [settle_emptied(each, is_typed=is_typed) for each in items]
    return value


def _remove(schema: Schema, value: Any, fields: Fields) -> Any:
    shape = shape_of(schema)
    if shape.is_map and isinstance(value, dict):
        return _remove_from_map(shape, cast("Obj", value), fields)
    if shape.is_list and isinstance(value, list):
        assert shape.element is not None and shape.items is not None
        kept: list[Any] = []
        for item in cast("list[Any]", value):
            node = fields.get(shape.element(item))
            if node is None:
                kept.append(item)
            elif not is_member(node):
                left = _remove(shape.items, item, below(node))
                kept.append({} if left is EMPTIED else left)
        return kept or EMPTIED
    return value


def _remove_from_map(shape: Shape, obj: Obj, fields: Fields) -> Any:
    result: Obj = {}
    for name, value in obj.items():
        node = fields.get(f"f:{name}")
        if node is None:
            result[name] = value
        elif not is_member(node):
            child = shape.fields.get(name) or shape.values or _ANY
            result[name] = _remove(child, value, below(node))
    return result or EMPTIED


def with_named_fields(schema: Schema, fields: Fields) -> Fields:
    """The set with every declared field that is a parent of its members.

    Of `a.b.c` it then has `a` where that is a field, and not `a.b` where that is a map's key.
    Source: structured-merge-diff `EnsureNamedFieldsAreMembers`.
    """
    shape = shape_of(schema)
    result: Fields = {}
    for name, node in fields.items():
        if name == SELF:
            result[name] = node
            continue
        child, is_named = _ANY, False
        if name[0] == "f" and shape.is_map:
            declared = shape.fields.get(name[2:])
            is_named = declared is not None
            child = declared or shape.values or _ANY
        elif name[0] == "k" and shape.is_list and shape.items is not None:
            child = shape.items
        inner: Fields = with_named_fields(child, node) if node else node
        if is_named and inner and SELF not in inner:
            inner = {SELF: LEAF, **inner}
        result[name] = inner
    return result
