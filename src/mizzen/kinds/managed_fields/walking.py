"""Objects and sets of fields: which fields an object has, and in which two objects differ.

Both are compiled from a schema at first use, as decoding is. What a schema leaves open is a map
down to its scalars; lists without keys are one value each.

`implied` are the fields that upstream's Go types always have, though they hold nothing: a Pod's
`spec` with `containers: null`. They belong to nobody (`implied_fields.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

from mizzen.base.objects import Obj
from mizzen.kinds.managed_fields.elements import Element, element_of
from mizzen.kinds.managed_fields.sets import LEAF, SELF, Fields, below
from mizzen.kinds.remembered import remembered
from mizzen.kinds.schema import Schema

_NOTHING: Mapping[str, Any] = {}


class _Emptied(dict[str, Any]):
    """A map or list of which applying took the last part: upstream's null, until it is stored."""


EMPTIED: Any = _Emptied()


class _Absent:
    pass


_ABSENT: Any = _Absent()


class Comparison(NamedTuple):
    """The fields that the new object lacks, has otherwise, or has beside those of the old one."""

    removed: Fields
    modified: Fields
    added: Fields

    @property
    def is_same(self) -> bool:
        return not (self.removed or self.modified or self.added)


@dataclass(frozen=True, slots=True)
class Shape:
    """What the walks need to know of a value: by which type it is gone through."""

    is_map: bool = False
    is_list: bool = False
    fields: Mapping[str, Schema] = field(default_factory=dict[str, Schema])
    values: Schema | None = None  # of other keys
    items: Schema | None = None
    element: Element | None = None


_LEAF_SHAPE = Shape()
_ANY = Schema("any")
_OPEN_SHAPE = Shape(is_map=True, values=_ANY)


def shape_of(schema: Schema) -> Shape:
    """The shape of a schema's values, worked out once."""
    found = schema.cache.get("shape")
    if found is None:
        found = schema.cache["shape"] = _shape(schema.resolve())
    return found


def _shape(schema: Schema) -> Shape:
    if schema.map_type == "atomic":
        return _LEAF_SHAPE
    if schema.type == "object":
        open_values = _ANY if schema.open else None
        values = schema.values if schema.values is not None else open_values
        return Shape(is_map=True, fields=schema.fields, values=values)
    if schema.type == "array":
        element = element_of(schema)
        if element is None:
            return _LEAF_SHAPE
        return Shape(is_list=True, items=schema.items, element=element)
    return _OPEN_SHAPE if schema.type == "any" else _LEAF_SHAPE


def fields_of(schema: Schema, obj: Obj) -> Fields:
    """Every leaf and item that an applied configuration mentions.

    Source: structured-merge-diff `ToFieldSet`. Errors: NoElement.
    """
    return _mentioned_in_map(shape_of(schema), obj)


def _mentioned(schema: Schema, value: Any) -> Fields | None:
    """The node of a value, without its own membership unless it is a leaf."""
    shape = shape_of(schema)
    if shape.is_map and isinstance(value, dict):
        return _mentioned_in_map(shape, cast("Obj", value)) or None
    if shape.is_list and isinstance(value, list):
        assert shape.element is not None and shape.items is not None
        result: Fields = {}
        seen: set[str] = set()
        for item in cast("list[Any]", value):
            name = shape.element(item)
            if name in seen:
                result[name] = LEAF
                continue
            seen.add(name)
            inner = _mentioned(shape.items, item)
            result[name] = {SELF: LEAF, **inner} if inner else LEAF
        return result or None
    return LEAF


def _mentioned_in_map(shape: Shape, obj: Obj) -> Fields:
    result: Fields = {}
    for name, value in obj.items():
        child = shape.fields.get(name)
        is_declared = child is not None
        if child is None:
            child = shape.values or _ANY
        node = _mentioned(child, value)
        if value is None or value == {} or not is_declared:
            node = {SELF: LEAF, **node} if node else LEAF
        if node is not None:
            result[f"f:{name}"] = node
    return result


Walker = Callable[[Any], Fields]


def _all(schema: Schema, value: Any) -> Fields:
    walker = _walker_of(schema)
    return walker(value) if walker is not None and value else LEAF


def _walker_of(schema: Schema) -> Walker | None:
    """Gives all fields of values that hold something; None where these are leaves whatever they
    hold. Made at first use, and the walkers of fields when one is first met."""
    if "walker" not in schema.cache:
        shape = shape_of(schema)
        maker = _map_walker if shape.is_map else _list_walker if shape.is_list else None
        walker = maker(shape) if maker is not None else None
        schema.cache["walker"] = remembered(walker) if schema.recurs and walker else walker
    return schema.cache["walker"]


def _map_walker(shape: Shape) -> Walker:
    fields = shape.fields
    known: dict[str, tuple[str, Walker | None]] = {}
    values = _walker_of(shape.values) if shape.values not in (None, _ANY) else None
    is_open = shape.values is None or shape.values is _ANY

    def walk(value: Any) -> Fields:
        if type(value) is not dict:
            return LEAF
        result: Fields = {SELF: LEAF}
        for name, child in cast("Obj", value).items():
            found = known.get(name)
            if found is not None:
                element, walker = found
            elif name in fields:
                element, walker = known[name] = (f"f:{name}", _walker_of(fields[name]))
            else:
                element, walker = f"f:{name}", _walker_of(_ANY) if is_open else values
            result[element] = walker(child) if walker is not None and child else LEAF
        return result

    return walk


