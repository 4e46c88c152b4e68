"""The fewest constraints that would have to go for what waits to be placed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations

from mizzen.base.objects import Key
from mizzen.scheduler.core.conventions.topology import TopologyRequest
from mizzen.scheduler.core.dra.matching import tolerates as tolerates_device
from mizzen.scheduler.core.dra.model import (
    ClaimRequest,
    DeviceRequest,
    NodeSelector,
    SubRequest,
    Taint,
    Toleration,
)
from mizzen.scheduler.core.explaining.changes import (
    Constraint,
    DropAffinityTerm,
    DropDeviceConstraint,
    DropDeviceSelector,
    DropNodeLabel,
    OuterLevel,
    Relax,
    Tolerate,
    TolerateDevice,
)
from mizzen.scheduler.core.explaining.trial import Edit, Trial
from mizzen.scheduler.core.matching import untolerated
from mizzen.scheduler.core.types import PodShape

TOGETHER_MAX = 2  # at once
OWN_TAINTS = "node.kubernetes.io/"  # what Kubernetes says of a node itself is no constraint to lift
_REPELLING = frozenset({"NoSchedule", "NoExecute"})


def smallest_relaxation(trial: Trial) -> Relax | None:
    """The fewest constraints without which it is placed; None when none are enough.

    Beyond `TOGETHER_MAX` of them it is a set of which none may stay, not surely the smallest.
    """
    listed = constraints(trial)[: trial.limits.constraints_max]
    sets: list[tuple[Constraint, ...]] = [(one,) for one in listed]
    pairs = [
        pair
        for pair in combinations(listed, TOGETHER_MAX)
        if not all(isinstance(one, OuterLevel) for one in pair)  # one of them is the farther
    ]
    sets += pairs[: trial.limits.constraint_pairs_max]
    changes = sorted((Relax(some) for some in sets), key=lambda c: c.size)
    for change in changes:
        if trial.fits(edit(trial, change.constraints)):
            return change
    return _reduced(trial, listed)


def _reduced(trial: Trial, listed: Sequence[Constraint]) -> Relax | None:
    """More than are tried together: all go but those that may stay; of levels, the farthest out."""
    levels = [one for one in listed if isinstance(one, OuterLevel)]
    kept = [*levels[-1:], *(one for one in listed if not isinstance(one, OuterLevel))]
    if len(kept) <= TOGETHER_MAX or not trial.fits(edit(trial, kept)):
        return None
    for one in tuple(kept):
        fewer = [other for other in kept if other is not one]
        if trial.fits(edit(trial, fewer)):
            kept = fewer
    return Relax(tuple(kept))


def constraints(trial: Trial) -> list[Constraint]:
    """Everything that could be relaxed, the topology first."""
    found: list[Constraint] = [*_levels(trial)]
    shapes = dict.fromkeys(pod.shape for pod in trial.pods)
    for shape in shapes:
        found += [DropNodeLabel(key, value) for key, value in shape.node_selector]
        for number, term in enumerate(shape.affinity or ()):
            found += [DropAffinityTerm(number, r.key, r.operator, r.values) for r in term]
        found += _tolerations(trial, shape)
    for key, request in requests(trial):
        found += _of_claim(trial, key, request)
    return list(dict.fromkeys(found))


def edit(trial: Trial, relaxed: Iterable[Constraint]) -> Edit:
    """The same question without these."""
    listed = list(relaxed)
    topology = trial.unit.topology
    for one in listed:
        if isinstance(one, OuterLevel) and topology is not None:
            topology = outward(topology, one)
    claims = {request: _claim_without(request, key, listed) for key, request in requests(trial)}
    return Edit(
        lambda shape: _shape_without(shape, listed),
        {before: after for before, after in claims.items() if before != after},
        topology,
    )


def outward(topology: TopologyRequest, to: OuterLevel) -> TopologyRequest:
    """The level that was required is still preferred, but no longer wanted alone."""
    alone = "" if topology.exclusive == to.level else topology.exclusive
    preferred = topology.preferred or to.level
    return replace(topology, required=to.to, preferred=preferred, exclusive=alone)


# -- what there is ---------------------------------------------------------------------------------


def _levels(trial: Trial) -> Iterator[OuterLevel]:
    unit, what_if = trial.unit, trial.placer.what_if
    if unit.topology is None or not unit.topology.required:
        return
    tree = what_if.tree_for(unit.constraints(()))
    required = tree.level_of(unit.topology.required)
    outer = [level for level in range(required - 1, -1, -1) if tree.by_level[level]]
    for out, level in enumerate(outer, 1):
        yield OuterLevel(unit.topology.required, tree.levels[level], out)
    yield OuterLevel(unit.topology.required, "", len(outer) + 1)


def _tolerations(trial: Trial, shape: PodShape) -> Iterator[Tolerate]:
    """Taints that keep the pod off some nodes; equal nodes are looked at once."""
    statics = {id(s.static): s.static for s in trial.placer.what_if.cluster.nodes.groups()}
    taints = dict.fromkeys(taint for static in statics.values() for taint in static.node.taints)
    for taint in taints:
        if untolerated((taint,), shape.tolerations) and not taint.key.startswith(OWN_TAINTS):
            yield Tolerate(taint.key, taint.value, taint.effect)


def requests(trial: Trial) -> list[tuple[Key, ClaimRequest]]:
    """The requests of the pods' claims still to be allocated, once each, with one such claim."""
    cluster = trial.placer.what_if.cluster
    found: dict[ClaimRequest, Key] = {}
    for pod in trial.pods:
        for state in cluster.states_of(pod):
            if state.allocation is None and not state.claim.is_unmade:
                found.setdefault(state.claim.request, state.claim.key)
    return [(key, request) for request, key in found.items()]


