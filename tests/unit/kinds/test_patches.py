"""Patches: the examples of RFC 7386 and RFC 6902, and properties."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mizzen.base.errors import BadRequest, Invalid, TooLarge
from mizzen.kinds.patches import DoesNotApply, json_patch, merge_patch

# RFC 7386, appendix A.
MERGES: list[tuple[Any, Any, Any]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("target", "patch", "result"), MERGES)
def test_merge_patch(target: Any, patch: Any, result: Any) -> None:
    before = copy.deepcopy(target)
    assert merge_patch(target, patch) == result
    assert target == before


# RFC 6902, appendix A, and pointers of RFC 6901.
PATCHES: list[tuple[Any, list[Any], Any]] = [
    ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"foo": "bar", "baz": "qux"}),
    (
        {"foo": ["bar", "baz"]},
        [{"op": "add", "path": "/foo/1", "value": "q"}],
        {"foo": ["bar", "q", "baz"]},
    ),
    ({"baz": 1, "foo": 2}, [{"op": "remove", "path": "/baz"}], {"foo": 2}),
    ({"foo": ["a", "b", "c"]}, [{"op": "remove", "path": "/foo/1"}], {"foo": ["a", "c"]}),
    ({"baz": 1}, [{"op": "replace", "path": "/baz", "value": "boo"}], {"baz": "boo"}),
    (
        {"foo": {"bar": 1, "waldo": 2}, "qux": {}},
        [{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}],
        {"foo": {"bar": 1}, "qux": {"thud": 2}},
    ),
    (
        {"foo": ["all", "grass", "cows", "eat"]},
        [{"op": "move", "from": "/foo/1", "path": "/foo/3"}],
        {"foo": ["all", "cows", "eat", "grass"]},
    ),
    (
        {"baz": "qux", "foo": ["a", 2]},
        [
            {"op": "test", "path": "/baz", "value": "qux"},
            {"op": "test", "path": "/foo/1", "value": 2},
        ],
        {"baz": "qux", "foo": ["a", 2]},
    ),
    (
        {"foo": ["bar"]},
        [{"op": "add", "path": "/foo/-", "value": ["abc"]}],
        {"foo": ["bar", ["abc"]]},
    ),
    ({"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": 10}], {"/": 9, "~1": 10}),
    (
        {"a": {"b": [1]}},
        [{"op": "copy", "from": "/a/b", "path": "/c"}],
        {"a": {"b": [1]}, "c": [1]},
    ),
    ({"a": 1}, [{"op": "replace", "path": "", "value": {"b": 2}}], {"b": 2}),
    ({"a": None}, [{"op": "test", "path": "/a", "value": None}], {"a": None}),
    (
        {"metadata": {"labels": {"x/y": "1"}}},
        [{"op": "remove", "path": "/metadata/labels/x~1y"}],
        {"metadata": {"labels": {}}},
    ),
]


@pytest.mark.parametrize(("target", "patch", "result"), PATCHES)
def test_json_patch(target: Any, patch: list[Any], result: Any) -> None:
    before = copy.deepcopy(target)
    assert json_patch(target, patch) == result
    assert target == before


_MISSING = "missing value"


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ([{"op": "test", "path": "/a", "value": 2}], "testing value /a failed: test failed"),
        ([{"op": "test", "path": "/t", "value": 1}], "testing value /t failed"),  # true is not 1
        ([{"op": "test", "path": "/a", "value": 1.0}], "testing value /a failed"),
        ([{"op": "test", "path": "/l/1"}], "Unable to access invalid index: 1"),
        ([{"op": "remove", "path": "/zz"}], f"Unable to remove nonexistent key: zz: {_MISSING}"),
        ([{"op": "replace", "path": "/l/1"}], f"doc is missing key: /l/1: {_MISSING}"),
        ([{"op": "replace", "path": "", "value": 1}], "must be object or array"),
        ([{"op": "add", "path": "/l/9", "value": 1}], "Unable to access invalid index: 9"),
        ([{"op": "add", "path": "/l/x"}], 'strconv.Atoi: parsing "x": invalid syntax'),
        ([{"op": "add", "path": "/x/y", "value": 1}], f'doc is missing path: "/x/y": {_MISSING}'),
        ([{"op": "add", "path": "a", "value": 1}], 'doc is missing path: "a"'),
        ([{"op": "add", "path": "", "value": {}}], 'doc is missing path: ""'),
        ([{"op": "move", "from": "/o", "path": "/o/p"}], "doc is missing destination path: /o/p"),
        ([{"op": "move", "from": "/zz", "path": "/o"}], "nonexistent key: zz"),
        ([{"op": "copy", "from": "/l/7", "path": "/o"}], "error in copy for from: '/l/7'"),
        ([{"op": "copy", "path": "/a"}], "copy operation failed to decode from"),
        ([{"op": "remove"}], f"remove operation failed to decode path: {_MISSING}"),
        ([{"op": "frobnicate", "path": "/a"}], "Unexpected kind: frobnicate"),
        ([None], "Unexpected kind: unknown"),
    ],
)
def test_a_json_patch_that_does_not_apply(patch: list[Any], message: str) -> None:
    with pytest.raises(DoesNotApply, match=re.escape(message)):
        json_patch({"a": 1, "t": True, "l": [1], "o": {}}, patch)


@pytest.mark.parametrize(
    ("patch", "result"),
    [
        ([{"op": "replace", "path": "/zz", "value": 1}], {"l": [1, 2], "zz": 1}),
        ([{"op": "add", "path": "/zz"}], {"l": [1, 2], "zz": None}),
        ([{"op": "copy", "from": "/zz", "path": "/y"}], {"l": [1, 2], "y": None}),
        ([{"op": "test", "path": "/zz", "value": None}], {"l": [1, 2]}),
        ([{"op": "remove", "path": "/l/-1"}], {"l": [1]}),
        ([{"op": "remove", "path": "/l/01"}], {"l": [1]}),
        ([{"op": "add", "path": "/l/-1", "value": 3}], {"l": [1, 2, 3]}),
        ([{"op": "add", "path": "x/y", "value": 3}], {"l": [1, 2], "y": 3}),
        (None, {"l": [1, 2]}),
    ],
)
def test_what_the_library_takes_that_the_rfc_does_not(patch: Any, result: Any) -> None:
    assert json_patch({"l": [1, 2]}, patch) == result


@pytest.mark.parametrize("patch", [{}, [1]])
def test_a_malformed_json_patch(patch: Any) -> None:
    with pytest.raises(BadRequest, match="json: cannot unmarshal"):
        json_patch({"a": 1}, patch)


def test_copies_are_bounded_together() -> None:
    bomb: list[Any] = [{"op": "add", "path": "/a", "value": ["x" * 1000]}]
    bomb += [{"op": "copy", "from": "/a", "path": "/a/-"} for _ in range(40)]
    with pytest.raises(DoesNotApply, match="accumulated size increase"):
        json_patch({}, bomb)
    few = [{"op": "copy", "from": "/a", "path": "/b"}, {"op": "add", "path": "/b/c", "value": 1}]
    assert json_patch({"a": {"c": 0}}, few) == {"a": {"c": 0}, "b": {"c": 1}}


def test_more_operations_than_allowed() -> None:
    with pytest.raises(TooLarge, match="10000"):
        json_patch({}, [{"op": "test", "path": "", "value": {}}] * 10_001)


def test_a_list_is_copied_once_however_often_it_is_changed() -> None:
    """Linear: a copy per operation would be a thousand million references."""
    items = list(range(100_000))
    steps = [{"op": "add", "path": "/l/-", "value": n} for n in range(10_000)]
    before = {"l": items}
    assert len(json_patch(before, steps)["l"]) == 110_000
    assert len(items) == 100_000


@pytest.mark.parametrize("index", ["9" * 5000, "²", "-3", "+2", "1.0", ""])
def test_odd_indices_are_not_there(index: str) -> None:
    with pytest.raises(DoesNotApply, match="invalid"):
        json_patch({"l": [1, 2]}, [{"op": "remove", "path": f"/l/{index}"}])


_leaf = st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab/~", max_size=3)
_json = st.recursive(
    _leaf,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("ab/~", max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


def _without_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_null(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_without_null(each) for each in value]
    return value


def _difference(old: Any, new: Any) -> Any:
    """A merge patch that makes `new` of `old`."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    patch = {k: None for k in old if k not in new}
    for key, value in new.items():
        if key not in old or old[key] != value:
            patch[key] = _difference(old.get(key), value)
    return patch


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.text("ab", max_size=2), _json, max_size=3),
    st.dictionaries(st.text("ab", max_size=2), _json, max_size=3),
)
def test_the_merge_patch_of_a_difference_gives_the_target(old: Any, new: Any) -> None:
    old, new = _without_null(old), _without_null(new)
    assert _without_null(merge_patch(old, _difference(old, new))) == new


_whole = st.lists(_json, max_size=3) | st.dictionaries(st.text("ab/~", max_size=2), _json)


@settings(max_examples=60, deadline=None)
@given(_whole, _whole)
def test_replacing_everything_and_testing_it(old: Any, new: Any) -> None:
    steps = [{"op": "replace", "path": "", "value": new}, {"op": "test", "path": "", "value": new}]
    assert json_patch(old, steps) == new


@pytest.mark.parametrize("to", ["/spec", "/kind", "/metadata/labels"])
def test_what_is_moved_into_each_other_is_not_nested_too_deeply(to: str) -> None:
    deep: dict[str, Any] = {}
    for _ in range(200):
        deep = {"x": deep}
    steps: list[dict[str, Any]] = [
        {"op": "add", "path": f"/n{n}", "value": deep} for n in range(12)
    ]
    steps += [
        {"op": "move", "from": f"/n{n}", "path": f"/n{n + 1}" + "/x" * 200} for n in range(11)
    ]
    with pytest.raises(Invalid, match="nested deeper than 240 levels"):
        json_patch({"metadata": {}}, [*steps, {"op": "move", "from": "/n11", "path": to}])
