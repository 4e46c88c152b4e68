"""Decisions written as API operations and Events. All of one decision commit together.

A claim gets upstream's finalizer with its allocation: deleted while in use, it must not vanish,
or its devices would look free. The claim controller takes both off together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Literal

from mizzen.base import names
from mizzen.base.clock import rfc3339
from mizzen.base.objects import Key, Obj, with_condition
from mizzen.base.operations import Bind, Create, Delete, Operation, Patch
from mizzen.base.quantity import format_bytes, format_milli
from mizzen.base.resources import PODS, RESOURCE_CLAIMS
from mizzen.scheduler.core.claiming.binding_conditions import FAILED
from mizzen.scheduler.core.claiming.extended import CLAIM, Extended, claim_object, status_object
from mizzen.scheduler.core.cluster.state import Cluster
from mizzen.scheduler.core.dra.model import Allocation
from mizzen.scheduler.core.dra.result import allocation_object
from mizzen.scheduler.core.types import CPU, Claim, Consumer, Note, Placement, PodSpecView


def bind_operations(
    cluster: Cluster, placements: Sequence[Placement], now_ns: int
) -> tuple[Operation, ...]:
    """Claims first, then the bindings."""
    bindings = [Bind(*p.pod.key, p.node, uid=p.pod.uid) for p in placements]
    return (*claim_operations(cluster, placements, now_ns), *bindings)


def claim_operations(
    cluster: Cluster, placements: Sequence[Placement], now_ns: int
) -> tuple[Operation, ...]:
    """Writes the pods' claims with what they are given, each once whoever shares it."""
    allocated = {key: a for placement in placements for key, a in placement.allocations}
    operations: list[Operation] = []
    consumers: dict[Key, dict[str, Consumer]] = {}  # by uid
    for placement in placements:
        for entry in placement.pod.claims:
            if entry.claim is None:
                continue
            claim = cluster.claims[entry.claim].claim
            if claim.is_unmade and entry.claim not in allocated:
                continue  # the node offers by device plugins what it would have asked for
            pod = placement.pod
            consumer = entry.shared_by or Consumer(pod.key.name, pod.uid)
            consumers.setdefault(entry.claim, {})[consumer.uid] = consumer
            if entry.extended is not None:
                allocatable = cluster.node(placement.node).allocatable
                operations += _make_claim(placement.pod, claim, entry.extended, allocatable)
        operations += _node_status(cluster, placement, allocated)
    for key, found in consumers.items():
        claim = cluster.claims[key].claim
        if claim.is_unmade:
            claim = replace(claim, finalizers=(names.CLAIM_FINALIZER,))
        operations += _claim_patches(claim, list(found.values()), allocated.get(key), now_ns)
    return tuple(operations)


def _node_status(
    cluster: Cluster, placement: Placement, allocated: Mapping[Key, Allocation]
) -> list[Operation]:
    """The pod's status tells what its claims' devices take of the node's own resources.

    Source: buildNodeAllocatableDRAInfo of the scheduler plugin dynamicresources, 1.36. Claims made
    for resources asked by name are left out: the API server takes only those the pod lists.
    """
    number = cluster.nodes.index[placement.node]
    signature = cluster.nodes.sigs[number]
    if signature is None or not signature.layout.takes_more:
        return []
    statuses: dict[str, Obj] = {}
    for entry in placement.pod.claims:
        if entry.claim is None or entry.name == CLAIM or not entry.containers:
            continue
        allocation = allocated.get(entry.claim) or cluster.claims[entry.claim].allocation
        amounts: dict[str, int] = {}
        for result in allocation.results if allocation is not None else ():
            found = cluster.holdings.locate(result.id)
            if found is None or found[0] != number or result.admin:
                continue
            shared = tuple((n, a.nano) for n, a in result.consumed) if result.shared else None
            for name, amount in signature.layout.uses(found[1], shared):
                amounts[name] = amounts.get(name, 0) + amount
        if amounts:
            texts = {
                name: format_milli(amount) if name == CPU else format_bytes(amount)
                for name, amount in sorted(amounts.items())
            }
            before = statuses.get(entry.claim.name, {}).get("containers", [])
            containers = list(dict.fromkeys([*before, *entry.containers]))
            statuses[entry.claim.name] = {
                "resourceClaimName": entry.claim.name,
                "containers": containers,
                "resources": texts,
            }
    if not statuses:
        return []
    status: Obj = {
        "nodeAllocatableResourceClaimStatuses": [statuses[name] for name in sorted(statuses)]
    }
    pod = placement.pod
    return [Patch(PODS, *pod.key, {"status": status}, "status", uid=pod.uid)]


def _make_claim(
    pod: PodSpecView, claim: Claim, extended: Extended, allocatable: Mapping[str, int]
) -> list[Operation]:
    """The claim for what a pod asks by name, and the pod's status that tells of it."""
    spec, mappings = extended.spec_on(allocatable)
    status: Obj = {"extendedResourceClaimStatus": status_object(claim.key, mappings)}
    status_patch = Patch(PODS, *pod.key, {"status": status}, "status", uid=pod.uid)
    if not claim.is_unmade:
        return [status_patch]
    made = claim_object(claim.key, pod.key, pod.uid, spec)
    made["metadata"]["finalizers"] = [names.CLAIM_FINALIZER]
    return [Create(RESOURCE_CLAIMS, made), status_patch]


