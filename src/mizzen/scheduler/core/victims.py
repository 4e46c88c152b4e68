"""Who has to leave so that a more important pod or gang fits: as little as possible.

Elastic gangs give their surplus first, highest rank first and never below their minimum; only
then whole pods and gangs, the least important first. Never anybody of equal or higher priority.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product

from mizzen.base.objects import Key
from mizzen.scheduler.core.conventions.gang import Gang
from mizzen.scheduler.core.misfit import static_misfit
from mizzen.scheduler.core.placing.attempt import Attempt, Placer
from mizzen.scheduler.core.placing.room import Room
from mizzen.scheduler.core.types import PodSpecView
from mizzen.scheduler.core.units import Unit, by_rank

EXHAUSTIVE_MAX = 256  # selections tried one by one, cheapest first; beyond: greedy, then pruned
NODES_MAX = 100  # nodes on which a single pod's victims are worked out


@dataclass(frozen=True, slots=True)
class Holder:
    """A pod or gang that may have to leave, in steps: its surplus one by one, then the rest."""

    key: Key
    priority: int
    steps: tuple[tuple[PodSpecView, ...], ...]
    surplus: int  # how many of the steps leave it running
    gang: Key | None = None

    def leaving(self, level: int) -> tuple[PodSpecView, ...]:
        return tuple(pod for step in self.steps[:level] for pod in step)


@dataclass(frozen=True, slots=True)
class Eviction:
    """Victims, and the placements that fit once they and all that already leaves are gone."""

    victims: tuple[PodSpecView, ...]
    attempt: Attempt


Levels = tuple[int, ...]  # steps taken of each holder, in the order of the holders


def find_victims(
    placer: Placer, unit: Unit, below: int, nodes_max: int = NODES_MAX
) -> Eviction | None:
    """The cheapest victims of priority lower than `below`; None when no set is enough.

    Members of the pods' own gang are spared; a single pod is tried on `nodes_max` nodes. The room is left as it was. Source: oracle tests/oracle/victims.py (exhaustive).
    """
    room, pods = placer.room, unit.pods[: unit.needed]
    mark = room.mark()
    room.release_leaving()
    own = {pod.gang for pod in pods if pod.gang}
    all_holders = [h for h in holders(room, below) if h.gang not in own]
    best: tuple[tuple[object, ...], Eviction] | None = None
    for only, chosen in _scopes(placer, pods, all_holders, nodes_max):
        found = _search(placer, unit, chosen, only)
        if found is not None and (best is None or found[0] < best[0]):
            best = found
    room.rollback(mark)
    return best[1] if best else None


def holders(room: Room, below: int) -> list[Holder]:
    """Everything that stays and is less important than `below`, least important first."""
    result: list[Holder] = []
    gangs: dict[Key, list[PodSpecView]] = {}
    gangs_known = room.cluster.gangs
    for pod in room.cluster.occupants():
        group = gangs_known.get(pod.gang) if pod.gang else None
        if group is None or group.min_count == 0:
            result.append(Holder(pod.key, pod.priority, ((pod,),), surplus=0))
        else:
            gangs.setdefault(group.key, []).append(pod)
    result += [_gang_holder(gangs_known[key], pods) for key, pods in gangs.items()]
    return sorted(
        (h for h in result if h.priority < below), key=lambda h: (h.priority, _newest_first(h))
    )


def _gang_holder(gang: Gang, members: list[PodSpecView]) -> Holder:
    """Highest rank first, so that the ranks left behind stay contiguous from 0."""
    members.sort(key=by_rank, reverse=True)
    surplus = max(0, len(members) - gang.min_count)
    steps: list[tuple[PodSpecView, ...]] = [(pod,) for pod in members[:surplus]]
    if members[surplus:]:
        steps.append(tuple(members[surplus:]))
    priority = max(pod.priority for pod in members)
    return Holder(gang.key, priority, tuple(steps), surplus, gang.key)


def _newest_first(holder: Holder) -> tuple[int, Key]:
    return (-max(pod.created_ns for step in holder.steps for pod in step), holder.key)


def _scopes(
    placer: Placer, pods: Sequence[PodSpecView], all_holders: list[Holder], nodes_max: int
) -> Iterable[tuple[str, list[Holder]]]:
    """A single pod frees room on one node; a gang may need several at once ("")."""
    nodes = [
        node.name
        for node in placer.room.cluster.node_views()
        if any(static_misfit(pod.shape, node) is None for pod in pods)
    ]
    if len(pods) > 1 or len(nodes) == 1:
        yield "", [h for h in all_holders if _nodes_of(h) & set(nodes)]
        return
    for name in nodes[:nodes_max]:
        yield name, [h for h in all_holders if name in _nodes_of(h)]


def _nodes_of(holder: Holder) -> set[str]:
    return {pod.node for step in holder.steps for pod in step}


def _search(
    placer: Placer, unit: Unit, chosen: list[Holder], only: str
) -> tuple[tuple[object, ...], Eviction] | None:
    def enough(levels: Levels) -> Attempt | None:
        return _fits_without(placer, unit, _victims(chosen, levels), only)

    everything = tuple(len(h.steps) for h in chosen)
    if enough(everything) is None:
        return None
    selections = 1
    for count in everything:
        selections *= count + 1
    if selections <= EXHAUSTIVE_MAX:
        every = product(*(range(count + 1) for count in everything))
        cheapest_first = sorted(every, key=lambda levels: _cost(chosen, levels))
        levels = next(levels for levels in cheapest_first if enough(levels))
    else:
        levels = _greedy(chosen, enough)
    attempt = enough(levels)
    assert attempt is not None, "a selection found to be enough stays enough"
    return _cost(chosen, levels), Eviction(_victims(chosen, levels), attempt)


def _fits_without(
    placer: Placer, unit: Unit, victims: Iterable[PodSpecView], only: str
) -> Attempt | None:
    mark = placer.room.mark()
    for pod in victims:
        placer.room.remove(pod)
    attempt = placer.place(unit.pods[: unit.needed], unit.asks(unit.beside), only)
    placer.room.rollback(mark)
    return attempt if attempt.fits else None


def _victims(chosen: Sequence[Holder], levels: Levels) -> tuple[PodSpecView, ...]:
    return tuple(
        pod for holder, level in zip(chosen, levels, strict=True) for pod in holder.leaving(level)
    )


def _cost(chosen: Sequence[Holder], levels: Levels) -> tuple[object, ...]:
    """Whole victims weigh more than any surplus; then importance, number, age (new ones go first)."""
    whole_pods, newest = 0, 0
    whole_priorities: list[int] = []
    surplus_priorities: list[int] = []
    for holder, level in zip(chosen, levels, strict=True):
        if level == 0:
            continue
        newest -= max(pod.created_ns for pod in holder.leaving(level))
        if level > holder.surplus:
            whole_priorities.append(holder.priority)
            whole_pods += sum(len(step) for step in holder.steps)
        else:
            surplus_priorities += [holder.priority] * level
    return (
        sorted(whole_priorities, reverse=True),
        whole_pods,
        sorted(surplus_priorities, reverse=True),
        newest,
        levels,
    )


def _greedy(chosen: Sequence[Holder], enough: Callable[[Levels], Attempt | None]) -> Levels:
    """A minimal set, not always the cheapest: shortest sufficient prefix of steps, then pruned.

    Steps go surplus before whole, each by priority. Fit is taken as monotone in what has left,
    so the prefix is found by bisection; pruning gives back single steps, dearest first.
    """
    order = [index for index, h in enumerate(chosen) for _ in range(h.surplus)] + [
        index for index, h in enumerate(chosen) if len(h.steps) > h.surplus
    ]

    def prefix(length: int) -> Levels:
        levels = [0] * len(chosen)
        for index in order[:length]:
            levels[index] += 1
        return tuple(levels)

    low, high = 0, len(order)
    while low < high:
        middle = (low + high) // 2
        if enough(prefix(middle)) is None:
            low = middle + 1
        else:
            high = middle
    levels = prefix(high)
    for index in reversed(order[:high]):
        fewer = tuple(n - 1 if i == index else n for i, n in enumerate(levels))
        if levels[index] and enough(fewer) is not None:
            levels = fewer
    return levels
