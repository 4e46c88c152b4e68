"""The pods whose leaving frees the fewest devices that are enough, and all in one place.

Only a few domains (nodes, for a single pod) are looked into: those that lack least. In each, sets
of holders are tried from the one that frees least; where they are too many, all leave and whoever
need not is kept. Elastic gangs give up their last ranks first, then all of the rest.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mizzen.base.objects import Key
from mizzen.scheduler.core.explaining.changes import Leave
from mizzen.scheduler.core.explaining.trial import Trial
from mizzen.scheduler.core.placing.gangs import level_of
from mizzen.scheduler.core.types import PodSpecView
from mizzen.scheduler.core.units import by_rank

DOMAINS_MAX = 8  # looked into in a large cluster; all of them in a small one
NODES_MAX = 64  # of a place without a level, in a large cluster
SETS_MAX = 64  # of holders tried in one domain before the rest is decided greedily
GANG_MAX = 512  # pods of a gang that is thought of as leaving


@dataclass(frozen=True, slots=True)
class Steps:
    """A holder: who leaves with each step, and the devices that frees. Steps go in order."""

    priority: int
    steps: tuple[tuple[PodSpecView, ...], ...]
    devices: tuple[int, ...]


Levels = tuple[int, ...]  # steps taken of each holder


def smallest_leave(trial: Trial) -> Leave | None:
    """The fewest devices freed that were found to be enough; None: leaving does not help.

    What is on its way out must have been released. The room is left as it was.
    """
    best: Leave | None = None
    is_single = len(trial.pods) == 1
    for name, nodes in _places(trial):
        holders = _holders(trial, nodes)
        only = nodes[0] if is_single and len(nodes) == 1 else ""
        levels = _fewest(trial, holders, only, best.devices if best is not None else None)
        if levels is None:
            continue
        found = _leave(trial, holders, levels, name)
        if best is None or found.size < best.size:
            best = found
        if trial.left <= 0:
            break
    return best


# -- where -------------------------------------------------------------------------------------


def _places(trial: Trial) -> list[tuple[str, list[str]]]:
    """Domains that could hold it all, with their nodes, those that lack least first."""
    unit, room = trial.unit, trial.placer.room
    cluster = room.cluster
    ask = unit.asks(unit.beside)
    nodes = cluster.nodes
    per_node = _missing(trial)
    if not per_node:
        return []
    if not ask.wish.required:
        numbers = sorted(per_node, key=lambda n: (per_node[n], nodes.names[n]))
        limit = len(numbers) if trial.is_small else NODES_MAX
        if len(trial.pods) == 1 and not ask.keys:
            limit = limit if trial.is_small else DOMAINS_MAX
            return [("", [nodes.names[n]]) for n in numbers[:limit]]
        return [("", [nodes.names[n] for n in numbers[:limit]])]
    topology = ask.tree or nodes.topology_for(ask.keys, cluster.topologies.values())
    tree = nodes.tree(topology)
    level = level_of(tree, ask.wish.required)
    shape = room.shape_of(trial.pods[0])
    counts = room.counts(shape, topology) if room.is_countable(trial.pods[0], shape) else None
    inside: dict[int, list[int]] = {}
    if level >= len(tree.levels):
        inside = {n: [n] for n in per_node}
    elif trial.is_small or counts is None:
        for n in per_node:
            inside.setdefault(tree.domain_of(n, level), []).append(n)
        inside.pop(-1, None)
    else:
        totals = counts.totals
        for d in heapq.nlargest(DOMAINS_MAX, tree.by_level[level], key=lambda d: (totals[d], -d)):
            inside[d] = [n for n in tree.nodes_in(d) if n in per_node]
    beside = {nodes.index[b] for b in ask.beside if b in nodes.index}
    if beside and level < len(tree.levels):
        here = {tree.domain_of(n, level) for n in beside}
        inside = {d: members for d, members in inside.items() if {d} == here}

    def lacking(item: tuple[int, list[int]]) -> tuple[int, int]:
        have = sum(counts.per_node[n] for n in item[1]) if counts is not None else 0
        return (-have, item[0])

    listed = sorted(inside.items(), key=lacking)
    shown = listed if trial.is_small else listed[:DOMAINS_MAX]
    key = ask.wish.required
    return [
        (
            f"{key} {tree.name(d) if level < len(tree.levels) else nodes.names[d]}",
            [nodes.names[n] for n in members],
        )
        for d, members in shown
    ]


def _missing(trial: Trial) -> dict[int, int]:
    """Nodes that labels and taints admit to some pod, with how many devices more are held there
    than on the emptiest: a guess at what they lack, equal for equal nodes."""
    room = trial.placer.room
    cluster = room.cluster
    shapes = list({s.number: s for s in map(room.shape_of, trial.pods)}.values())
    exact = [s for s in shapes if s.is_exact]
    held: dict[int, int] = {}
    for signature in cluster.nodes.groups():
        if any(cluster.signatures.static(shape, signature.static) is None for shape in shapes):
            held[id(signature)] = signature.held.bit_count()
    pinned: set[int] | None = None
    if exact and all(s.pinned is not None for s in shapes):
        names = {name for s in shapes for name in s.pinned or ()}
        pinned = set(cluster.nodes.named(names))
    sigs = cluster.nodes.sigs
    listed = range(len(sigs)) if pinned is None else sorted(pinned)
    return {n: held[id(sigs[n])] for n in listed if id(sigs[n]) in held}


# -- who -----------------------------------------------------------------------------------------


def _holders(trial: Trial, nodes: Sequence[str]) -> list[Steps]:
    """Who is on these nodes and could leave, the gang's own members apart."""
    cluster = trial.placer.room.cluster
    own = {pod.gang for pod in trial.pods if pod.gang}
    names = set(nodes)
    here: list[PodSpecView] = [p for name in nodes for p in cluster.pods_on(name)]
    here = [p for p in here if p.stays and p.key not in cluster.leaving]
    here += [placed.pod for placed in cluster.arrived if placed.node in names]
    gangs: dict[Key, list[PodSpecView]] = {}
    found: list[Steps] = []
    for pod in sorted(here, key=lambda p: (p.priority, p.key)):
        gang = cluster.gangs.get(pod.gang) if pod.gang else None
        if pod.gang in own:
            continue
        if gang is None or gang.min_count == 0:
            found.append(_steps(trial, [[pod]]))
        elif gang.key not in gangs:
            gangs[gang.key] = _members(trial, gang.key)
            parts = _parting(gangs[gang.key], gang.min_count, gang.disruption == "PodGroup")
            if len(gangs[gang.key]) <= GANG_MAX:
                found.append(_steps(trial, parts))
    return found


