"""The view between a commit and its echo on the watch."""

from __future__ import annotations

from mizzen.base.objects import Key, Obj
from mizzen.base.operations import Bind, Delete, Patch
from mizzen.base.resources import PODS, RESOURCE_CLAIMS
from mizzen.scheduler.assumed import Assumed, assume_written
from support.scheduler_world import claim, pod

KEY = Key("default", "a")
STATUS: Obj = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}


def at(obj: Obj, revision: int) -> Obj:
    return {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(revision)}}


def test_what_was_written_is_seen_until_the_watch_has_it_or_better() -> None:
    cache = {KEY: at(claim("a"), 5)}
    seen = Assumed(cache)
    written = at({**claim("a"), "status": {"reservedFor": []}}, 7)
    patch = Patch(RESOURCE_CLAIMS, "default", "a", {})
    assume_written({RESOURCE_CLAIMS: seen}, patch, written, "")
    assert seen[KEY] is written
    cache[KEY] = at(claim("a"), 6)
    assert seen[KEY] is written
    cache[KEY] = at(claim("a"), 8)
    assert seen[KEY] is cache[KEY]


def test_an_object_of_another_life_replaces_what_was_assumed() -> None:
    cache = {KEY: at(pod("a"), 5)}
    seen = Assumed(cache)
    seen.assume(at(pod("a"), 9))
    cache[KEY] = at(pod("a"), 6)
    cache[KEY]["metadata"]["uid"] = "another"
    assert seen[KEY] is cache[KEY]


def test_what_is_gone_stays_gone() -> None:
    cache: dict[Key, Obj] = {}
    seen = Assumed(cache)
    seen.assume(at(pod("a"), 5))
    assert list(seen) == []
    cache[KEY] = at(pod("a"), 6)
    seen.assume(at(pod("a"), 9))
    seen.forget(KEY)
    assert seen[KEY] is cache[KEY]


def test_a_binding_or_deletion_answered_with_a_status_counts_until_the_next_version() -> None:
    cache = {KEY: at(pod("a"), 5)}
    seen = Assumed(cache)
    assume_written({PODS: seen}, Bind("default", "a", "n1"), STATUS, "")
    assert seen[KEY]["spec"]["nodeName"] == "n1"
    assert "nodeName" not in cache[KEY]["spec"]
    cache[KEY] = at(seen[KEY], 6)
    assume_written({PODS: seen}, Delete(PODS, "default", "a"), STATUS, "now")
    assert seen[KEY]["metadata"]["deletionTimestamp"] == "now"
    cache[KEY] = at(pod("a"), 7)
    assert seen[KEY] is cache[KEY]
