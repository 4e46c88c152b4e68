"""Who has to leave so that a more important pod or gang fits, asked of the cluster as it is.

Builds the question for `preemption`, whose `objective` says what is minimised, and asks placing
itself what fits: devices, topology and everything else that placing knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mizzen.base.objects import Key
from mizzen.scheduler.core.misfit import static_misfit
from mizzen.scheduler.core.placing.attempt import Attempt, Placer
from mizzen.scheduler.core.placing.what_if import WhatIf
from mizzen.scheduler.core.preemption import holders as preempted
from mizzen.scheduler.core.preemption.by_amounts import preempt_by_amounts
from mizzen.scheduler.core.preemption.by_devices import is_by_devices, preempt_by_devices
from mizzen.scheduler.core.preemption.solver.choose import choose
from mizzen.scheduler.core.preemption.solver.problem import Demand, Holder, Problem
from mizzen.scheduler.core.types import PodSpecView
from mizzen.scheduler.core.units import Unit, by_rank

HOLDERS_MAX = 64  # tried one by one, and nodes
ELSEWHERE = -1  # the number of a node that is of no use to whoever asks


@dataclass(frozen=True, slots=True)
class Eviction:
    """Victims, and the placements that fit once they and all that already leaves are gone."""

    victims: tuple[PodSpecView, ...]
    attempt: Attempt


def find_victims(placer: Placer, unit: Unit, below: int, now_ns: int) -> Eviction | None:
    """The cheapest victims of priority lower than `below`; None when no set is enough.

    Members of the pods' own gang are spared. The cluster is left as it was. Source: oracle
    tests/oracle/victims.py (exhaustive).
    """
    what_if, pods = placer.what_if, unit.pods[: unit.needed]
    mark = what_if.mark()
    what_if.release_leaving()
    if len(what_if.cluster.nodes) > what_if.cluster.limits.exact_nodes_max:
        search = preempt_by_devices if is_by_devices(placer, unit) else preempt_by_amounts
        cheapest = search(placer, unit, below, now_ns)
        what_if.rollback(mark)
        return Eviction(*cheapest) if cheapest is not None else None
    names = _nodes_for(what_if, pods)
    number = {name: index for index, name in enumerate(names)}
    own = {pod.gang for pod in pods if pod.gang}
    found = _holders(what_if, below, own, number, now_ns)
    is_single = len(pods) == 1 and len(names) > 1
    domains = tuple((n,) for n in range(len(names))) if is_single else ()
    problem = Problem(
        Demand(()),
        below,
        (0,) * len(names),
        domains or (tuple(range(len(names))),),
        tuple(holder for holder, _ in found),
    )

    def tried(domain: int, levels: Sequence[int]) -> Attempt:
        only = names[problem.domains[domain][0]] if is_single else ""
        return _without(placer, unit, _leaving(found, levels), only)

    answer = choose(problem, lambda domain, levels: tried(domain, levels).fits)
    eviction = None
    if answer is not None:
        attempt = tried(answer.domain, answer.levels)
        assert attempt.fits, "a set found to be enough stays enough"
        eviction = Eviction(tuple(_leaving(found, answer.levels)), attempt)
    if any(map(what_if.minds_neighbours, pods)):
        eviction = _by_neighbours(placer, unit, found, eviction)
    what_if.rollback(mark)
    return eviction


def _by_neighbours(
    placer: Placer, unit: Unit, found: Sequence[Found], eviction: Eviction | None
) -> Eviction | None:
    """Fewer victims for pods that mind their neighbours. For them more victims may help less, where
    they want others near or evenly spread; and who leaves one node may make room on another.

    Tried: each holder alone, then all of one node, without those of them who may stay after all.
    """
    known = {pod.key for pod in eviction.victims} if eviction is not None else None
    sets = [[victims] for _, victims in found[:HOLDERS_MAX]]
    by_node: dict[str, list[list[PodSpecView]]] = {}
    for _, victims in found:
        for name in dict.fromkeys(pod.node for pod in victims):
            by_node.setdefault(name, []).append(victims)
    for some in (*sets, *list(by_node.values())[:HOLDERS_MAX]):
        keys = {pod.key for victims in some for pod in victims}
        if known is not None and not keys < known:
            continue
        if _without(placer, unit, _flat(some), "").fits:
            kept = list(some)
            for victims in reversed(some):  # the most important may stay first
                fewer = [other for other in kept if other is not victims]
                if fewer and _without(placer, unit, _flat(fewer), "").fits:
                    kept = fewer
            return Eviction(tuple(_flat(kept)), _without(placer, unit, _flat(kept), ""))
    return eviction


def _flat(some: Sequence[Sequence[PodSpecView]]) -> list[PodSpecView]:
    return [pod for victims in some for pod in victims]


def _nodes_for(what_if: WhatIf, pods: Sequence[PodSpecView]) -> list[str]:
    """Nodes that may take some of the pods, however full they are."""
    return [
        node.name
        for node in what_if.cluster.node_views()
        if any(static_misfit(pod.shape, node) is None for pod in pods)
    ]


Found = tuple[Holder, list[PodSpecView]]  # with its pods in the order they leave


def _holders(
    what_if: WhatIf, below: int, own: set[Key], number: dict[str, int], now_ns: int
) -> list[Found]:
    """Everything that stays and is less important than `below`; of equals the newest first."""
    singles: list[PodSpecView] = []
    gangs: dict[Key, list[PodSpecView]] = {}
    known = what_if.cluster.gangs
    for pod in what_if.cluster.occupants():
        group = known.get(pod.gang) if pod.gang else None
        if group is None or group.min_count == 0:
            if pod.gang not in own and pod.priority < below:
                singles.append(pod)
        elif group.key not in own:
            gangs.setdefault(group.key, []).append(pod)

    def member(pod: PodSpecView) -> preempted.Member:
        devices = sum(len(a.results) for a in what_if.cluster.allocations_of(pod))
        cost = pod.disruption_cost.at(now_ns)
        return preempted.Member(number.get(pod.node, ELSEWHERE), max(1, devices), cost)

    found = [(preempted.single(p.key, p.priority, member(p)), [p]) for p in singles]
    for key, pods in gangs.items():
        pods.sort(key=by_rank)
        priority = max(pod.priority for pod in pods)
        if priority >= below:
            continue
        gang = known[key]
        whole = gang.disruption == "PodGroup"
        members = [member(pod) for pod in pods]
        holder = preempted.gang(key, priority, members, gang.min_count, whole)
        found.append((holder, pods[::-1]))
    found.sort(key=lambda f: f[1][0].key, reverse=True)  # names that count up: the last is newest
    found.sort(key=lambda f: (f[0].priority, -max(p.created_ns for p in f[1])))
    return found


def _leaving(found: Sequence[Found], levels: Sequence[int]) -> list[PodSpecView]:
    """Highest ranks first, so that the ranks left behind stay contiguous from 0."""
    leaving: list[PodSpecView] = []
    for (holder, pods), level in zip(found, levels, strict=True):
        leaving += pods[: sum(step.pods for step in holder.steps[:level])]
    return leaving


def _without(placer: Placer, unit: Unit, victims: Iterable[PodSpecView], only: str) -> Attempt:
    return placer.place_without(victims, unit.pods[: unit.needed], unit.asks(unit.beside), only)