def _of_claim(trial: Trial, key: Key, request: ClaimRequest) -> Iterator[Constraint]:
    for one in request.constraints:
        if one is not None:
            yield DropDeviceConstraint(key, one.attribute)
    for sub in (s for r in request.requests for s in r.alternatives):
        for expression in sub.selectors:
            if expression is not None:
                yield DropDeviceSelector(key, sub.name, expression)
        for taint in _device_taints(trial):
            if not any(tolerates_device(t, taint) for t in sub.tolerations):
                yield TolerateDevice(key, sub.name, taint.key, taint.value, taint.effect)


def _device_taints(trial: Trial) -> Iterable[Taint]:
    layouts = {id(s.layout): s.layout for s in trial.placer.what_if.cluster.nodes.groups()}
    devices = (device for layout in layouts.values() for device in layout.devices)
    taints = (taint for device in devices for taint in device.taints)
    return dict.fromkeys(taint for taint in taints if taint.effect in _REPELLING)


# -- without it --------------------------------------------------------------------------------


def _shape_without(shape: PodShape, relaxed: Sequence[Constraint]) -> PodShape:
    for one in relaxed:
        match one:
            case Tolerate():
                added = Toleration(one.key, "Equal", one.value, one.effect)
                shape = replace(shape, tolerations=(*shape.tolerations, added))
            case DropNodeLabel():
                kept = tuple(e for e in shape.node_selector if e != (one.key, one.value))
                shape = replace(shape, node_selector=kept)
            case DropAffinityTerm():
                shape = replace(shape, affinity=_affinity_without(shape.affinity, one))
            case _:
                pass
    return shape


def _affinity_without(
    affinity: NodeSelector | None, dropped: DropAffinityTerm
) -> NodeSelector | None:
    """A term that asks nothing any more would match no node: then the affinity goes."""
    terms = [
        tuple(
            r
            for r in term
            if number != dropped.term
            or (r.key, r.operator, r.values) != (dropped.key, dropped.operator, dropped.values)
        )
        for number, term in enumerate(affinity or ())
    ]
    return tuple(terms) if terms and all(terms) else None


def _claim_without(request: ClaimRequest, key: Key, relaxed: Sequence[Constraint]) -> ClaimRequest:
    for one in relaxed:
        if isinstance(one, DropDeviceConstraint) and one.claim == key:
            kept = tuple(
                c for c in request.constraints if c is None or c.attribute != one.attribute
            )
            request = replace(request, constraints=kept)
        elif isinstance(one, DropDeviceSelector | TolerateDevice) and one.claim == key:
            requests = tuple(_request_without(r, one) for r in request.requests)
            request = replace(request, requests=requests)
    return request


def _request_without(
    request: DeviceRequest, one: DropDeviceSelector | TolerateDevice
) -> DeviceRequest:
    def changed(sub: SubRequest) -> SubRequest:
        if sub.name != one.request:
            return sub
        if isinstance(one, DropDeviceSelector):
            return replace(sub, selectors=tuple(e for e in sub.selectors if e != one.expression))
        added = Toleration(one.key, "Equal", one.value, one.effect)
        return replace(sub, tolerations=(*sub.tolerations, added))

    return replace(request, alternatives=tuple(changed(sub) for sub in request.alternatives))
