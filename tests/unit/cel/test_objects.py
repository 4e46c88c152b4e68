"""JSON as values of expressions: names, presence, lists whose order says nothing."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.cel import arithmetic, objects, values
from mizzen.cel.objects import JsonMap, Record, escape, untyped
from mizzen.cel.values import JsonList


@pytest.mark.parametrize(
    ("name", "escaped"),
    [
        ("a", "a"),
        ("x-y", "x__dash__y"),
        ("a.b/c", "a__dot__b__slash__c"),
        ("a__b", "a__underscores__b"),
        ("___", "__underscores___"),
        ("namespace", "__namespace__"),
        ("if", "__if__"),
        ("ifs", "ifs"),
        ("self", "self"),
        ("1a", None),
        ("a$", None),
        ("", None),
        ("é", None),
    ],
)
def test_names_that_are_no_identifiers_are_escaped(name: str, escaped: str | None) -> None:
    assert escape(name) == escaped


def test_a_field_that_is_null_is_not_there() -> None:
    record = Record({"a": None, "x-y": 1}, lambda _, raw: raw, {"x__dash__y": "x-y"})
    assert record.find("a") is None
    assert record.find("x__dash__y") == ("x__dash__y", 1)
    assert record.items() == [("x__dash__y", 1)]
    assert record.find(1) is None


def test_a_part_is_made_when_it_is_asked_for_and_once() -> None:
    made: list[str] = []

    def make(key: str, raw: Any) -> Any:
        made.append(key)
        return raw

    found = JsonMap({"a": 1, "b": 2}, make)
    assert len(found) == 2 and not made
    assert found.find("a") == found.find("a") == ("a", 1)
    assert made == ["a"]
    elements = JsonList([1, 2, 3], lambda raw: make(str(raw), raw))
    assert elements[1] == elements[-2] == 2
    assert made == ["a", "2"]
    assert elements[::-1] == [3, 2, 1] and list(elements) == [1, 2, 3]
    assert made == ["a", "2", "3", "1"]


def test_all_of_it_is_seen_through() -> None:
    found = untyped({"a": [{"b": 1}], "c": None})
    assert isinstance(found, JsonMap)
    assert values.equal(found, untyped({"c": None, "a": [{"b": 1}]})) is True
    assert values.equal(found, untyped({"c": None, "a": [{"b": 2}]})) is False
    assert values.type_name(found) == "map"


def test_sets_are_equal_in_any_order_and_add_up_to_a_union() -> None:
    some, others = (objects.set_of(raw, untyped) for raw in (["a", "b"], ["b", "a"]))
    assert values.equal(some, others) is True
    assert values.equal(some, ["b", "c"]) is False
    assert list(arithmetic.add([some, ["c", "a"]])) == ["a", "b", "c"]  # type: ignore[call-overload]


def test_map_lists_are_merged_by_their_keys() -> None:
    def made(*raw: dict[str, int]) -> values.Keyed:
        return objects.map_list_of(raw, untyped, ("k",))

    one, two = {"k": 1, "v": 1}, {"k": 2, "v": 2}
    assert values.equal(made(one, two), made(two, one)) is True
    assert values.equal(made(one, two), made({"k": 1, "v": 3}, two)) is False
    assert values.equal(made(one), made(one, two)) is False
    merged = arithmetic.add([made(one, two), made({"k": 1, "v": 3}, {"k": 3})])
    assert isinstance(merged, values.Keyed)
    assert [each.raw for each in merged if isinstance(each, JsonMap)] == [
        {"k": 1, "v": 3}, two, {"k": 3},
    ]  # fmt: skip
    assert values.equal(made({"k": 1}), made({"k": True})) is False  # type: ignore[dict-item]


def test_null_fields_make_records_differ_from_either_side() -> None:
    null, there = (Record({"v": value, "w": 1}, lambda _, raw: raw, {}) for value in (None, 1))
    assert values.equal(null, there) is values.equal(there, null) is False
    assert values.equal(null, Record({"v": None, "w": 1}, lambda _, raw: raw, {})) is True
