from __future__ import annotations

from mizzen.apiserver.core.garbage import (
    Collect,
    DropOwners,
    OwnerState,
    Release,
    decide,
    next_for_owner,
    without_finalizer,
    without_owners,
)
from mizzen.base.objects import Obj


def owned(*uids: str, blocks: bool = False) -> Obj:
    references = [{"uid": uid, "blockOwnerDeletion": blocks} for uid in uids]
    return {"metadata": {"name": "d", "uid": "d", "ownerReferences": references}}


def deleted_owner(*finalizers: str) -> Obj:
    return {"metadata": {"uid": "o", "deletionTimestamp": "t", "finalizers": list(finalizers)}}


def test_an_object_goes_with_its_last_owner() -> None:
    assert decide(owned("a", "b"), {"a": "gone", "b": "gone"}) == Collect("Background")
    assert decide(owned("a", "b"), {"a": "gone", "b": "alive"}) == DropOwners(frozenset("a"))
    assert decide(owned("a"), {"a": "alive"}) is None
    assert decide(owned(), {}) is None


def test_what_cannot_be_known_is_kept() -> None:
    assert decide(owned("a"), {"a": "unknown"}) is None
    assert decide(owned("a"), {}) is None


def test_an_owner_in_foreground_deletion_takes_its_dependents_first() -> None:
    assert decide(owned("a"), {"a": "waiting"}) == Collect("Foreground")
    owner = deleted_owner("foregroundDeletion")
    assert next_for_owner(owner, [owned("o", blocks=True)]) is None
    assert next_for_owner(owner, [owned("o")]) == Release("foregroundDeletion")


def test_what_another_owner_keeps_is_not_taken_along() -> None:
    states: dict[str, OwnerState] = {"a": "waiting", "b": "alive", "c": "gone"}
    assert decide(owned("a", "b", "c"), states) == DropOwners(frozenset("ac"))


def test_orphans_are_let_go_before_their_owner() -> None:
    owner = deleted_owner("orphan")
    assert next_for_owner(owner, [owned("o")]) is None
    assert next_for_owner(owner, []) == Release("orphan")


def test_copies_leave_the_original_alone() -> None:
    before = owned("a", "b")
    assert without_owners(before, "ab")["metadata"] == {"name": "d", "uid": "d"}
    assert len(before["metadata"]["ownerReferences"]) == 2
    assert "finalizers" not in without_finalizer(deleted_owner("x"), "x")["metadata"]