def _list_walker(shape: Shape) -> Walker:
    element, items = shape.element, shape.items
    assert element is not None and items is not None
    inner = _walker_of(items)

    def walk(value: Any) -> Fields:
        if type(value) is not list:
            return LEAF
        result: Fields = {SELF: LEAF}
        for item in cast("list[Any]", value):
            name = element(item)
            twin = name in result
            result[name] = inner(item) if inner is not None and item and not twin else LEAF
        return result

    return walk


def walker_of(schema: Schema, implied: Mapping[str, Any] = _NOTHING) -> Walker:
    """The function that gives every field of an object that did not exist before, parents included.

    It is `compare` with nothing, at a fraction of its cost.
    """
    shape = shape_of(schema)
    fields, others = shape.fields, shape.values or _ANY
    # Element, walker, what is implied and how it is gone through itself; filled as fields are met.
    known: dict[str, tuple[str, Walker | None, Any, Walker | None]] = {}

    def entry(name: str) -> tuple[str, Walker | None, Any, Walker | None]:
        child: Schema = fields.get(name, others)
        usual: Any = implied.get(name, _ABSENT)
        is_record = isinstance(usual, dict) and shape_of(child).is_map
        inner = walker_of(child, cast("Obj", usual)) if is_record else None
        if inner is not None and child.recurs:
            inner = remembered(inner)
        found = (f"f:{name}", _walker_of(child), cast("Any", usual), inner)
        if name in fields:
            known[name] = found
        return found

    def walk(obj: Any) -> Fields:
        result: Fields = {}
        for name, value in cast("Obj", obj).items():
            element, walker, usual, inner = known.get(name) or entry(name)
            if usual is _ABSENT:
                result[element] = walker(value) if walker is not None and value else LEAF
            elif value == usual:
                continue
            elif inner is not None and type(value) is dict:
                if node := inner(value):
                    result[element] = node
            else:
                node = walker(value) if walker is not None and value else LEAF
                if usual is None and len(node) > 1:  # the list itself is always there
                    node = {n: c for n, c in node.items() if n != SELF}
                result[element] = node
        return result

    return walk


def compare(
    schema: Schema, old: Obj, new: Obj, implied: Mapping[str, Any] = _NOTHING
) -> Comparison:
    """The difference between two objects of one type.

    Source: structured-merge-diff `TypedValue.Compare`. Errors: NoElement.
    """
    result = Comparison({}, {}, {})
    _compare_maps(shape_of(schema), old, new, implied, result)
    return result


def _compare_maps(
    shape: Shape, old: Obj, new: Obj, implied: Mapping[str, Any], into: Comparison
) -> None:
    named = new if old.keys() == new.keys() else {**new, **dict.fromkeys(old.keys() - new, _ABSENT)}
    for name, right in named.items():
        left = old.get(name, _ABSENT)
        if left is right or left == right:
            continue
        child = shape.fields.get(name) or shape.values or _ANY
        known = implied.get(name, _ABSENT)
        if known is not _ABSENT:
            left, right = (known if each is _ABSENT else each for each in (left, right))
        elif left is not _ABSENT and right is not _ABSENT and shape_of(child) is _LEAF_SHAPE:
            into.modified[f"f:{name}"] = LEAF
            continue
        _compare(child, f"f:{name}", left, right, known, into)


def _compare(
    schema: Schema, element: str, old: Any, new: Any, implied: Any, into: Comparison
) -> None:
    if old is _ABSENT:
        if new is not _ABSENT:
            into.added[element] = _all(schema, new)
        return
    if new is _ABSENT:
        into.removed[element] = _all(schema, old)
        return
    shape = shape_of(schema)
    nested: Comparison | None = None
    if shape.is_map and _is_some(dict, old, new):
        nested = Comparison({}, {}, {})
        known = cast("Mapping[str, Any]", implied) if isinstance(implied, dict) else _NOTHING
        _compare_maps(shape, old or {}, new or {}, known, nested)
    elif shape.is_list and _is_some(list, old, new):
        nested = Comparison({}, {}, {})
        _compare_lists(shape, old or [], new or [], nested)
    if nested is None:
        if old != new:
            into.modified[element] = LEAF
            if shape is _OPEN_SHAPE:  # what was or is a map has gone or come besides
                for value, target in ((old, into.removed), (new, into.added)):
                    if type(value) is dict and value:
                        target[element] = below(_all(schema, value))
        return
    for found, target in zip(nested, into, strict=True):
        if found:
            target[element] = found


def _is_some(kind: type, old: Any, new: Any) -> bool:
    """True if both can be gone through and one has something in it."""
    return bool(old or new) and _is_open(kind, old) and _is_open(kind, new)


def _is_open(kind: type, value: Any) -> bool:
    return type(value) is kind or value is None or value is EMPTIED


def _compare_lists(shape: Shape, old: list[Any], new: list[Any], into: Comparison) -> None:
    assert shape.element is not None and shape.items is not None
    lefts, rights = _by_element(shape.element, old), _by_element(shape.element, new)
    for name in {**lefts, **rights}:
        left, right = lefts.get(name, ()), rights.get(name, ())
        if len(left) <= 1 and len(right) <= 1:
            if left != right:
                one, other = (each[0] if each else _ABSENT for each in (left, right))
                _compare(shape.items, name, one, other, _ABSENT, into)
        elif len(left) >= 2 and len(right) >= 2:
            if left != right:
                into.modified[name] = LEAF
        elif len(left) >= 2:
            if right:
                into.added[name] = _all(shape.items, right[0])
            into.removed[name] = LEAF
        else:
            if left:
                into.removed[name] = _all(shape.items, left[0])
            into.added[name] = LEAF


def _by_element(element: Element, items: list[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for item in items:
        found.setdefault(element(item), []).append(item)
    return found
