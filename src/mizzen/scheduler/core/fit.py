"""Whether a pod fits a node as the room stands, and if not, why: one value either way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mizzen.base import names
from mizzen.base.objects import Key
from mizzen.scheduler.core.devices import Refusal, Shortage, allocate, refusal
from mizzen.scheduler.core.dra.model import (
    Allocation,
    ClaimRequest,
    DeviceClass,
    DeviceId,
    SelectorError,
)
from mizzen.scheduler.core.matching import selects, untolerated
from mizzen.scheduler.core.room import Room
from mizzen.scheduler.core.types import CPU, NodeView, Placement, PodShape, PodSpecView

RESERVED_FOR_MAX = 256  # pods that may share one claim, resource.k8s.io/v1


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why one node does not take the pod; `want` and `have` are in the unit of `what`."""

    word: str
    what: str = ""
    want: int = 0
    have: int = 0
    shortage: Shortage | None = None


def static_misfit(shape: PodShape, node: NodeView) -> Misfit | None:
    """What keeps pods of this shape off the node however empty it is: labels, taints, state."""
    if node.is_unschedulable:
        return Misfit("NodeUnschedulable")
    if not node.is_ready:
        return Misfit("NodeNotReady")
    for key, value in shape.node_selector:
        if node.labels.get(key) != value:
            return Misfit("NodeSelectorMismatch", f"{key}={value}")
    if shape.affinity is not None and not selects(shape.affinity, node):
        return Misfit("NodeAffinityMismatch")
    taint = untolerated(node.taints, shape.tolerations)
    if taint is not None:
        return Misfit("TaintNotTolerated", f"{taint.key}={taint.value}:{taint.effect}")
    return None


def fit(room: Room, pod: PodSpecView, node: NodeView) -> Placement | Misfit:
    """The pod's placement on this node, or the first thing in its way. Does not change the room."""
    misfit = static_misfit(pod.shape, node) or _amounts_misfit(room, pod, node)
    if misfit is not None:
        return misfit
    found = _allocate_claims(room, pod, node)
    if isinstance(found, Misfit):
        return found
    return _cpu_misfit(room, pod, node, found) or Placement(pod, node.name, found)


def _amounts_misfit(room: Room, pod: PodSpecView, node: NodeView) -> Misfit | None:
    """Everything counted but CPU, which depends on the claims."""
    free = room.free[node.name]
    for name, want in pod.shape.requests:
        have = free.get(name, 0)
        if name == CPU or want <= have:
            continue
        if name not in node.allocatable and _is_claimed(pod, name):
            continue  # no device plugin offers it here: devices do
        device_class = _class_for(name, room.catalogue.classes)
        if device_class and pod.claims and name not in node.allocatable:
            continue  # the claim made for it says the same
        return Misfit("InsufficientResource", name, want, max(0, have))
    return None


def _is_claimed(pod: PodSpecView, resource: str) -> bool:
    return any(c.extended is not None and c.extended.covers(resource) for c in pod.claims)


def _class_for(resource: str, classes: Mapping[str, DeviceClass]) -> str:
    """The class that hands out an extended resource such as nvidia.com/gpu, if there is one."""
    for item in classes.values():
        if item.extended_resource == resource:
            return item.name
    return ""


def _allocate_claims(
    room: Room, pod: PodSpecView, node: NodeView
) -> tuple[tuple[Key, Allocation], ...] | Misfit:
    wanted: list[tuple[Key, ClaimRequest]] = []
    for entry in pod.claims:
        if entry.claim is None:
            continue
        state = room.claims[entry.claim]
        if state.claim.is_unmade and state.allocation is None and entry.extended is not None:
            request = entry.extended.request_on(node.allocatable)
            if request is not None:
                wanted.append((entry.claim, request))
        elif state.allocation is None:
            wanted.append((entry.claim, state.claim.request))
        elif state.allocation.selector is not None and not selects(state.allocation.selector, node):
            return Misfit("ClaimElsewhere", str(entry.claim))
        elif not state.users and any(room.in_use[r.id] > 1 for r in state.allocation.results):
            return Misfit("ClaimPromised", str(entry.claim))  # idle, and somebody waits for it
        elif len(state.users | {pod.uid}) > RESERVED_FOR_MAX:
            return Misfit("ClaimFull", str(entry.claim), RESERVED_FOR_MAX + 1, RESERVED_FOR_MAX)
    if not wanted:
        return ()
    requests = [request for _, request in wanted]
    refused = refusal(requests, room.catalogue.classes)
    if refused is not None:
        return Misfit(refused.word, refused.detail)
    try:
        found = allocate(requests, node, room.catalogue, room.in_use, room.crowding(pod))
    except SelectorError as error:
        return Misfit("SelectorError", str(error))
    if isinstance(found, Refusal):
        return Misfit(found.word, found.detail)
    if isinstance(found, Shortage):
        return Misfit("InsufficientDevices", found.device_class, shortage=found)
    return tuple((key, allocation) for (key, _), allocation in zip(wanted, found, strict=True))


def _cpu_misfit(
    room: Room,
    pod: PodSpecView,
    node: NodeView,
    allocations: tuple[tuple[Key, Allocation], ...],
) -> Misfit | None:
    """A core is claimed or shared: claims may not take CPU that unclaimed pods asked for."""
    ids = [result.id for _, allocation in allocations for result in allocation.results]
    claimed = sum(_cpu_of(room, device) for device in ids)
    own_core = room.holds_core(pod) or any(i.driver == names.CPU_DRIVER for i in ids)
    asked = 0 if own_core else dict(pod.shape.requests).get(CPU, 0)
    want, have = claimed + asked, room.free[node.name][CPU]
    return Misfit("InsufficientCPU", CPU, want, max(0, have)) if want > max(0, have) else None


def _cpu_of(room: Room, device: DeviceId) -> int:
    found = room.catalogue.by_id.get(device)
    return found.cpu_milli if found else 0
