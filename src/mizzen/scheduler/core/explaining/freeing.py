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
from mizzen.scheduler.core.cluster.state import Cluster
from mizzen.scheduler.core.explaining.changes import Leave
from mizzen.scheduler.core.explaining.trial import Trial
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

    What is on its way out must have been released. The cluster is left as it was.
    """
    best: Leave | None = None
    is_single = len(trial.pods) == 1
    for name, nodes in _places(trial):
        holders = _holders(trial, nodes)
        only = nodes[0] if is_single and len(nodes) == 1 else ""
        if trial.is_small and any(map(trial.placer.what_if.minds_neighbours, trial.pods)):
            only = ""  # who leaves one node may make room on another
        below = (best.devices, len(best.pods)) if best is not None else None
        levels = _fewest(trial, holders, only, below)
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
    ask = trial.unit.asks(trial.unit.beside)
    nodes = trial.placer.what_if.cluster.nodes
    held = _held(trial)
    if not held:
        return []
    if ask.wish.required:
        return _domains(trial, held)
    is_alone = len(trial.pods) == 1 and not ask.keys
    limit = len(nodes) if trial.is_small else DOMAINS_MAX if is_alone else NODES_MAX
    names = [nodes.names[n] for n in _emptiest(trial, held, limit)]
    return [("", [name]) for name in names] if is_alone else [("", names)]


def _domains(trial: Trial, held: dict[int, int]) -> list[tuple[str, list[str]]]:
    unit, what_if = trial.unit, trial.placer.what_if
    cluster, ask = what_if.cluster, unit.asks(unit.beside)
    nodes, key = cluster.nodes, ask.wish.required
    tree = what_if.tree_for(ask)
    level = tree.level_of(key)
    if level >= len(tree.levels):
        limit = len(nodes) if trial.is_small else DOMAINS_MAX
        found = [nodes.names[n] for n in _emptiest(trial, held, limit)]
        return [(f"{key} {name}", [name]) for name in found]
    shape = what_if.shape_of(trial.pods[0])
    listed = tree.by_level[level]
    here = {tree.domain_of(nodes.index[b], level) for b in ask.beside if b in nodes.index}
    if here:
        listed = [d for d in listed if {d} == here]
    if what_if.is_countable(trial.pods[0], shape):
        totals = what_if.counts(shape, tree).totals
        limit = len(listed) if trial.is_small else DOMAINS_MAX
        listed = heapq.nsmallest(limit, listed, key=lambda d: (-totals[d], d))
    places = [
        (
            f"{key} {tree.name(d)}",
            [nodes.names[n] for n in tree.nodes_in(d) if id(nodes.sigs[n]) in held],
        )
        for d in (listed if trial.is_small else listed[:DOMAINS_MAX])
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


# -- who -----------------------------------------------------------------------------------------


def _holders(trial: Trial, nodes: Sequence[str]) -> list[Steps]:
    """Who is on these nodes and could leave, the gang's own members apart."""
    cluster = trial.placer.what_if.cluster
    own = {pod.gang for pod in trial.pods if pod.gang}
    names = set(nodes)
    here: list[PodSpecView] = [p for name in nodes for p in cluster.pods_on(name)]
    here = [p for p in here if p.stays and p.key not in cluster.leaving]
    here += [placed.pod for placed in cluster.arrived if placed.node in names]
    gangs: dict[Key, list[PodSpecView]] = {}
    found: list[Steps] = []
    here.sort(key=lambda p: p.key, reverse=True)  # names that count up: the last is newest
    for pod in sorted(here, key=lambda p: (p.priority, -p.created_ns)):
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


def devices_of(cluster: Cluster, pod: PodSpecView) -> int:
    """Devices that it holds, by claims or, of device plugins, by amounts."""
    held = sum(len(a.results) for a in cluster.allocations_of(pod)) if pod.claims else 0
    counted = [n for name, n in pod.shape.requests if "/" in name and "hugepages" not in name]
    return held or sum(counted)


def _members(trial: Trial, gang: Key) -> list[PodSpecView]:
    cluster = trial.placer.what_if.cluster
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
    cluster = trial.placer.what_if.cluster
    devices = tuple(sum(devices_of(cluster, pod) for pod in part) for part in listed)
    return Steps(max(p.priority for part in listed for p in part), listed, devices)


# -- how few ---------------------------------------------------------------------------------------


def _fewest(
    trial: Trial, holders: Sequence[Steps], only: str, below: tuple[int, int] | None
) -> Levels | None:
    """The steps that free the fewest devices, of equals the fewest pods, and are enough, if any are:
    fewer than `below`, devices and pods."""
    everything = tuple(len(h.steps) for h in holders)
    if not holders or not _is_enough(trial, holders, everything, only):
        return None
    start: Levels = tuple(0 for _ in holders)
    queue: list[tuple[int, int, int, Levels]] = [(0, 0, 0, start)]
    seen: set[Levels] = {start}
    tries = 0
    while queue and tries < SETS_MAX:
        freed, count, _, levels = heapq.heappop(queue)
        if below is not None and (freed, count) >= below and count:
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
    cluster = trial.placer.what_if.cluster
    devices = sum(
        sum(holder.devices[:taken]) for holder, taken in zip(holders, levels, strict=True)
    )
    placed = {p.pod.key: p.node for p in cluster.arrived}
    nodes = dict.fromkeys(pod.node or placed.get(pod.key, "") for pod in leaving)
    highest = max(holder.priority for holder, taken in zip(holders, levels, strict=True) if taken)
    may = all(pod.may_preempt for pod in trial.pods) and not unit.is_extra
    above = highest if may and highest >= unit.preempting else None
    keys = tuple(pod.key for pod in leaving)
    return Leave(keys, devices, tuple(nodes), domain, above, unit.preempting, may)