def _claim_patches(
    claim: Claim, consumers: Sequence[Consumer], allocation: Allocation | None, now_ns: int
) -> list[Operation]:
    """The first write rests on the version seen; one after it is in the same plan."""
    known = {consumer.uid for consumer in claim.reserved_for}
    added = [consumer for consumer in consumers if consumer.uid not in known]
    if allocation is None and not added:
        return []
    # A claim allocated now has no users but these; a shared one keeps those it has.
    listed = consumers if allocation is not None else [*claim.reserved_for, *added]
    status: Obj = {"reservedFor": [_consumer_object(consumer) for consumer in listed]}
    version = claim.resource_version
    operations: list[Operation] = []
    if allocation is not None:
        given = allocation_object(allocation, _share_ids(claim, now_ns))
        status["allocation"] = {**given, "allocationTimestamp": rfc3339(now_ns)}
        if names.CLAIM_FINALIZER not in claim.finalizers:
            finalizers = [*claim.finalizers, names.CLAIM_FINALIZER]
            protect: Obj = {"metadata": {"finalizers": finalizers}}
            operations.append(claim_patch(claim, protect, version=version))
            version = ""
    operations.append(claim_patch(claim, {"status": status}, "status", version))
    return operations


def claim_patch(
    claim: Claim, patch: Obj, subresource: Literal["", "status"] = "", version: str = ""
) -> Patch:
    """Changes this claim and no other of its name; with `version`, only as it was seen."""
    uid = claim.uid
    return Patch(RESOURCE_CLAIMS, *claim.key, patch, subresource, resource_version=version, uid=uid)


def _consumer_object(consumer: Consumer) -> Obj:
    obj: Obj = {"resource": consumer.resource, "name": consumer.name, "uid": consumer.uid}
    return {"apiGroup": consumer.api_group, **obj} if consumer.api_group else obj


def _share_ids(claim: Claim, now_ns: int) -> Iterator[str]:
    """Names of shares of devices that no other allocation has: UUIDs, the same when asked again."""
    for number in count():
        text = f"{claim.uid}/{claim.key}/{now_ns}/{number}"
        word = hashlib.sha256(text.encode()).hexdigest()
        yield f"{word[:8]}-{word[8:12]}-{word[12:16]}-{word[16:20]}-{word[20:32]}"


def evict_operations(
    victims: Iterable[PodSpecView], message: str, cause: str, now_ns: int
) -> tuple[Operation, ...]:
    """Each victim learns why (condition, annotation) in the write that starts its end.

    The first write of a pod rests on the version seen; those after it are in the same plan.
    """
    operations: list[Operation] = []
    for pod in victims:
        target = {
            "type": names.DISRUPTION_TARGET,
            "status": "True",
            "reason": names.PREEMPTION_BY_SCHEDULER,
            "message": message,
            "lastTransitionTime": rfc3339(now_ns),
        }
        operations += [
            _status_patch(pod, target),
            Patch(
                PODS,
                *pod.key,
                {"metadata": {"annotations": {names.CAUSE: cause or message}}},
                uid=pod.uid,
            ),
            Delete(PODS, *pod.key, uid=pod.uid),
        ]
    return tuple(operations)


def pending_operation(
    pod: PodSpecView,
    message: str,
    now_ns: int,
    *,
    nominated: str | None = None,
    reason: str = "Unschedulable",
    record: str = "",
) -> Patch:
    """PodScheduled=False with its reason and, where a place is kept, the node it is on.

    `record` is the reason as `explaining/record.py` writes it; the write before leaves none behind.
    """
    unscheduled: Obj = {
        "type": "PodScheduled",
        "status": "False",
        "reason": reason,
        "message": message,
        "lastTransitionTime": rfc3339(now_ns),
    }
    if reason == FAILED:
        unscheduled["lastProbeTime"] = rfc3339(now_ns)  # the next attempt counts from it
    patch = _status_patch(pod, unscheduled, nominated)
    if not record and not pod.has_record:
        return patch
    annotations: Obj = {names.UNSCHEDULABLE: record or None}
    return replace(patch, patch={"metadata": {"annotations": annotations}, **patch.patch})


def _status_patch(pod: PodSpecView, condition: Obj, nominated: str | None = None) -> Patch:
    status: Obj = {"conditions": with_condition(pod.conditions, condition)}
    if nominated is not None:
        status["nominatedNodeName"] = nominated or None
    return Patch(
        PODS,
        *pod.key,
        {"status": status},
        "status",
        resource_version=pod.resource_version,
        uid=pod.uid,
    )


def scheduled_notes(placements: Iterable[Placement]) -> tuple[Note, ...]:
    return tuple(
        Note(p.pod.about, "Normal", "Scheduled", f"Successfully assigned {p.pod.key} to {p.node}")
        for p in placements
    )


def preempted_notes(victims: Iterable[PodSpecView], message: str) -> tuple[Note, ...]:
    return tuple(Note(pod.about, "Normal", "Preempted", message) for pod in victims)


def failed_note(pod: PodSpecView, message: str) -> Note:
    return Note(pod.about, "Warning", "FailedScheduling", message)
