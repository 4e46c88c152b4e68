"""Whether one pod fits one node as everything stands, asked of the node itself.

For what counting cannot describe: claims that are allocated or shared, devices that several nodes
reach, pods that name nodes. Same answers, slower.
"""

from __future__ import annotations

from dataclasses import replace

from mizzen.base import names
from mizzen.base.objects import Key
from mizzen.scheduler.core.cluster.layouts import allocate_claims
from mizzen.scheduler.core.cluster.signatures import CPU_INDEX, Shape
from mizzen.scheduler.core.devices import Catalogue
from mizzen.scheduler.core.dra.model import Allocation, ClaimRequest, Device, DeviceId, Pool
from mizzen.scheduler.core.matching import selects
from mizzen.scheduler.core.misfit import Misfit, static_misfit
from mizzen.scheduler.core.placing.room import Room
from mizzen.scheduler.core.types import CPU, NodeView, Placement, PodSpecView

RESERVED_FOR_MAX = 256  # pods that may share one claim, resource.k8s.io/v1


def fit(room: Room, pod: PodSpecView, shape: Shape, node: int) -> Placement | Misfit:
    """The pod's placement on this node, or the first thing in its way. Changes nothing."""
    cluster = room.cluster
    view, signature = cluster.nodes.views[node], cluster.nodes.sigs[node]
    assert signature is not None
    misfit = static_misfit(pod.shape, view) or cluster.signatures.amounts_misfit(shape, signature)
    if misfit is not None:
        return misfit
    found = _allocate(room, pod, shape, node)
    if isinstance(found, Misfit):
        return found
    devices = [result.id for _, allocation in found for result in allocation.results]
    claimed = sum(_cpu_of(room, device) for device in devices)
    held = [r.id for a in cluster.allocations_of(pod) for r in a.results]
    own_core = any(device.driver == names.CPU_DRIVER for device in (*devices, *held))
    want = claimed + (0 if own_core else shape.cpu)
    have = max(0, signature.free[CPU_INDEX])
    return (
        Misfit("InsufficientCPU", CPU, want, have)
        if want > have
        else Placement(pod, view.name, found)
    )


def _allocate(
    room: Room, pod: PodSpecView, shape: Shape, node: int
) -> tuple[tuple[Key, Allocation], ...] | Misfit:
    cluster = room.cluster
    view = cluster.nodes.views[node]
    keys: list[Key] = []
    for entry in pod.claims:
        if entry.claim is None:
            continue
        state = cluster.claims[entry.claim]
        allocation = state.allocation
        if allocation is None:
            keys.append(entry.claim)
        elif allocation.selector is not None and not selects(allocation.selector, view):
            return Misfit("ClaimElsewhere", str(entry.claim))
        elif not state.users and any(
            cluster.holdings.times_held(r.id) > 1 for r in allocation.results
        ):
            return Misfit("ClaimPromised", str(entry.claim))  # idle, and somebody waits for it
        elif entry.shared_by is None and len(state.users | {pod.uid}) > RESERVED_FOR_MAX:
            return Misfit("ClaimFull", str(entry.claim), RESERVED_FOR_MAX + 1, RESERVED_FOR_MAX)
    if not keys:
        return ()
    asked = zip(keys, shape.claims_on(view), strict=True)
    wanted = [(key, request) for key, request in asked if request is not None]
    if not wanted:
        return ()
    found = _search(room, pod, tuple([request for _, request in wanted]), node, view)
    if isinstance(found, Misfit):
        return found
    return tuple([(key, a) for (key, _), a in zip(wanted, found, strict=True)])


def _search(
    room: Room, pod: PodSpecView, claims: tuple[ClaimRequest, ...], node: int, view: NodeView
) -> tuple[Allocation, ...] | Misfit:
    """The allocator's answer over all pools the node reaches, by their real names."""
    cluster = room.cluster
    holdings = cluster.holdings
    signature = cluster.nodes.sigs[node]
    assert signature is not None
    layout = signature.layout
    local = [
        replace(device, id=holdings.device_id(node, i), scope=replace(device.scope, node=view.name))
        for i, device in enumerate(layout.devices)
    ]
    pools: dict[tuple[str, str], list[Device]] = {}
    for device in local:
        pools.setdefault((device.id.driver, device.id.pool), []).append(device)
    listed = [Pool(*key, 0, tuple(devices)) for key, devices in pools.items()]
    shared = cluster.pools.shared
    listed = sorted((*listed, *shared), key=lambda p: (p.driver, p.name))
    listed += cluster.pools.problems.values()
    catalogue = Catalogue(listed, cluster.terms.classes, cluster.terms.selectors, {})
    in_use = {device for device, _ in holdings.held_on(node)}
    for pool in shared:
        held = holdings.elsewhere.get((pool.driver, pool.name))
        in_use |= {DeviceId(pool.driver, pool.name, n) for n, c in (held or {}).items() if c}
    by_core = {d.id: layout.core_of[i] for i, d in enumerate(local)}
    crowd = dict(holdings.crowd(pod.gang, node))
    anybody: dict[int, int] = {}
    for device in in_use:
        core = by_core.get(device, -1)
        anybody[core] = anybody.get(core, 0) + 1

    def crowding(device: Device) -> tuple[int, ...]:
        core = by_core.get(device.id, -1)
        return (crowd.get(core, 0), anybody.get(core, 0)) if core >= 0 else (0, 0)

    prefer = crowding if layout.has_cores else None
    return allocate_claims(claims, view, catalogue, in_use, prefer, cluster.terms.classes)


def _cpu_of(room: Room, device: DeviceId) -> int:
    found = room.cluster.holdings.locate(device)
    if found is None:
        return 0
    signature = room.cluster.nodes.sigs[found[0]]
    return signature.layout.cpu_of[found[1]] if signature else 0
