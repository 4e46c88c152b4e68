"""Functions over lists and sets, and of optionals.

Source: k8s.io/apiserver/pkg/cel/library/lists.go, v0.36; google/cel-go ext/{lists,sets}.go and
cel/library.go, v0.26; k8s.io/dynamic-resource-allocation/cel (includes).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cmp_to_key
from itertools import pairwise

from mizzen.cel import arithmetic, values
from mizzen.cel.values import NOTHING, Duration, Err, Map, Optional, UInt, no_overload

INCLUDES_MAX = 64  # resource.k8s.io/v1 ResourceSliceMaxAttributeValuesPerDevice
RANGE_MAX = 1_000_000  # longer ones cost more than any expression may
_ZERO: dict[str, object] = {"int": 0, "uint": UInt(0), "double": 0.0, "duration": Duration(0)}


def _list(value: object) -> list[object]:
    assert values.is_list(value)
    return value


def includes(args: list[object]) -> object:
    target, wanted = args
    if not values.is_list(target):
        return values.equals(target, wanted) is True
    for at, each in enumerate(target):
        if at >= INCLUDES_MAX:
            return Err(f"'includes' cannot be applied to lists longer than {INCLUDES_MAX} values")
        if values.equals(each, wanted) is True:
            return True
    return False


def is_sorted(args: list[object]) -> object:
    elements = _list(args[0])
    if not all(map(values.is_ordered, elements)):
        return no_overload()
    return all(values.compare(a, b) != 1 for a, b in pairwise(elements))


def total(kind: str) -> Callable[[list[object]], object]:
    def of(args: list[object]) -> object:
        so_far = _ZERO[kind]
        for each in _list(args[0]):
            so_far = arithmetic.add([so_far, each])
            if isinstance(so_far, Err):
                return so_far
        return so_far

    return of


def extreme(worse: int) -> Callable[[list[object]], object]:
    """The least (worse = 1) or the greatest (-1) element."""

    def of(args: list[object]) -> object:
        elements = _list(args[0])
        if not elements:
            return Err("min or max called on empty list")
        if not all(map(values.is_ordered, elements)):
            return no_overload()
        best = elements[0]
        for each in elements[1:]:
            if values.compare(best, each) == worse:
                best = each
        return best

    return of


def index_of(args: list[object]) -> object:
    for at, each in enumerate(_list(args[0])):
        if values.equals(each, args[1]) is True:
            return at
    return -1


def last_index_of(args: list[object]) -> object:
    elements = _list(args[0])
    for at in range(len(elements) - 1, -1, -1):
        if values.equals(elements[at], args[1]) is True:
            return at
    return -1


def slice_of(args: list[object]) -> object:
    elements, start, end = _list(args[0]), args[1], args[2]
    assert isinstance(start, int) and isinstance(end, int)
    if start < 0 or end < 0 or start > end or end > len(elements):
        return Err(f"cannot slice({start}, {end}) a list of {len(elements)}")
    return elements[start:end]


def flatten(args: list[object]) -> object:
    depth = args[1] if len(args) > 1 else 1
    assert isinstance(depth, int)
    return Err("level must be non-negative") if depth < 0 else _flat(_list(args[0]), depth)


def _flat(elements: list[object], depth: int) -> list[object]:
    made: list[object] = []
    for each in elements:
        if values.is_list(each) and depth > 0:
            made.extend(_flat(each, depth - 1))
        else:
            made.append(each)
    return made


def sort(args: list[object]) -> object:
    """The first list in the order of the last one."""
    elements, keys = args[0], args[-1]
    if not values.is_list(elements) or not values.is_list(keys):
        return no_overload(elements, keys)
    if len(elements) != len(keys):
        return Err("sort keys are not as many as the elements")
    if not elements:
        return elements
    if not values.is_ordered(keys[0]):
        return Err("list elements must be comparable")
    if any(type(key) is not type(keys[0]) for key in keys) and len(keys) > 1:
        return Err("list elements must have the same type")

    def order(a: int, b: int) -> int:
        result = values.compare(keys[a], keys[b])
        return result if isinstance(result, int) else 0

    return [elements[at] for at in sorted(range(len(keys)), key=cmp_to_key(order))]


def count_up(args: list[object]) -> object:
    end = args[0]
    assert isinstance(end, int)
    return list(range(min(end, RANGE_MAX + 1)))


def reverse(args: list[object]) -> object:
    return _list(args[0])[::-1]


def distinct(args: list[object]) -> object:
    made: list[object] = []
    for each in _list(args[0]):
        if not any(values.equals(each, other) is True for other in made):
            made.append(each)
    return made


def sets_contain(args: list[object]) -> object:
    return all(values.contains(_list(args[0]), each) for each in _list(args[1]))


def sets_equivalent(args: list[object]) -> object:
    return sets_contain(args) is True and sets_contain(args[::-1])


def sets_intersect(args: list[object]) -> object:
    return any(values.contains(_list(args[1]), each) for each in _list(args[0]))


def map_insert(args: list[object]) -> object:
    into, *rest = args
    assert isinstance(into, Map)
    pairs = rest[0].items() if isinstance(rest[0], Map) and len(rest) == 1 else [(rest[0], rest[1])]
    for key, value in pairs:
        if into.contains(key):
            return Err("insert failed: the key already exists")
        into = into.inserted(key, value)
    return into


# -- optionals ----------------------------------------------------------------------------------


def optional(args: list[object]) -> object:
    return Optional(args[0])


def nothing(args: list[object]) -> object:
    return NOTHING


def optional_unless_zero(args: list[object]) -> object:
    value = args[0]
    zero = value in (None, False, 0, "", b"", UInt(0), Duration(0)) or (
        (values.is_list(value) or isinstance(value, Map)) and len(value) == 0
    )
    return NOTHING if zero else Optional(value)


def value_of(args: list[object]) -> object:
    held = args[0]
    assert isinstance(held, Optional)
    return held.value if held.present else Err("optional.none() dereference")


def has_value(args: list[object]) -> object:
    held = args[0]
    assert isinstance(held, Optional)
    return held.present


def end_of(at: int) -> Callable[[list[object]], object]:
    """The first (0) or last (-1) element, if there is one."""

    def of(args: list[object]) -> object:
        elements = _list(args[0])
        return Optional(elements[at]) if elements else NOTHING

    return of


def unwrap(args: list[object]) -> object:
    made: list[object] = []
    for each in _list(args[0]):
        if not isinstance(each, Optional):
            return Err("a value of the list is not optional")
        if each.present:
            made.append(each.value)
    return made
