"""API objects read into the scheduler's values. Unknown fields are ignored, absent ones default."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TypeVar

import orjson

from mizzen.base import names, quantity
from mizzen.base.clock import parse_rfc3339
from mizzen.base.images import kind_of_node, kind_of_pod
from mizzen.base.objects import (
    Key,
    Obj,
    annotations_of,
    condition,
    controller_of,
    has_condition,
    is_terminating,
    key_of,
    labels_of,
    uid_of,
)
from mizzen.base.pod_requests import amounts, requests_of
from mizzen.base.reading import text
from mizzen.base.resources import JOBS
from mizzen.scheduler.core.claiming.extended import CLAIM, ContainerRequest, extended_requests_of
from mizzen.scheduler.core.conventions.membership import membership
from mizzen.scheduler.core.disruption_cost import disruption_cost_of
from mizzen.scheduler.core.dra.model import NodeSelector, Toleration
from mizzen.scheduler.core.dra.wire import part, read_selector, read_taints
from mizzen.scheduler.core.neighbours.requirements import neighbours_of
from mizzen.scheduler.core.types import CPU, MEMORY, PODS, NodeView, PodClaim, PodShape, PodSpecView

SCHEDULER_NAMES = frozenset({"", "default-scheduler", "mizzen"})
_FINISHED = frozenset({"Succeeded", "Failed"})
_SETTLED = ("Running", *_FINISHED)
PriorityClasses = Mapping[str, tuple[int, bool, str]]  # name -> value, globalDefault, policy
GATES_SHOWN = 3
ASKED_KEPT = 1024  # different things that pods ask of a node
SHARED_KEPT = 512  # different labels and conditions; those of one template come together
SHARED_BYTES_MAX = 1 << 10  # of one that is kept, as JSON; times make most conditions differ
ASKED_BYTES_MAX = 32 << 10  # of one that is kept, as JSON; pods may have 3 MiB


# -- pods ------------------------------------------------------------------------------


def pod_view(pod: Obj, priorities: PriorityClasses) -> PodSpecView:
    """A pod as the scheduler sees it; its priority is the admitted one, else its class's."""
    spec: Obj = pod["spec"]
    status = part(pod, "status")
    scheduled = condition(pod, "PodScheduled") or {}
    key = key_of(pod)
    member = membership(pod)
    gang = member.gang if member.refused is None else None
    priority, policy = _priority(spec, priorities)
    shape, extended_requests, is_choosy = _asked(spec)
    labels, conditions = labels_of(pod), status.get("conditions") or ()
    if is_settled(pod):  # there are many of them, for long
        labels, conditions = _shared(labels), _shared(conditions)
    return PodSpecView(
        key=key,
        uid=uid_of(pod),
        resource_version=pod["metadata"].get("resourceVersion") or "",
        shape=shape,
        claims=_claims(pod),
        priority=priority,
        created_ns=_created_ns(pod),
        node=sys.intern(text(spec, "nodeName")),
        gang=gang,
        membership=member,
        rank=_rank(pod) if gang is None or "/" not in gang.name else None,
        may_preempt=(spec.get("preemptionPolicy") or policy) != "Never",
        is_terminating=is_terminating(pod),
        is_finished=status.get("phase") in _FINISHED,
        nominated_node=status.get("nominatedNodeName") or "",
        scheduled_message=(
            scheduled.get("message") or "" if scheduled.get("status") == "False" else ""
        ),
        has_record=names.UNSCHEDULABLE in annotations_of(pod),
        cause=annotations_of(pod).get(names.CAUSE, ""),
        disruption_cost=disruption_cost_of(pod),
        conditions=tuple(conditions),
        extended_requests=() if status.get("extendedResourceClaimStatus") else extended_requests,
        is_succeeded=status.get("phase") == "Succeeded",
        held_back="" if spec.get("nodeName") else _held_back(spec),
        job=_job(pod) if gang is not None else "",
        labels=labels,
        neighbours=neighbours_of(spec, key.namespace, labels) if is_choosy else None,
    )


# What a binding changes of a pod, and what no reader looks at.
_OF_METADATA = {"resourceVersion": "", "generation": 0, "managedFields": None}
_OF_SPEC = {"nodeName": ""}
_OF_STATUS = {"phase": "", "conditions": (), "nominatedNodeName": "", "observedGeneration": 0}


