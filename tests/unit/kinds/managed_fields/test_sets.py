"""Sets of fields: the algebra, held against sets of paths."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from mizzen.kinds.managed_fields import sets
from mizzen.kinds.managed_fields.sets import Fields

PATHS = st.sets(
    st.lists(st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}']), min_size=1, max_size=3).map(tuple)
)


def build(paths: set[tuple[str, ...]]) -> Fields:
    result: Fields = {}
    for path in paths:
        result = sets.union(result, sets.single(path))
    return result


def members(fields: Fields) -> set[tuple[str, ...]]:
    return set(sets.paths(fields))


@given(PATHS)
def test_a_set_holds_what_was_put_into_it(one: set[tuple[str, ...]]) -> None:
    fields = build(one)
    assert members(fields) == one
    assert all(sets.has(fields, path) for path in one)
    assert not sets.has(fields, ("f:none",))
    assert sets.valid(fields)


@given(PATHS, PATHS)
def test_union_intersection_and_difference_are_those_of_paths(
    one: set[tuple[str, ...]], other: set[tuple[str, ...]]
) -> None:
    a, b = build(one), build(other)
    assert members(sets.union(a, b)) == one | other
    assert members(sets.intersection(a, b)) == one & other
    assert members(sets.difference(a, b)) == one - other


@given(PATHS, PATHS)
def test_without_takes_children_along(
    one: set[tuple[str, ...]], other: set[tuple[str, ...]]
) -> None:
    left = {p for p in one if not any(p[: len(q)] == q for q in other)}
    assert members(sets.without(build(one), build(other))) == left


@given(PATHS, PATHS)
def test_of_sets_in_order_the_results_are_in_order(
    one: set[tuple[str, ...]], other: set[tuple[str, ...]]
) -> None:
    a, b = sets.in_order(build(one)), sets.in_order(build(other))
    for combine in (sets.union, sets.intersection, sets.difference, sets.without):
        result = combine(a, b)
        assert json.dumps(result) == json.dumps(result, sort_keys=True)


def test_a_parent_with_children_has_a_dot() -> None:
    fields = build({("f:a",), ("f:a", "f:b")})
    assert fields == {"f:a": {".": {}, "f:b": {}}}
    assert build({("f:a", "f:b")}) == {"f:a": {"f:b": {}}}


def test_what_is_no_set_of_fields_is_told() -> None:
    assert not sets.valid({"a": {}})
    assert not sets.valid({"f:a": 1})
    assert not sets.valid([])
