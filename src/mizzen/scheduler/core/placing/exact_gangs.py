"""Gangs whose members no count describes: every domain is tried, every node of it asked.

The whole gang goes into one domain of the level it requires, a subgroup into one of its own inside
that; members that run already fix theirs, and domains that others hold alone are left out. Runs of
ranks (slices) go into domains of theirs, one run after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from mizzen.base.objects import Key
from mizzen.scheduler.core.cluster.tree import Tree
from mizzen.scheduler.core.conventions.reading import request
from mizzen.scheduler.core.conventions.topology import TopologyRequest
from mizzen.scheduler.core.misfit import Misfit
from mizzen.scheduler.core.placing import exclusive_domains
from mizzen.scheduler.core.placing.answer import Attempt
from mizzen.scheduler.core.placing.scheduling_constraints import NOTHING, SchedulingConstraints
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
    tree, topology = what_if.tree_for(constraints), constraints.topology
    gang = _Gang(what_if, tree, constraints, one_by_one)
    index = cluster.nodes.index
    around = [index[name] for name in constraints.member_nodes if name in index]
    subgroups = _by_subgroup(pods, constraints)
    everywhere = [only] if only >= 0 else list(cluster.nodes.live())
    found = gang.in_one_domain(
        gang.domains(topology, (pods[0].gang, constraints.subgroup), around, everywhere),
        topology,
        pods[0],
        lambda nodes: gang.all_of(
            gang.subgroup(members, inner, name, nodes) for name, members, inner in subgroups
        ),
    )
    if found.fits:
        order = {placement.pod.key: placement for placement in found.placements}
        return Attempt(tuple([order[pod.key] for pod in pods]))
    rest = len(cluster.nodes) - sum(count for _, count in found.misfits)
    if rest <= 0:
        return found
    key = topology.required or next((w.required for w in _requests(constraints) if w.required), "")
    return replace(found, misfits=(*found.misfits, (Misfit("OtherDomain", key), rest)))


def _by_subgroup(pods: Sequence[PodSpecView], constraints: SchedulingConstraints) -> list[Part]:
    found: dict[str, list[PodSpecView]] = {}
    for pod in pods:
        name = pod.membership.subgroup
        found.setdefault(name if constraints.topology_of(name) else "", []).append(pod)
    rest = request(layers=constraints.topology.slices) or NOTHING  # its level is seen to already
    return [
        (name, members, constraints.topology_of(name) or rest) for name, members in found.items()
    ]


def _requests(constraints: SchedulingConstraints) -> Iterator[TopologyRequest]:
    return (
        subgroup.topology for subgroup in constraints.subgroups if subgroup.topology is not None
    )


@dataclass(frozen=True, slots=True)
class _Gang:
    """One attempt for a gang, on one tree."""

    what_if: WhatIf
    tree: Tree
    constraints: SchedulingConstraints
    one_by_one: OneByOne

    def subgroup(
        self,
        members: list[PodSpecView],
        topology: TopologyRequest,
        name: str,
        nodes: Sequence[int],
        *,
        is_run: bool = False,
    ) -> Attempt:
        """The members of one subgroup in one domain of what it requires, among these nodes."""

        def inside_of(nodes: Sequence[int]) -> Attempt:
            if topology.slices:
                return self.all_of(self._runs(members, topology, name, nodes))
            return self.one_by_one(members, "", self.constraints.member_nodes, nodes)

        if not topology.required:
            return inside_of(nodes)
        cluster, gang = self.what_if.cluster, members[0].gang
        around = () if is_run else exclusive_domains.nodes_of_subgroup(cluster, gang, name)
        found = self.domains(topology, (gang, name), around, nodes)
        return self.in_one_domain(found, topology, members[0], inside_of)

    def _runs(
        self,
        members: list[PodSpecView],
        topology: TopologyRequest,
        name: str,
        nodes: Sequence[int],
    ) -> Iterator[Attempt]:
        """Runs of members in order of rank, each in one domain."""
        outer = topology.slices[0]
        alone = topology.exclusive if topology.exclusive != topology.required else ""
        inner = request(outer.required, "", topology.slices[1:], alone) or NOTHING
        for start in range(0, len(members), outer.size):
            run = members[start : start + outer.size]
            yield self.subgroup(run, inner, name, nodes, is_run=True)

    def all_of(self, attempts: Iterable[Attempt]) -> Attempt:
        """Attempts made one after the other as one: all of them, or none."""
        mark = self.what_if.mark()
        found = Attempt()
        for more in attempts:
            if not more.fits:
                self.what_if.rollback(mark)
                before = len(found.placements) + more.before
                return Attempt(pod=more.pod, misfits=more.misfits, before=before)
            found = Attempt((*found.placements, *more.placements))
        return found

    def in_one_domain(
        self,
        domains: Iterable[list[int]],
        topology: TopologyRequest,
        pod: PodSpecView,
        attempt: Callable[[Sequence[int]], Attempt],
    ) -> Attempt:
        """The first attempt that fits in a domain, else the one that came furthest."""
        best = Attempt(pod=pod)
        for nodes in domains:
            found = attempt(nodes)
            if found.fits:
                return found
            if not best.misfits or found.before > best.before:
                best = found
        if best.misfits:
            return best
        why = Misfit("DomainHeld" if topology.exclusive else "DomainTooSmall", topology.required)
        return Attempt(pod=pod, misfits=((why, len(self.what_if.cluster.nodes)),))

    def domains(
        self,
        topology: TopologyRequest,
        group: tuple[Key | None, str],
        around: Sequence[int],
        nodes: Sequence[int],
    ) -> Iterator[list[int]]:
        """These nodes by domain of the level required, those left out that the members may not use."""
        if not topology.required:
            yield list(nodes)
            return
        tree = self.tree
        level = tree.level_of(topology.required)
        alone = tree.depth(topology.exclusive) if topology.exclusive else None
        held = exclusive_domains.held(self.what_if.cluster, tree, topology, *group)
        here = {tree.domain_at(node, level) for node in around}
        grouped: dict[int, list[int]] = {}
        for node in nodes:
            domain = tree.domain_at(node, level)
            lacks = domain == -1 and level < len(tree.levels)
            is_held = alone is not None and exclusive_domains.is_held(tree, -1 - node, alone, held)
            if not lacks and not is_held:
                grouped.setdefault(domain, []).append(node)
        for domain, listed in grouped.items():
            if here <= {domain}:
                yield listed