def moved_on(view: PodSpecView, before: Obj, pod: Obj) -> PodSpecView | None:
    """As `pod_view`, for a pod that has got a node, conditions or a phase that is no end, and nothing
    else, since `before`, which `view` was read from; None where more has changed."""
    spec, spec_before = pod["spec"], before["spec"]
    if spec.get("priority") is None or spec.get("preemptionPolicy") is None:
        return None  # its PriorityClass has a say
    metadata, status, status_before = pod["metadata"], part(pod, "status"), part(before, "status")
    phase, phase_before = status.get("phase"), status_before.get("phase")
    if (
        (phase != phase_before and not _FINISHED.isdisjoint((phase, phase_before)))
        or {**metadata, **_OF_METADATA} != {**before["metadata"], **_OF_METADATA}
        or {**spec, **_OF_SPEC} != {**spec_before, **_OF_SPEC}
        or {**status, **_OF_STATUS} != {**status_before, **_OF_STATUS}
    ):
        return None
    scheduled = condition(pod, "PodScheduled") or {}
    conditions = status.get("conditions") or ()
    return replace(
        view,
        resource_version=metadata.get("resourceVersion") or "",
        node=sys.intern(text(spec, "nodeName")),
        nominated_node=status.get("nominatedNodeName") or "",
        scheduled_message=(
            scheduled.get("message") or "" if scheduled.get("status") == "False" else ""
        ),
        conditions=tuple(_shared(conditions) if is_settled(pod) else conditions),
        labels=_shared(view.labels) if is_settled(pod) else view.labels,
        held_back="" if spec.get("nodeName") else _held_back(spec),
    )


def is_settled(pod: Obj) -> bool:
    """Its agent has taken it on: it will hardly change until it is finished or leaves."""
    try:
        return pod["status"].get("phase") in _SETTLED and bool(pod["spec"].get("nodeName"))
    except (KeyError, AttributeError):
        return False


def wants_placing(pod: Obj) -> bool:
    """It is ours to place: unbound, alive, not gated, and its schedulerName means us."""
    spec: Obj = pod["spec"]
    return (
        not spec.get("nodeName")
        and not spec.get("schedulingGates")
        and not is_terminating(pod)
        and part(pod, "status").get("phase") not in _FINISHED
        and (spec.get("schedulerName") or "") in SCHEDULER_NAMES
    )


def _held_back(spec: Obj) -> str:
    """By what a pod is kept from being placed here, "" if by nothing."""
    gates: list[Obj] = spec.get("schedulingGates") or []
    if gates:
        return f"scheduling gate {', '.join(gate['name'] for gate in gates[:GATES_SHOWN])}"
    scheduler = spec.get("schedulerName") or ""
    return "" if scheduler in SCHEDULER_NAMES else f"schedulerName {scheduler}"


def _priority(spec: Obj, priorities: PriorityClasses) -> tuple[int, str]:
    value, _, policy = priorities.get(spec.get("priorityClassName") or "", (None, False, ""))
    if spec.get("priority") is not None:
        return int(spec["priority"]), policy
    if value is None:
        defaults = [(v, p) for v, is_default, p in priorities.values() if is_default]
        return min(defaults) if defaults else (0, "")
    return value, policy


def _asked(spec: Obj) -> _Asked:
    """The pod's requests of its node, and whether it asks anything of its neighbours.

    Many pods ask the same: it is read once from the fields that count, without those that differ
    from pod to pod.
    """
    try:
        cut = orjson.dumps(_cut(spec))
    except TypeError:  # it holds what JSON cannot
        return _shape(spec), extended_requests_of(spec), True
    return _asked_by(cut) if len(cut) <= ASKED_BYTES_MAX else _read(cut)


def _cut(spec: Obj) -> Obj:
    """As much of a pod's spec as `_shape`, `extended_requests_of` and `neighbours_of` look at."""
    cut = {field: spec[field] for field in _ASKING if field in spec}
    for field in ("initContainers", "containers"):
        if field in spec:
            cut[field] = [
                {name: value for name, value in each.items() if name in _ASKING_OF_CONTAINER}
                for each in spec[field] or ()
            ]
    return cut


_ASKING = (
    "affinity",
    "nodeSelector",
    "overhead",
    "resources",
    "runtimeClassName",
    "tolerations",
    "topologySpreadConstraints",
)
_ASKING_OF_CONTAINER = frozenset({"image", "name", "ports", "resources", "restartPolicy"})
_Value = TypeVar("_Value")
_Asked = tuple[PodShape, tuple[ContainerRequest, ...], bool]


def _read(cut: bytes) -> _Asked:
    spec: Obj = orjson.loads(cut)
    return _shape(spec), extended_requests_of(spec), neighbours_of(spec, "", {}) is not None


_asked_by = lru_cache(ASKED_KEPT)(_read)


