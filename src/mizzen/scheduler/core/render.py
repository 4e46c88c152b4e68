"""Decisions written as API operations and Events. All of one decision commit together.

A claim gets upstream's finalizer with its allocation: deleted while in use, it must not vanish,
or its devices would look free. The claim controller takes both off together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from mizzen.base import names
from mizzen.base.clock import rfc3339
from mizzen.base.objects import Key, Obj, with_condition
from mizzen.base.operations import Bind, Create, Delete, Operation, Patch
from mizzen.base.resources import PODS, RESOURCE_CLAIMS
from mizzen.scheduler.core.binding_conditions import FAILED
from mizzen.scheduler.core.cluster.state import Cluster
from mizzen.scheduler.core.dra.model import (
    Allocation,
    DeviceResult,
    NodeRequirement,
    NodeSelector,
)
from mizzen.scheduler.core.extended import Extended, claim_object, status_object
from mizzen.scheduler.core.types import Claim, Consumer, Note, Placement, PodSpecView


def bind_operations(
    cluster: Cluster, placements: Sequence[Placement], now_ns: int
) -> tuple[Operation, ...]:
    """Claims first, then the bindings."""
    bindings = [
        Bind(p.pod.key.namespace, p.pod.key.name, p.node, uid=p.pod.uid) for p in placements
    ]
    return (*claim_operations(cluster, placements, now_ns), *bindings)


def claim_operations(
    cluster: Cluster, placements: Sequence[Placement], now_ns: int
) -> tuple[Operation, ...]:
    """What the pods' claims are given, each written once whoever shares it."""
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
    for key, found in consumers.items():
        claim = cluster.claims[key].claim
        if claim.is_unmade:
            claim = replace(claim, finalizers=(names.CLAIM_FINALIZER,))
        operations += _claim_patches(claim, list(found.values()), allocated.get(key), now_ns)
    return tuple(operations)


def _make_claim(
    pod: PodSpecView, claim: Claim, extended: Extended, allocatable: Mapping[str, int]
) -> list[Operation]:
    """The claim for what a pod asks by name, and the pod's status that tells of it."""
    spec, mappings = extended.spec_on(allocatable)
    status: Obj = {"extendedResourceClaimStatus": status_object(claim.key, mappings)}
    namespace, name = pod.key.namespace, pod.key.name
    tell = Patch(PODS, namespace, name, {"status": status}, subresource="status", uid=pod.uid)
    if not claim.is_unmade:
        return [tell]
    made = claim_object(claim.key, pod.key, pod.uid, spec)
    made["metadata"]["finalizers"] = [names.CLAIM_FINALIZER]
    return [Create(RESOURCE_CLAIMS, made), tell]


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
    namespace, name, version = claim.key.namespace, claim.key.name, claim.resource_version
    operations: list[Operation] = []
    if allocation is not None:
        status["allocation"] = allocation_object(allocation, now_ns)
        if names.CLAIM_FINALIZER not in claim.finalizers:
            finalizers = [*claim.finalizers, names.CLAIM_FINALIZER]
            protect: Obj = {"metadata": {"finalizers": finalizers}}
            operations.append(
                Patch(
                    RESOURCE_CLAIMS,
                    namespace,
                    name,
                    protect,
                    resource_version=version,
                    uid=claim.uid,
                )
            )
            version = ""
    operations.append(
        Patch(
            RESOURCE_CLAIMS,
            namespace,
            name,
            {"status": status},
            subresource="status",
            resource_version=version,
            uid=claim.uid,
        )
    )
    return operations


def _consumer_object(consumer: Consumer) -> Obj:
    obj: Obj = {"resource": consumer.resource, "name": consumer.name, "uid": consumer.uid}
    return {"apiGroup": consumer.api_group, **obj} if consumer.api_group else obj


def allocation_object(allocation: Allocation, now_ns: int) -> Obj:
    """`status.allocation` of resource.k8s.io/v1."""
    devices: Obj = {"results": [_result_object(result) for result in allocation.results]}
    if allocation.config:
        devices["config"] = list(allocation.config)
    obj: Obj = {"devices": devices, "allocationTimestamp": rfc3339(now_ns)}
    if allocation.selector is not None:
        obj["nodeSelector"] = _selector_object(allocation.selector)
    return obj


def _result_object(result: DeviceResult) -> Obj:
    entry: Obj = {
        "request": result.request,
        "driver": result.id.driver,
        "pool": result.id.pool,
        "device": result.id.device,
    }
    for field, conditions in (
        ("bindingConditions", result.bindings),
        ("bindingFailureConditions", result.binding_failures),
    ):
        if conditions:
            entry[field] = list(conditions)
    return entry


def _selector_object(selector: NodeSelector) -> Obj:
    def part(requirement: NodeRequirement) -> Obj:
        entry: Obj = {"key": requirement.key, "operator": requirement.operator}
        if requirement.values:
            entry["values"] = list(requirement.values)
        return entry

    terms: list[Obj] = []
    for term in selector:
        obj: Obj = {}
        for requirement in term:
            field = "matchFields" if requirement.is_field else "matchExpressions"
            obj.setdefault(field, []).append(part(requirement))
        terms.append(obj)
    return {"nodeSelectorTerms": terms}


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
                pod.key.namespace,
                pod.key.name,
                {"metadata": {"annotations": {names.CAUSE: cause or message}}},
                uid=pod.uid,
            ),
            Delete(PODS, pod.key.namespace, pod.key.name, uid=pod.uid),
        ]
    return tuple(operations)


def pending_operation(
    pod: PodSpecView,
    message: str,
    now_ns: int,
    *,
    nominated: str | None = None,
    reason: str = "Unschedulable",
) -> Patch:
    """PodScheduled=False with its reason and, where a place is kept, the node it is on."""
    unscheduled: Obj = {
        "type": "PodScheduled",
        "status": "False",
        "reason": reason,
        "message": message,
        "lastTransitionTime": rfc3339(now_ns),
    }
    if reason == FAILED:
        unscheduled["lastProbeTime"] = rfc3339(now_ns)  # the next attempt counts from it
    return _status_patch(pod, unscheduled, nominated)


def _status_patch(pod: PodSpecView, condition: Obj, nominated: str | None = None) -> Patch:
    status: Obj = {"conditions": with_condition(pod.conditions, condition)}
    if nominated is not None:
        status["nominatedNodeName"] = nominated or None
    return Patch(
        PODS,
        pod.key.namespace,
        pod.key.name,
        {"status": status},
        subresource="status",
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
