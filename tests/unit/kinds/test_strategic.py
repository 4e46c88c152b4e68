"""Strategic merge patch: directives one by one, and: the patch of a difference gives the target."""

from __future__ import annotations

import copy
import re
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mizzen.base.errors import BadRequest, Invalid, Unclassified
from mizzen.kinds.registry import builtin_kinds
from mizzen.kinds.strategic import strategic_merge_patch

POD = builtin_kinds()[("", "pods")].schema


def _pod(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p"}, "spec": spec}


A, B, C = ({"name": n, "image": n} for n in "abc")

CASES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "an item merges by its key": (
        _pod(containers=[A, B]),
        {"spec": {"containers": [{"name": "b", "image": "new"}]}},
        _pod(containers=[A, {"name": "b", "image": "new"}]),
    ),
    "a new item comes first": (
        _pod(containers=[A]),
        {"spec": {"containers": [B]}},
        _pod(containers=[B, A]),
    ),
    "an item is deleted": (
        _pod(containers=[A, B]),
        {"spec": {"containers": [{"name": "a", "$patch": "delete"}]}},
        _pod(containers=[B]),
    ),
    "deleting what is not there": (
        _pod(containers=[A]),
        {"spec": {"containers": [{"name": "z", "$patch": "delete"}]}},
        _pod(containers=[A]),
    ),
    "a list is replaced": (
        _pod(containers=[A, B]),
        {"spec": {"containers": [C, {"$patch": "replace"}]}},
        _pod(containers=[C]),
    ),
    "an item that says replace is only that": (
        _pod(containers=[A, B]),
        {"spec": {"containers": [{"name": "a", "image": "x", "$patch": "replace"}, C]}},
        _pod(containers=[C]),
    ),
    "the order is set": (
        _pod(containers=[A, B]),
        {
            "spec": {
                "$setElementOrder/containers": [{"name": "c"}, {"name": "b"}, {"name": "a"}],
                "containers": [C],
            }
        },
        _pod(containers=[C, B, A]),
    ),
    "an order leaves others where they were": (
        _pod(containers=[A, B, C]),
        {"spec": {"$setElementOrder/containers": [{"name": "c"}, {"name": "b"}]}},
        _pod(containers=[A, C, B]),
    ),
    "an atomic list is replaced": (
        _pod(tolerations=[{"key": "a"}]),
        {"spec": {"tolerations": [{"key": "b"}]}},
        _pod(tolerations=[{"key": "b"}]),
    ),
    "an object is replaced": (
        _pod(nodeSelector={"a": "1"}),
        {"spec": {"nodeSelector": {"b": "2", "$patch": "replace"}}},
        _pod(nodeSelector={"b": "2"}),
    ),
    "an object is deleted": (
        _pod(securityContext={"runAsUser": 1}),
        {"spec": {"securityContext": {"$patch": "delete"}}},
        _pod(securityContext={}),
    ),
    "what is deleted or misspelt where nothing is": (
        _pod(),
        {"spec": {"securityContext": {"$patch": "delete"}, "affinity": {"$patch": "explode"}}},
        _pod(),
    ),
    "new content has no nulls": (
        _pod(),
        {"spec": {"tolerations": [{"key": "a", "value": None}]}},
        _pod(tolerations=[{"key": "a"}]),
    ),
    "null deletes": (_pod(hostname="x"), {"spec": {"hostname": None}}, _pod()),
    "a volume's source is swapped": (
        _pod(volumes=[{"name": "v", "emptyDir": {}}]),
        {
            "spec": {
                "volumes": [
                    {"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/x"}}
                ]
            }
        },
        _pod(volumes=[{"name": "v", "hostPath": {"path": "/x"}}]),
    ),
    "directives of new content are fields that nobody knows": (
        _pod(),
        {"spec": {"volumes": [{"name": "v", "$retainKeys": ["name"], "items": [{"$patch": "x"}]}]}},
        _pod(volumes=[{"name": "v", "$retainKeys": ["name"], "items": []}]),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_cases(case: str) -> None:
    old, patch, new = CASES[case]
    kept = copy.deepcopy((old, patch))
    assert strategic_merge_patch(POD, old, patch) == new
    assert (old, patch) == kept


def test_primitive_lists_merge_as_sets() -> None:
    old = {"metadata": {"name": "p", "finalizers": ["a", "b"]}}
    patch = {"metadata": {"finalizers": ["c"], "$deleteFromPrimitiveList/finalizers": ["a"]}}
    assert strategic_merge_patch(POD, old, patch)["metadata"]["finalizers"] == ["c", "b"]


_RETAINED = {"name": "v", "$retainKeys": ["name"], "emptyDir": {}}


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ({"$patch": "explode"}, "unknown patch type: explode in map: map[$patch:explode]"),
        ({"$patch": "merge"}, "unknown patch type: merge in map: map[$patch:merge]"),
        ({"$patch": 5}, "unknown patch type: %!s(int64) in map: map[$patch:5]"),
        (
            {"containers": [{"$patch": "x"}]},
            "unknown patch type: x in map: map[$patch:x]",
        ),
        ({"containers": [{"$patch": "merge"}]}, "merging lists cannot yet be specified"),
        (
            {"containers": [{"image": "x", "tty": True}]},
            "map: map[image:x tty:true] does not contain declared merge key: name",
        ),
        (
            {"containers": ["x"]},
            "list element types are not identical: [[map[image:a name:a]] [x]]",
        ),
        ({"$setElementOrder/containers": 1}, "expected a []interface {}, but received a int64"),
        (
            {"$setElementOrder/containers": [{"name": "b"}], "containers": [A]},
            "The order in patch list:\n[map[image:a name:a]]\n doesn't match $setElementOrder list:\n"
            "[map[name:b]]\n",
        ),
        (
            {"$setElementOrder/none": []},
            'unable to find api field in struct PodSpec for the json field "none"',
        ),
    ],
)
def test_patches_that_are_an_error_of_the_server(patch: Any, message: str) -> None:
    with pytest.raises(Unclassified, match=re.escape(message)) as caught:
        strategic_merge_patch(POD, _pod(containers=[A]), {"spec": patch})
    assert (caught.value.code, caught.value.reason) == (500, "")


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ({"$retainKeys": 1}, "invalid patch format of retainKeys"),
        ({"$deleteFromPrimitiveListx": []}, "invalid patch format of primitive list"),
        ({"$setElementOrder": []}, "invalid patch format of setElementOrder list"),
        ({"volumes": [_RETAINED]}, "invalid patch format of retainKeys"),
    ],
)
def test_malformed_patches(patch: Any, message: str) -> None:
    with pytest.raises(BadRequest, match=re.escape(message)):
        strategic_merge_patch(POD, _pod(volumes=[{"name": "v"}]), {"spec": patch})


