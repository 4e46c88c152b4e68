"""The pods whose leaving frees the fewest devices that are enough, and all in one place.

Only a few domains (nodes, for a single pod) are looked into: those that lack least. In each, sets
of preemption's candidates are tried from the one that frees least, in the solver's order; where they
are too many, all leave and whoever need not is reprieved.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from itertools import accumulate, islice

from mizzen.scheduler.core.cluster.signature import Signature
from mizzen.scheduler.core.cluster.tree import HOSTNAME
from mizzen.scheduler.core.explaining.changes import Leave
from mizzen.scheduler.core.explaining.trial import Trial
from mizzen.scheduler.core.preemption.candidates import (
    EvictionStep,
    Member,
    PreemptionCandidates,
    evicted,
)
from mizzen.scheduler.core.preemption.policy import Preemptor
from mizzen.scheduler.core.preemption.solver.objective import cheapest_first
from mizzen.scheduler.core.preemption.solver.problem import Levels
from mizzen.scheduler.core.types import PodSpecView

PODS_BITS = 32  # of a size, below the devices
Held = dict[Signature | None, int]  # devices held on nodes of a signature that admits some pod


def smallest_leave(trial: Trial) -> Leave | None:
    """The fewest devices freed that were found to be enough; None: leaving does not help.

    What is on its way out must have been released. The cluster is left as it was.
    """
    best: Leave | None = None
    for name, nodes in _places(trial):
        found = _Freeing(trial, nodes).smallest(name, best)
        if found is not None and (best is None or found.size < best.size):
            best = found
        if trial.left <= 0:
            break
    return best


# -- where -------------------------------------------------------------------------------------


def _places(trial: Trial) -> list[tuple[str, list[str]]]:
    """Domains that could hold it all, with their nodes, those that lack least first."""
    what_if, key = trial.placer.what_if, trial.constraints.topology.required
    table, groups = what_if.cluster.signatures, what_if.cluster.nodes.groups()
    shapes = list({s.number: s for s in map(what_if.shape_of, trial.pods)}.values())
    held: Held = {
        signature: signature.held.bit_count()
        for signature in groups
        if any(table.static(shape, signature.static) is None for shape in shapes)
    }
    everywhere = len(what_if.cluster.nodes)
    few = everywhere if trial.is_small else trial.limits.leave_domains_max
    if key and key != HOSTNAME:
        return _domains(trial, held, few)
    if key or (len(trial.pods) == 1 and not trial.constraints.keys):
        names = _emptiest(trial, held, few)
        return [(f"{key} {name}" if key else "", [name]) for name in names]
    limit = everywhere if trial.is_small else trial.limits.leave_nodes_max
    return [("", _emptiest(trial, held, limit))]


def _domains(trial: Trial, held: Held, limit: int) -> list[tuple[str, list[str]]]:
    """So many domains of the level that is required, those with most room first."""
    what_if, constraints = trial.placer.what_if, trial.constraints
    nodes, key = what_if.cluster.nodes, constraints.topology.required
    tree = what_if.tree_for(constraints)
    level = tree.level_of(key)
    listed = tree.by_level[level]
    around = [nodes.index[name] for name in constraints.member_nodes if name in nodes.index]
    if around:
        here = {tree.domain_of(node, level) for node in around}
        listed = [d for d in listed if {d} == here]
    shape = what_if.shape_of(trial.pods[0])
    if what_if.is_countable(trial.pods[0], shape):
        totals = what_if.counts(shape, tree).totals
        listed = heapq.nsmallest(limit, listed, key=lambda d: (-totals[d], d))
    found = (
        (
            f"{key} {tree.name(d)}",
            [nodes.names[n] for n in tree.nodes_in(d) if nodes.sigs[n] in held],
        )
        for d in listed
    )
    return list(islice((place for place in found if place[1]), limit))


def _emptiest(trial: Trial, held: Held, limit: int) -> list[str]:
    """So many nodes with the fewest devices held: equal nodes lack the same."""
    what_if = trial.placer.what_if
    nodes, sigs = what_if.cluster.nodes, what_if.cluster.nodes.sigs
    pinned = [what_if.shape_of(pod).pinned for pod in trial.pods]
    if None in pinned:
        listed, chosen, missing = range(len(sigs)), set[Signature | None](), limit
        for signature in sorted(held, key=held.__getitem__):
            if signature is not None and missing > 0:
                chosen.add(signature)
                missing -= signature.nodes
    else:
        listed = nodes.named(name for names in pinned for name in names or ())
        chosen = held.keys()
    found = [n for n in listed if sigs[n] in chosen]
    found = heapq.nsmallest(limit, found, key=lambda n: (held[sigs[n]], nodes.names[n]))
    return [nodes.names[n] for n in found]


# -- who, and how few ------------------------------------------------------------------------------


class _Anybody:
    """Lets everybody leave: the question is who would have to, not who may be made to."""

    def may_displace(self, preemptor: Preemptor, candidate: PodSpecView) -> bool:
        return True

    def may_displace_priority(self, preemptor: Preemptor, priority: int) -> bool:
        return True


class _Freeing:
    """Candidates on some nodes, those that this plan places there included, and their devices."""

    def __init__(self, trial: Trial, nodes: Sequence[str]) -> None:
        what_if = trial.placer.what_if
        self.trial, self.cluster = trial, what_if.cluster
        self.only = nodes[0] if len(trial.pods) == len(nodes) == 1 else ""
        if trial.is_small and any(map(what_if.minds_neighbours, trial.pods)):
            self.only = ""  # who leaves one node may make room on another
        self.preemptor = Preemptor.of(trial.unit)
        known = PreemptionCandidates(self.cluster, self.preemptor, _Anybody(), 0, with_arrived=True)
        here = [pod for name in nodes for pod in known.on(self.cluster.nodes.index[name])]
        gang_max = trial.limits.leave_gang_pods_max
        self.candidates = [c for c in known.among(here) if len(c.pods) <= gang_max]
        self.sizes = [list(accumulate(map(_size, c.steps), initial=0)) for c in self.candidates]

    def smallest(self, domain: str, best: Leave | None) -> Leave | None:
        """The steps that free the fewest devices, of equals the fewest pods, and are enough, if any
        are, and if they are fewer than the best."""
        everything = tuple([len(candidate.steps) for candidate in self.candidates])
        if not self.candidates or not self._is_enough(everything):
            return None
        sets_max = self.trial.limits.leave_sets_max
        for size, levels in islice(cheapest_first(self.sizes), 1, sets_max + 1):
            if best is not None and divmod(size, 1 << PODS_BITS) >= best.size[1:]:
                return None
            if self._is_enough(levels):
                return self._leave(levels, domain)
        levels = self._reprieved(everything)
        return self._leave(levels, domain) if any(levels) else None

    def _reprieved(self, levels: Levels) -> Levels:
        """Reprieves whoever need not leave: the most important, then those with most devices, first."""
        devices = [sizes[-1] >> PODS_BITS for sizes in self.sizes]
        order = range(len(levels))
        order = sorted(order, key=lambda at: (-self.candidates[at].priority, -devices[at]))
        for at in order:
            while levels[at]:
                fewer = (*levels[:at], levels[at] - 1, *levels[at + 1 :])
                if not self._is_enough(fewer):
                    break
                levels = fewer
        return levels

    def _is_enough(self, levels: Levels) -> bool:
        attempt = self.trial.without(evicted(self.candidates, levels), self.only)
        return attempt is not None and attempt.fits

    def _leave(self, levels: Levels, domain: str) -> Leave:
        """These steps as a change, and whether a higher priority would bring it about."""
        unit, may_displace = self.trial.unit, self.trial.policy.may_displace
        leaving = evicted(self.candidates, levels)
        size = sum(sizes[level] for sizes, level in zip(self.sizes, levels, strict=True))
        placed = {p.pod.key: p.node for p in self.cluster.arrived}
        nodes = dict.fromkeys(pod.node or placed.get(pod.key, "") for pod in leaving)
        taken = [c for c, level in zip(self.candidates, levels, strict=True) if level]
        highest = max(candidate.priority for candidate in taken)
        raised = Preemptor(unit, highest + 1)
        everybody = [pod for candidate in taken for pod in candidate.pods]
        would = all(may_displace(raised, pod) for pod in everybody)
        does = all(may_displace(self.preemptor, pod) for pod in everybody)
        may = all(pod.may_preempt for pod in self.trial.pods) and not unit.is_extra
        return Leave(
            tuple([pod.key for pod in leaving]),
            size >> PODS_BITS,
            tuple(nodes),
            domain,
            above=highest if may and would and not does else None,
            priority=unit.preempting,
            may_preempt=may and (does or would),
        )


def _size(step: EvictionStep) -> int:
    """Devices that it frees, then its pods."""
    return (sum(map(devices_of, step.members)) << PODS_BITS) + len(step.members)


def devices_of(member: Member) -> int:
    """Devices that it holds, by claims or, of device plugins, by amounts."""
    requests = member.pod.shape.requests
    counted = [n for name, n in requests if "/" in name and "hugepages" not in name]
    return member.devices or sum(counted)
