"""The pods whose leaving frees the fewest devices that are enough, and all in one place.

Only a few domains (nodes, for a single pod) are looked into: those that lack least. In each, sets
of candidates are tried from the one that frees least; where they are too many, all leave and whoever
need not is reprieved. In which steps a gang leaves `preemption/candidates.py` says.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from mizzen.scheduler.core.cluster.state import Cluster
from mizzen.scheduler.core.explaining.changes import Leave
from mizzen.scheduler.core.explaining.trial import Trial
from mizzen.scheduler.core.preemption.candidates import PreemptionCandidates, evicted
from mizzen.scheduler.core.preemption.policy import Preemptor
from mizzen.scheduler.core.types import PodSpecView

Levels = tuple[int, ...]  # steps taken of each candidate


def smallest_leave(trial: Trial) -> Leave | None:
    """The fewest devices freed that were found to be enough; None: leaving does not help.

    What is on its way out must have been released. The cluster is left as it was.
    """
    best: Leave | None = None
    is_single = len(trial.pods) == 1
    for name, nodes in _places(trial):
        only = nodes[0] if is_single and len(nodes) == 1 else ""
        if trial.is_small and any(map(trial.placer.what_if.minds_neighbours, trial.pods)):
            only = ""  # who leaves one node may make room on another
        freeing = _Freeing(trial, nodes, only)
        levels = freeing.fewest((best.devices, len(best.pods)) if best is not None else None)
        if levels is None:
            continue
        found = freeing.leave(levels, name)
        if best is None or found.size < best.size:
            best = found
        if trial.left <= 0:
            break
    return best


# -- where -------------------------------------------------------------------------------------


def _places(trial: Trial) -> list[tuple[str, list[str]]]:
    """Domains that could hold it all, with their nodes, those that lack least first."""
    constraints = trial.unit.constraints(trial.unit.member_nodes)
    nodes = trial.placer.what_if.cluster.nodes
    held = _held(trial)
    if not held:
        return []
    if constraints.topology.required:
        return _domains(trial, held)
    is_alone = len(trial.pods) == 1 and not constraints.keys
    limit = (
        len(nodes)
        if trial.is_small
        else trial.limits.leave_domains_max
        if is_alone
        else trial.limits.leave_nodes_max
    )
    names = [nodes.names[n] for n in _emptiest(trial, held, limit)]
    return [("", [name]) for name in names] if is_alone else [("", names)]


def _domains(trial: Trial, held: dict[int, int]) -> list[tuple[str, list[str]]]:
    unit, what_if = trial.unit, trial.placer.what_if
    cluster, constraints = what_if.cluster, unit.constraints(unit.member_nodes)
    nodes, key = cluster.nodes, constraints.topology.required
    tree = what_if.tree_for(constraints)
    level = tree.level_of(key)
    if level >= len(tree.levels):
        limit = len(nodes) if trial.is_small else trial.limits.leave_domains_max
        found = [nodes.names[n] for n in _emptiest(trial, held, limit)]
        return [(f"{key} {name}", [name]) for name in found]
    shape = what_if.shape_of(trial.pods[0])
    listed = tree.by_level[level]
    here = {
        tree.domain_of(nodes.index[b], level) for b in constraints.member_nodes if b in nodes.index
    }
    if here:
        listed = [d for d in listed if {d} == here]
    if what_if.is_countable(trial.pods[0], shape):
        totals = what_if.counts(shape, tree).totals
        limit = len(listed) if trial.is_small else trial.limits.leave_domains_max
        listed = heapq.nsmallest(limit, listed, key=lambda d: (-totals[d], d))
    places = [
        (
            f"{key} {tree.name(d)}",
            [nodes.names[n] for n in tree.nodes_in(d) if id(nodes.sigs[n]) in held],
        )
        for d in (listed if trial.is_small else listed[: trial.limits.leave_domains_max])
    ]
    return [place for place in places if place[1]]


def _held(trial: Trial) -> dict[int, int]:
    """Signatures (by identity) whose labels and taints admit some pod: how many devices are held."""
    what_if = trial.placer.what_if
    table = what_if.cluster.signatures
    shapes = list({s.number: s for s in map(what_if.shape_of, trial.pods)}.values())
    return {
        id(signature): signature.held.bit_count()
        for signature in what_if.cluster.nodes.groups()
        if any(table.static(shape, signature.static) is None for shape in shapes)
    }


def _emptiest(trial: Trial, held: dict[int, int], limit: int) -> list[int]:
    """So many nodes with the fewest devices held: equal nodes lack the same."""
    what_if = trial.placer.what_if
    nodes = what_if.cluster.nodes
    shapes = [what_if.shape_of(pod) for pod in trial.pods]
    listed: Iterable[int] = range(len(nodes.sigs))
    if all(shape.pinned is not None for shape in shapes):
        listed = nodes.named(name for shape in shapes for name in shape.pinned or ())
    room_for = limit
    chosen: set[int] = set()
    for signature in sorted(nodes.groups(), key=lambda s: held.get(id(s), 0)):
        if id(signature) in held and room_for > 0:
            chosen.add(id(signature))
            room_for -= signature.nodes
    if isinstance(listed, list):
        chosen = set(held)
    sigs = nodes.sigs
    found = [n for n in listed if id(sigs[n]) in chosen]
    return heapq.nsmallest(limit, found, key=lambda n: (held[id(sigs[n])], nodes.names[n]))


# -- who, and how few ------------------------------------------------------------------------------


class _Anybody:
    """Lets everybody leave: the question is who would have to, not who may be made to."""

    def may_displace(self, preemptor: Preemptor, candidate: PodSpecView) -> bool:
        return True

    def may_displace_priority(self, preemptor: Preemptor, priority: int) -> bool:
        return True


class _Freeing:
    """Candidates on some nodes, those that this plan places there included, and their devices."""

    def __init__(self, trial: Trial, nodes: Iterable[str], only: str) -> None:
        self.trial, self.only = trial, only
        self.cluster = trial.placer.what_if.cluster
        self.preemptor = Preemptor.of(trial.unit)
        known = PreemptionCandidates(self.cluster, self.preemptor, _Anybody(), 0, with_arrived=True)
        here = [pod for name in nodes for pod in known.on(self.cluster.nodes.index[name])]
        self.candidates = [
            c for c in known.among(here) if len(c.pods) <= trial.limits.leave_gang_pods_max
        ]
        self.devices = [
            [sum([devices_of(self.cluster, pod) for pod in step.pods]) for step in c.steps]
            for c in self.candidates
        ]

    def fewest(self, below: tuple[int, int] | None) -> Levels | None:
        """The steps that free the fewest devices, of equals the fewest pods, and are enough, if any
        are: fewer than `below`, devices and pods."""
        everything = tuple(len(candidate.steps) for candidate in self.candidates)
        if not self.candidates or not self._is_enough(everything):
            return None
        start: Levels = tuple(0 for _ in self.candidates)
        queue: list[tuple[int, int, int, Levels]] = [(0, 0, 0, start)]
        seen: set[Levels] = {start}
        tries = 0
        while queue and tries < self.trial.limits.leave_sets_max:
            freed, count, _, levels = heapq.heappop(queue)
            if below is not None and (freed, count) >= below and count:
                return None
            if count:
                tries += 1
                if self._is_enough(levels):
                    return levels
            for at, candidate in enumerate(self.candidates):
                taken = levels[at]
                if taken == len(candidate.steps):
                    continue
                after = (*levels[:at], taken + 1, *levels[at + 1 :])
                if after in seen:
                    continue
                seen.add(after)
                pods = count + len(candidate.steps[taken].members)
                heapq.heappush(queue, (freed + self.devices[at][taken], pods, at, after))
        return self._reprieved(everything)

    def _reprieved(self, levels: Levels) -> Levels:
        """Reprieves whoever need not leave: the most important, then those with most devices, first."""
        order = sorted(
            range(len(self.candidates)),
            key=lambda at: (-self.candidates[at].priority, -sum(self.devices[at]), at),
        )
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

    def leave(self, levels: Levels, domain: str) -> Leave:
        """These steps as a change, and whether a higher priority would bring it about."""
        unit, policy = self.trial.unit, self.trial.policy
        leaving = evicted(self.candidates, levels)
        devices = sum(sum(d[:taken]) for d, taken in zip(self.devices, levels, strict=True))
        placed = {p.pod.key: p.node for p in self.cluster.arrived}
        nodes = dict.fromkeys(pod.node or placed.get(pod.key, "") for pod in leaving)
        taken = [c for c, level in zip(self.candidates, levels, strict=True) if level]
        highest = max(candidate.priority for candidate in taken)
        raised = Preemptor(unit, highest + 1)
        everybody = [pod for candidate in taken for pod in candidate.pods]
        would = all(policy.may_displace(raised, pod) for pod in everybody)
        does = all(policy.may_displace(self.preemptor, pod) for pod in everybody)
        may = all(pod.may_preempt for pod in self.trial.pods) and not unit.is_extra
        above = highest if may and would and not does else None
        keys = tuple(pod.key for pod in leaving)
        may = may and (does or would)
        return Leave(keys, devices, tuple(nodes), domain, above, unit.preempting, may)


def devices_of(cluster: Cluster, pod: PodSpecView) -> int:
    """Devices that it holds, by claims or, of device plugins, by amounts."""
    held = sum(len(a.results) for a in cluster.allocations_of(pod)) if pod.claims else 0
    counted = [n for name, n in pod.shape.requests if "/" in name and "hugepages" not in name]
    return held or sum(counted)