def _shape(spec: Obj) -> PodShape:
    affinity = part(
        part(part(spec, "affinity"), "nodeAffinity"),
        "requiredDuringSchedulingIgnoredDuringExecution",
    )
    return PodShape(
        requests=tuple(sorted(requests_of(spec).items())),
        node_selector=tuple(sorted(part(spec, "nodeSelector").items())),
        affinity=node_selector(affinity) if affinity else None,
        tolerations=tolerations(spec.get("tolerations") or ()),
        images=kind_of_pod(spec),
    )


def _claims(pod: Obj) -> tuple[PodClaim, ...]:
    """Source: k8s.io/dynamic-resource-allocation/resourceclaim.Name, v1.36."""
    statuses: list[Obj] = part(pod, "status").get("resourceClaimStatuses") or []
    made: dict[str, str] = {e["name"]: text(e, "resourceClaimName") for e in statuses}
    namespace = key_of(pod).namespace
    result: list[PodClaim] = []
    for entry in pod["spec"].get("resourceClaims") or ():
        name = entry["name"]
        fixed = text(entry, "resourceClaimName")
        claim = fixed or made.get(name)
        result.append(
            PodClaim(
                name=name,
                claim=Key(namespace, claim) if claim else None,
                is_generated=not fixed,
                not_needed=not fixed and name in made and not made[name],
                containers=_containers(pod["spec"], name),
            )
        )
    extended = part(part(pod, "status"), "extendedResourceClaimStatus").get("resourceClaimName")
    if extended:
        result.append(PodClaim(CLAIM, Key(namespace, extended), is_generated=True))
    return tuple(result)


def _rank(pod: Obj) -> int | None:
    """The place in an indexed gang: its completion index."""
    index = names.COMPLETION_INDEX
    text = labels_of(pod).get(index) or annotations_of(pod).get(index) or ""
    return int(text) if text.isdecimal() else None


def _job(pod: Obj) -> str:
    owner = controller_of(pod)
    return sys.intern(owner["uid"]) if owner is not None and owner.get("kind") == JOBS.kind else ""


def _shared(value: _Value) -> _Value:
    """One for all that are equal, as labels and conditions of pods of one template mostly are."""
    text = orjson.dumps(value)
    return _parsed(text) if len(text) <= SHARED_BYTES_MAX else value


_parsed = lru_cache(SHARED_KEPT)(orjson.loads)


def _containers(spec: Obj, claim: str) -> tuple[str, ...]:
    """The containers that use an entry of spec.resourceClaims, init containers first."""
    return tuple(
        container["name"]
        for field in ("initContainers", "containers")
        for container in spec.get(field) or ()
        if any(use.get("name") == claim for use in part(container, "resources").get("claims") or ())
    )


def _created_ns(pod: Obj) -> int:
    text = pod["metadata"].get("creationTimestamp")
    return parse_rfc3339(text) if text else 0


# -- priorities, nodes ----------------------------------------------------------------------


def priority_classes(objects: Iterable[Obj]) -> dict[str, tuple[int, bool, str]]:
    return {
        item["metadata"]["name"]: (
            int(item.get("value") or 0),
            bool(item.get("globalDefault")),
            item.get("preemptionPolicy") or "",
        )
        for item in objects
    }


def node_view(node: Obj) -> NodeView:
    """A node; one without a Ready condition counts as ready, one with Ready other than True not."""
    status, spec = part(node, "status"), part(node, "spec")
    capacity = part(status, "capacity")
    allocatable = amounts(status.get("allocatable") or capacity)
    allocatable.setdefault(MEMORY, 0)
    allocatable.setdefault(PODS, 110)
    ready = condition(node, "Ready")
    return NodeView(
        name=node["metadata"]["name"],
        labels=labels_of(node),
        taints=read_taints(spec.get("taints") or ()),
        allocatable=allocatable,
        capacity_cpu_milli=quantity.to_milli(capacity.get(CPU) or 0),
        is_unschedulable=bool(spec.get("unschedulable")),
        is_ready=ready is None or has_condition(node, "Ready"),
        images=kind_of_node(node),
    )


# -- parts -----------------------------------------------------------------------------------


def tolerations(entries: Iterable[Obj]) -> tuple[Toleration, ...]:
    return tuple(
        Toleration(
            e.get("key") or "",
            e.get("operator") or "Equal",
            e.get("value") or "",
            e.get("effect") or "",
        )
        for e in entries
    )


def node_selector(selector: Obj) -> NodeSelector:
    """A core/v1 NodeSelector; an empty term matches nothing and is left out."""
    return tuple(term for term in read_selector(selector) if term)