def test_lists_of_lists_are_refused_without_a_reason() -> None:
    with pytest.raises(Invalid, match="the server rejected our request"):
        strategic_merge_patch(POD, _pod(containers=[A]), {"spec": {"containers": [[]]}})


def _patch_for(old: list[dict[str, str]], new: list[dict[str, str]]) -> dict[str, Any]:
    """What kubectl sends to turn one list of containers into another."""
    before = {c["name"]: c for c in old}
    after = {c["name"]: c for c in new}
    items: list[dict[str, Any]] = [c for c in new if before.get(c["name"]) != c]
    items += [{"name": n, "$patch": "delete"} for n in before if n not in after]
    order = [{"name": c["name"]} for c in new]
    return {"spec": {"containers": items, "$setElementOrder/containers": order}}


_containers = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.sampled_from("xyz")),
    unique_by=lambda t: t[0],
    min_size=1,
    max_size=6,
).map(lambda items: [{"name": n, "image": i} for n, i in items])


@settings(max_examples=80, deadline=None)
@given(_containers, _containers)
def test_the_patch_of_a_difference_gives_the_target(
    old: list[dict[str, str]], new: list[dict[str, str]]
) -> None:
    result = strategic_merge_patch(POD, _pod(containers=old), _patch_for(old, new))
    assert result["spec"]["containers"] == new


def test_deleting_what_is_not_there_makes_nothing() -> None:
    job = builtin_kinds()[("batch", "jobs")].schema
    spec = {"template": {"spec": {"containers": [{"name": "main", "image": "i"}]}}}
    gone = [{"name": "main", "env": [{"$patch": "delete", "name": "GONE"}]}]
    obj = {"spec": spec}
    patched = strategic_merge_patch(
        job, obj, {"spec": {"template": {"spec": {"containers": gone}}}}
    )
    made = patched["spec"]["template"]["spec"]["containers"]
    assert made == [{"name": "main", "image": "i", "env": []}]  # which is not written
    config = builtin_kinds()[("", "configmaps")].schema
    bare: dict[str, Any] = {"metadata": {"name": "c"}}
    for patch in (
        {"labels": {"$patch": "delete"}},
        {"$deleteFromPrimitiveList/finalizers": ["x"]},
        {"$setElementOrder/finalizers": ["x"]},
    ):
        assert strategic_merge_patch(config, bare, {"metadata": patch}) == bare


def test_keys_that_occur_twice_stay_and_keep_their_order() -> None:
    env = [
        {"name": "MODE", "value": "first"},
        {"name": "KEEP"},
        {"name": "MODE", "value": "second"},
    ]
    pod = builtin_kinds()[("", "pods")].schema
    obj = {"spec": {"containers": [{"name": "c", "env": env}]}}
    order = [{"name": "MODE"}, {"name": "KEEP"}, {"name": "MODE"}]
    patch = {"name": "c", "$setElementOrder/env": order, "env": [{"name": "KEEP", "value": "k"}]}
    patched = strategic_merge_patch(pod, obj, {"spec": {"containers": [patch]}})
    expected = [env[0], {"name": "KEEP", "value": "k"}, env[2]]
    assert patched["spec"]["containers"][0]["env"] == expected


def test_long_lists_take_time_linear_in_them() -> None:
    config = builtin_kinds()[("", "configmaps")].schema
    have, more = [f"a.io/{n}" for n in range(100_000)], [f"b.io/{n}" for n in range(10_000)]
    owners = [{"uid": f"u{n}", "name": "x"} for n in range(20_000)]
    obj = {"metadata": {"finalizers": have, "ownerReferences": owners}}
    begun = time.process_time()
    for patch in (
        {"finalizers": more},
        {"finalizers": more, "$setElementOrder/finalizers": more},
        {"$deleteFromPrimitiveList/finalizers": have[::2]},
        {"ownerReferences": [{"uid": f"u{n}", "controller": True} for n in range(0, 40_000, 2)]},
        {"ownerReferences": [{"uid": f"u{n}", "$patch": "delete"} for n in range(20_000)]},
        {"$setElementOrder/ownerReferences": [{"uid": f"u{n}"} for n in reversed(range(20_000))]},
    ):
        strategic_merge_patch(config, obj, {"metadata": patch})
    keys = [f"k{n}" for n in range(50_000)]
    data: dict[str, Any] = {**dict.fromkeys(keys, "v"), "$retainKeys": keys}
    patched = strategic_merge_patch(config, {"data": {"old": "v"}}, {"data": data})
    assert patched["data"].keys() == set(keys)
    assert time.process_time() - begun < 5
