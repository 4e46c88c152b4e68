"""Claims that the pods of a PodGroup share: reserved for the group, once, not for each pod.

A pod's claim is its group's when both name it alike, in an entry of the same name.
Source: KEP-5729, DRAWorkloadResourceClaims; dynamic-resource-allocation resourceclaim.BindTo, 1.36.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from mizzen.base.objects import Key, Obj, key_of, name_of, uid_of
from mizzen.base.reading import entries
from mizzen.base.resources import POD_GROUPS
from mizzen.scheduler.core.types import Consumer, PodSpecView


@dataclass(frozen=True, slots=True)
class GroupClaims:
    """The consumer, and the group's claims as (entry, claim), as far as they are made."""

    consumer: Consumer
    claims: frozenset[tuple[str, Key]]


def group_claims(group: Obj) -> GroupClaims | None:
    """The claims of one PodGroup; None when it has none."""
    listed = entries(group, "spec", "resourceClaims")
    if not listed:
        return None
    namespace = key_of(group).namespace
    made = {
        str(e["name"]): str(e.get("resourceClaimName") or "")
        for e in entries(group, "status", "resourceClaimStatuses")
    }
    named = [(str(e["name"]), str(e.get("resourceClaimName") or "")) for e in listed]
    claims = [(entry, name or made.get(entry, "")) for entry, name in named]
    return GroupClaims(
        Consumer(name_of(group), uid_of(group), POD_GROUPS.plural, POD_GROUPS.group),
        frozenset((entry, Key(namespace, name)) for entry, name in claims if name),
    )


def with_group_claims(pod: PodSpecView, group: GroupClaims) -> PodSpecView:
    """The pod, told which of its claims are its PodGroup's."""
    claims = tuple(
        replace(entry, shared_by=group.consumer)
        if entry.claim is not None and (entry.name, entry.claim) in group.claims
        else entry
        for entry in pod.claims
    )
    return replace(pod, claims=claims) if claims != pod.claims else pod
