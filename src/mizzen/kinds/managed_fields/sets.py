"""Sets of fields: union, difference and the like. Nothing here changes what it is given.

Of sets in order by name the results are, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

Fields = dict[str, Any]  # element -> Fields; see the package
SELF = "."
LEAF: Fields = {}  # shared: never to be changed


def is_member(node: Fields) -> bool:
    """True if the element itself is in the set, not only what is below it."""
    return not node or SELF in node


def node_of(is_in: bool, below: Fields) -> Fields | None:
    """An element's node, None where there is nothing left of it. `below` has no `.`."""
    if not below:
        return LEAF if is_in else None
    return {SELF: LEAF, **below} if is_in else below


def below(node: Fields) -> Fields:
    """The children of an element."""
    return {name: child for name, child in node.items() if name != SELF} if SELF in node else node


def union(one: Fields, other: Fields) -> Fields:
    """The fields of either."""
    if not other:
        return one
    if not one:
        return other
    result = dict(one)
    for name, right in other.items():
        left = result.get(name)
        if left is None:
            result[name] = right
        elif left is not right:
            is_in = is_member(left) or is_member(right)
            result[name] = cast("Fields", node_of(is_in, union(below(left), below(right))))
    return result if len(result) == len(one) else {name: result[name] for name in sorted(result)}


def in_order(fields: Fields) -> Fields:
    """The set by name: Go's clients compare it as text, which their own maps give in that order."""
    result: Fields = {}
    for name in sorted(fields) if len(fields) > 1 else fields:
        under: Fields = fields[name]
        result[name] = in_order(under) if under else under
    return result


def intersection(one: Fields, other: Fields) -> Fields:
    """The fields of both."""
    if one.keys().isdisjoint(other):
        return {}
    result: Fields = {}
    for name, left in one.items():
        right = other.get(name)
        if right is None:
            continue
        if not left and not right:
            result[name] = LEAF
        else:
            is_in = is_member(left) and is_member(right)
            node = node_of(is_in, intersection(below(left), below(right)))
            if node is not None:
                result[name] = node
    return result


def difference(one: Fields, other: Fields) -> Fields:
    """The fields of the first that are not in the second: a parent that is leaves its children."""
    if one.keys().isdisjoint(other):
        return one
    result: Fields = {}
    for name, left in one.items():
        right = other.get(name)
        if right is None:
            result[name] = left
            continue
        if not left and not right:
            continue
        is_in = is_member(left) and not is_member(right)
        node = node_of(is_in, difference(below(left), below(right)))
        if node is not None:
            result[name] = node
    return result


def without(one: Fields, other: Fields) -> Fields:
    """As `difference`, but a parent that is in the second takes its children along."""
    if one.keys().isdisjoint(other):
        return one
    result: Fields = {}
    for name, left in one.items():
        right = other.get(name)
        if right is None:
            result[name] = left
        elif not is_member(right):
            node = node_of(is_member(left), without(below(left), below(right)))
            if node is not None:
                result[name] = node
    return result


def has(fields: Fields, path: tuple[str, ...]) -> bool:
    """True if this very field is in the set."""
    node: Fields | None = fields
    for element in path:
        node = node.get(element)
        if node is None:
            return False
    return is_member(node)


def single(path: tuple[str, ...]) -> Fields:
    """The set of one field."""
    node = LEAF
    for element in reversed(path):
        node = {element: node}
    return node


def paths(fields: Fields, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every field in the set by name, those of each level before what is below, as upstream."""
    nodes = [(name, cast("Fields", fields[name])) for name in sorted(fields) if name != SELF]
    for name, node in nodes:
        if is_member(node):
            yield (*before, name)
    for name, node in nodes:
        yield from paths(node, (*before, name))


def depth(fields: Fields) -> int:
    """The elements of the longest path."""
    level, count = [fields], 0
    while level := [child for node in level for child in node.values() if child]:
        count += 1
    return count


def valid(value: Any) -> bool:
    """True if this JSON is a set of fields."""
    if not isinstance(value, Mapping):
        return False
    return all(
        (name == SELF or name[:2] in ("f:", "k:", "v:", "i:")) and valid(child)
        for name, child in cast("Mapping[str, Any]", value).items()
    )