def _members(trial: Trial, gang: Key) -> list[PodSpecView]:
    cluster = trial.placer.room.cluster
    arrived = {p.pod.key for p in cluster.arrived}
    found = [
        pod
        for key, pod in cluster.members.get(gang, {}).items()
        if key in arrived or (pod.stays and key not in cluster.leaving)
    ]
    return sorted(found, key=by_rank)


def _parting(members: list[PodSpecView], least: int, is_whole: bool) -> list[list[PodSpecView]]:
    """Surplus members one by one, the last first, then all others at once."""
    kept = len(members) if is_whole else min(least, len(members))
    return [[pod] for pod in reversed(members[kept:])] + [members[:kept]]


def _steps(trial: Trial, parts: Iterable[Sequence[PodSpecView]]) -> Steps:
    listed = tuple(tuple(part) for part in parts if part)
    cluster = trial.placer.room.cluster
    devices = tuple(
        sum(len(a.results) for pod in part for a in cluster.allocations_of(pod)) for part in listed
    )
    return Steps(max(p.priority for part in listed for p in part), listed, devices)


# -- how few ---------------------------------------------------------------------------------------


def _fewest(trial: Trial, holders: Sequence[Steps], only: str, below: int | None) -> Levels | None:
    """The steps that free the fewest devices (less than `below`) and are enough, if any are."""
    everything = tuple(len(h.steps) for h in holders)
    if not holders or not _is_enough(trial, holders, everything, only):
        return None
    start: Levels = tuple(0 for _ in holders)
    queue: list[tuple[int, int, int, Levels]] = [(0, 0, 0, start)]
    seen: set[Levels] = {start}
    tries = 0
    while queue and tries < SETS_MAX:
        freed, count, _, levels = heapq.heappop(queue)
        if below is not None and freed >= below and count:
            return None
        if count:
            tries += 1
            if _is_enough(trial, holders, levels, only):
                return levels
        for at, holder in enumerate(holders):
            taken = levels[at]
            if taken == len(holder.steps):
                continue
            after = (*levels[:at], taken + 1, *levels[at + 1 :])
            if after in seen:
                continue
            seen.add(after)
            pods = count + len(holder.steps[taken])
            heapq.heappush(queue, (freed + holder.devices[taken], pods, at, after))
    return _reduced(trial, holders, everything, only)


def _reduced(trial: Trial, holders: Sequence[Steps], levels: Levels, only: str) -> Levels | None:
    """Whoever need not leave stays: the most important, then those with most devices, first."""
    order = sorted(
        range(len(holders)),
        key=lambda at: (-holders[at].priority, -sum(holders[at].devices), at),
    )
    for at in order:
        while levels[at]:
            fewer = (*levels[:at], levels[at] - 1, *levels[at + 1 :])
            if not _is_enough(trial, holders, fewer, only):
                break
            levels = fewer
    return levels


def _is_enough(trial: Trial, holders: Sequence[Steps], levels: Levels, only: str) -> bool:
    attempt = trial.without(_leaving(holders, levels), only)
    return attempt is not None and attempt.fits


def _leaving(holders: Sequence[Steps], levels: Levels) -> list[PodSpecView]:
    return [
        pod
        for holder, taken in zip(holders, levels, strict=True)
        for part in holder.steps[:taken]
        for pod in part
    ]


def _leave(trial: Trial, holders: Sequence[Steps], levels: Levels, domain: str) -> Leave:
    leaving = _leaving(holders, levels)
    unit = trial.unit
    cluster = trial.placer.room.cluster
    devices = sum(
        sum(holder.devices[:taken]) for holder, taken in zip(holders, levels, strict=True)
    )
    placed = {p.pod.key: p.node for p in cluster.arrived}
    nodes = dict.fromkeys(pod.node or placed.get(pod.key, "") for pod in leaving)
    highest = max(holder.priority for holder, taken in zip(holders, levels, strict=True) if taken)
    may = all(pod.may_preempt for pod in trial.pods) and highest >= unit.priority
    keys = tuple(pod.key for pod in leaving)
    return Leave(keys, devices, tuple(nodes), domain, highest if may else None, unit.priority)
