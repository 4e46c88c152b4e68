"""Fits one pod to one node as everything stands, asking the node itself.

For what counting cannot describe: claims that are allocated or shared, devices that several nodes
reach, pods that name nodes. Same answers, slower.
"""

from __future__ import annotations

from collections.abc import Iterable

from mizzen.base.objects import Key
from mizzen.scheduler.core.cluster.holdings import owns_cores
from mizzen.scheduler.core.cluster.layouts import allocate_claims, node_pools
from mizzen.scheduler.core.cluster.signature import Shape
from mizzen.scheduler.core.dra.features import ALL
from mizzen.scheduler.core.dra.model import (
    Allocation,
    AllocationError,
    ClaimRequest,
    DeviceResult,
    Slice,
)
from mizzen.scheduler.core.dra.pools import gather
from mizzen.scheduler.core.fit import static_misfit
from mizzen.scheduler.core.matching import selects
from mizzen.scheduler.core.misfit import Misfit
from mizzen.scheduler.core.placing.what_if import WhatIf
from mizzen.scheduler.core.types import NodeView, Placement, PodSpecView

RESERVED_FOR_MAX = 256  # pods that may share one claim, resource.k8s.io/v1


def fit(what_if: WhatIf, pod: PodSpecView, shape: Shape, node: int) -> Placement | Misfit:
    """The pod's placement on this node, or the first thing in its way. Changes nothing."""
    cluster = what_if.cluster
    view, signature = cluster.nodes.views[node], cluster.nodes.sigs[node]
    assert signature is not None
    fits = cluster.signatures.fit

    def neighbours() -> Misfit | None:
        verdict = what_if.verdict(pod)
        return verdict.misfit(node, view) if verdict is not None else None

    misfit = fits.misfit(shape, signature, static_misfit(pod.shape, view), neighbours)
    if misfit is not None:
        return misfit
    found = _allocate(what_if, pod, shape, node)
    if isinstance(found, Misfit):
        return found
    own = owns_cores((*(a for _, a in found), *cluster.allocations_of(pod)))
    free = fits.charged(shape, signature, list(_local(what_if, found, node)), owns_cores=own)
    return free if isinstance(free, Misfit) else Placement(pod, view.name, found)


def _local(
    what_if: WhatIf, allocations: Iterable[tuple[Key, Allocation]], node: int
) -> Iterable[tuple[DeviceResult, int]]:
    """The devices of this node among those allocated, with their places in its layout."""
    for _, allocation in allocations:
        for result in allocation.results:
            found = what_if.cluster.holdings.locate(result.id)
            if not result.admin and found is not None and found[0] == node:
                yield result, found[1]


def _allocate(
    what_if: WhatIf, pod: PodSpecView, shape: Shape, node: int
) -> tuple[tuple[Key, Allocation], ...] | Misfit:
    cluster = what_if.cluster
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
            is_made = state.claim.allocation is not None
            return Misfit("ClaimElsewhere" if is_made else "ClaimShared", str(entry.claim))
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
    found = _search(what_if, pod, tuple([request for _, request in wanted]), node, view)
    if isinstance(found, Misfit):
        return found
    return tuple([(key, a) for (key, _), a in zip(wanted, found, strict=True)])


def _search(
    what_if: WhatIf, pod: PodSpecView, claims: tuple[ClaimRequest, ...], node: int, view: NodeView
) -> tuple[Allocation, ...] | Misfit:
    """The allocator's answer over all pools the node reaches, by their real names."""
    cluster = what_if.cluster
    signature = cluster.nodes.sigs[node]
    assert signature is not None
    layout, holdings = signature.layout, cluster.holdings
    held = holdings.held_on(node)
    shared = cluster.pools.shared
    for key in {(item.driver, item.pool) for item in shared}:
        other = holdings.elsewhere.get(key)
        if other is not None:
            held.devices.update(other.devices)
            held.shares.update(other.shares)
            held.consumed |= other.consumed
    names = cluster.nodes.pool_names.get(node) or (view.name,) * len(layout.pools)
    pools = node_pools(layout.pools, names, view.name)
    if shared:
        try:
            far = gather(shared, view, ALL, lambda key: [s for s in shared if _key(s) == key])
        except AllocationError as error:
            return Misfit("SelectorError", str(error))
        pools = tuple(sorted((*pools, *far), key=lambda p: (p.binds, p.driver, p.name)))
    gang_cores = holdings.gang_cores(pod.gang, node)
    prefer = layout.preference(signature.held, gang_cores) if layout.has_cores else None
    return allocate_claims(claims, view, pools, held, prefer, cluster.terms)


def _key(item: Slice) -> tuple[str, str]:
    return (item.driver, item.pool)
