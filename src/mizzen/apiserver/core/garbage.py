"""Decides the fate of dependents when an owner is deleted.

Source: kubernetes pkg/controller/garbagecollector: an object goes when none of its owners is
left; `foregroundDeletion` makes an owner wait for the dependents that block it; `orphan` makes
the dependents forget it first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from mizzen.apiserver.core.stamping import FOREGROUND, ORPHAN
from mizzen.base.objects import Obj

OwnerState = Literal["alive", "gone", "waiting", "unknown"]


@dataclass(frozen=True, slots=True)
class Collect:
    """Delete the object, in the background or the foreground."""

    propagation: str


@dataclass(frozen=True, slots=True)
class DropOwners:
    """Take these owners (UIDs) out of the object's ownerReferences."""

    uids: frozenset[str]


@dataclass(frozen=True, slots=True)
class Release:
    """Take this finalizer off the owner: nothing holds it any more."""

    finalizer: str


def owners_of(obj: Obj) -> list[Obj]:
    return obj["metadata"].get("ownerReferences") or []


def is_waiting(owner: Obj) -> bool:
    """True if an owner is being deleted in the foreground."""
    metadata = owner["metadata"]
    return bool(metadata.get("deletionTimestamp")) and FOREGROUND in (
        metadata.get("finalizers") or ()
    )


def decide(obj: Obj, states: Mapping[str, OwnerState]) -> Collect | DropOwners | None:
    """The action due for an object, given the states of its owners (by UID).

    An owner of a kind that is not served is "unknown" and counts as alive: better to keep
    something too long than to delete what somebody needs.
    """
    owners = owners_of(obj)
    if not owners or obj["metadata"].get("deletionTimestamp"):
        return None
    found = {owner["uid"]: states.get(owner["uid"], "unknown") for owner in owners}
    if any(state in ("alive", "unknown") for state in found.values()):
        # One that waits for its dependents does not take those along that another keeps.
        lost = frozenset(uid for uid, state in found.items() if state in ("gone", "waiting"))
        return DropOwners(lost) if lost else None
    if "waiting" in found.values():
        return Collect("Foreground")
    return Collect("Background")


def next_for_owner(owner: Obj, dependents: Iterable[Obj]) -> Release | None:
    """The finalizer that a deleted owner may lose, once its dependents are dealt with.

    Of the dependents it reads no more than it needs to know that one holds the owner.
    """
    metadata = owner["metadata"]
    finalizers = metadata.get("finalizers") or ()
    if not metadata.get("deletionTimestamp"):
        return None
    uid = metadata["uid"]
    if ORPHAN in finalizers:
        return Release(ORPHAN) if all(not is_owned_by(each, uid) for each in dependents) else None
    if FOREGROUND in finalizers and not any(blocks(each, uid) for each in dependents):
        return Release(FOREGROUND)
    return None


def wants_orphans(owner: Obj) -> bool:
    """True if the dependents must drop this owner before it goes."""
    metadata = owner["metadata"]
    return bool(metadata.get("deletionTimestamp")) and ORPHAN in (metadata.get("finalizers") or ())


def without_owners(obj: Obj, uids: Iterable[str]) -> Obj:
    """A copy of the object without these owners."""
    gone = frozenset(uids)
    metadata = dict(obj["metadata"])
    kept = [owner for owner in owners_of(obj) if owner["uid"] not in gone]
    if kept:
        metadata["ownerReferences"] = kept
    else:
        metadata.pop("ownerReferences", None)
    return {**obj, "metadata": metadata}


def unblocking(obj: Obj) -> Obj:
    """A copy of the object for which no owner waits any more."""
    owners = [{**owner, "blockOwnerDeletion": False} for owner in owners_of(obj)]
    return {**obj, "metadata": {**obj["metadata"], "ownerReferences": owners}}


def without_finalizer(obj: Obj, finalizer: str) -> Obj:
    """A copy of the object without this finalizer."""
    metadata = dict(obj["metadata"])
    kept = [name for name in metadata.get("finalizers") or () if name != finalizer]
    if kept:
        metadata["finalizers"] = kept
    else:
        metadata.pop("finalizers", None)
    return {**obj, "metadata": metadata}


def is_owned_by(dependent: Obj, uid: str) -> bool:
    return any(owner["uid"] == uid for owner in owners_of(dependent))


def blocks(dependent: Obj, uid: str) -> bool:
    """True if an owner that is deleted in the foreground waits for this dependent."""
    return any(
        owner["uid"] == uid and owner.get("blockOwnerDeletion") for owner in owners_of(dependent)
    )
