"""Gangs whose members no count describes: every domain is tried, every node of it asked.

The whole gang goes into one domain of the level it requires, a subgroup into one of its own inside
that; members that run already fix theirs, and domains that others hold alone are left out. Runs of
ranks (slices) go into domains of theirs, one run after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from mizzen.base.objects import Key
from mizzen.scheduler.core.cluster.tree import Tree
from mizzen.scheduler.core.conventions.topology import Slice, TopologyRequest
from mizzen.scheduler.core.misfit import Misfit
from mizzen.scheduler.core.placing import exclusive_domains
from mizzen.scheduler.core.placing.answer import Attempt
from mizzen.scheduler.core.placing.scheduling_constraints import SchedulingConstraints
from mizzen.scheduler.core.placing.what_if import WhatIf
from mizzen.scheduler.core.types import PodSpecView

OneByOne = Callable[[Sequence[PodSpecView], str, Sequence[str], Sequence[int]], Attempt]
Part = tuple[str, list[PodSpecView], TopologyRequest]  # a subgroup's name, members, request


def place(
    what_if: WhatIf,
    pods: Sequence[PodSpecView],
    constraints: SchedulingConstraints,
    one_by_one: OneByOne,
    only: int = -1,
) -> Attempt:
    """Assumes places for all pods, or none. `only`: a node that all must go to."""
    cluster = what_if.cluster
    if not any(
        topology.required or topology.slices
        for topology in (constraints.topology, *_requests(constraints))
    ):
        name = cluster.nodes.names[only] if only >= 0 else ""
        return one_by_one(pods, name, constraints.member_nodes, ())
    tree = what_if.tree_for(constraints)
    around = [
        cluster.nodes.index[name]
        for name in constraints.member_nodes
        if name in cluster.nodes.index
    ]
    subgroups = _by_subgroup(pods, constraints)
    everywhere = [only] if only >= 0 else list(cluster.nodes.live())
    best = Attempt(pod=pods[0])
    topology = constraints.topology
    for nodes in _domains(
        what_if, tree, topology, (pods[0].gang, constraints.subgroup), around, everywhere
    ):
        mark = what_if.mark()
        found = Attempt()
        for name, members, inner in subgroups:
            found = _joined(
                found,
                _place_subgroup(
                    what_if, tree, members, inner, name, nodes, constraints, one_by_one
                ),
            )
            if not found.fits:
                what_if.rollback(mark)
                break
        if found.fits:
            order = {placement.pod.key: placement for placement in found.placements}
            return Attempt(tuple([order[pod.key] for pod in pods]))
        if not best.misfits or found.before > best.before:
            best = found
    if not best.misfits:
        why = Misfit("DomainHeld" if topology.exclusive else "DomainTooSmall", topology.required)
        return Attempt(pod=pods[0], misfits=((why, len(cluster.nodes)),))
    rest = len(cluster.nodes) - sum(count for _, count in best.misfits)
    if rest <= 0:
        return best
    key = topology.required or next((w.required for w in _requests(constraints) if w.required), "")
    return replace(best, misfits=(*best.misfits, (Misfit("OtherDomain", key), rest)))


def _by_subgroup(pods: Sequence[PodSpecView], constraints: SchedulingConstraints) -> list[Part]:
    found: dict[str, list[PodSpecView]] = {}
    for pod in pods:
        name = pod.membership.subgroup
        found.setdefault(name if constraints.topology_of(name) else "", []).append(pod)
    rest = _sliced(constraints.topology.slices)  # its level is seen to already
    return [
        (name, members, constraints.topology_of(name) or rest) for name, members in found.items()
    ]


def _requests(constraints: SchedulingConstraints) -> Iterator[TopologyRequest]:
    return (
        subgroup.topology for subgroup in constraints.subgroups if subgroup.topology is not None
    )


def _sliced(slices: Sequence[Slice], required: str = "", exclusive: str = "") -> TopologyRequest:
    """All in one domain of `required`, and inside that in these runs."""
    if not slices:
        return TopologyRequest(required=required, exclusive=exclusive)
    outer, inner = slices[0], tuple(slices[1:])
    return TopologyRequest(
        required=required,
        exclusive=exclusive,
        subgroup_size=outer.size,
        subgroup_required=outer.required,
        inner=inner,
    )


def _place_subgroup(
    what_if: WhatIf,
    tree: Tree,
    members: list[PodSpecView],
    topology: TopologyRequest,
    name: str,
    nodes: Sequence[int],
    constraints: SchedulingConstraints,
    one_by_one: OneByOne,
    *,
    is_run: bool = False,
) -> Attempt:
    """The members of one subgroup in one domain of what it requires, among these nodes."""

    def inside_of(nodes: Sequence[int]) -> Attempt:
        if topology.slices:
            return _runs(what_if, tree, members, topology, name, nodes, constraints, one_by_one)
        return one_by_one(members, "", constraints.member_nodes, nodes)

    if not topology.required:
        return inside_of(nodes)
    around = (
        ()
        if is_run
        else exclusive_domains.nodes_of_subgroup(what_if.cluster, members[0].gang, name)
    )
    best = Attempt(pod=members[0])
    for inside in _domains(what_if, tree, topology, (members[0].gang, name), around, nodes):
        found = inside_of(inside)
        if found.fits:
            return found
        if not best.misfits or found.before > best.before:
            best = found
    if best.misfits:
        return best
    why = Misfit("DomainHeld" if topology.exclusive else "DomainTooSmall", topology.required)
    return Attempt(pod=members[0], misfits=((why, len(what_if.cluster.nodes)),))


def _runs(
    what_if: WhatIf,
    tree: Tree,
    members: list[PodSpecView],
    topology: TopologyRequest,
    name: str,
    nodes: Sequence[int],
    constraints: SchedulingConstraints,
    one_by_one: OneByOne,
) -> Attempt:
    """Runs of members in order of rank, each in one domain; all of them, or none."""
    outer = topology.slices[0]
    alone = topology.exclusive if topology.exclusive != topology.required else ""
    inner = _sliced(topology.slices[1:], outer.required, alone)
    mark = what_if.mark()
    found = Attempt()
    for start in range(0, len(members), outer.size):
        run = members[start : start + outer.size]
        placed = _place_subgroup(
            what_if, tree, run, inner, name, nodes, constraints, one_by_one, is_run=True
        )
        found = _joined(found, placed)
        if not found.fits:
            what_if.rollback(mark)
            break
    return found


def _domains(
    what_if: WhatIf,
    tree: Tree,
    topology: TopologyRequest,
    group: tuple[Key | None, str],
    around: Sequence[int],
    nodes: Sequence[int],
) -> Iterator[list[int]]:
    """These nodes by domain of the level required, those left out that the members may not use."""
    if not topology.required:
        yield list(nodes)
        return
    level = tree.level_of(topology.required)
    alone = tree.depth(topology.exclusive) if topology.exclusive else None
    held = exclusive_domains.held(what_if.cluster, tree, topology, *group)
    here = {tree.domain_at(node, level) for node in around}
    grouped: dict[int, list[int]] = {}
    for node in nodes:
        domain = tree.domain_at(node, level)
        lacks = domain == -1 and level < len(tree.levels)
        if lacks or (alone is not None and exclusive_domains.is_held(tree, -1 - node, alone, held)):
            continue
        grouped.setdefault(domain, []).append(node)
    for domain, listed in grouped.items():
        if here <= {domain}:
            yield listed


def _joined(one: Attempt, more: Attempt) -> Attempt:
    """Both attempts as one; the second fails after all of the first."""
    if more.fits:
        return Attempt((*one.placements, *more.placements))
    before = len(one.placements) + more.before
    return Attempt(pod=more.pod, misfits=more.misfits, before=before)
