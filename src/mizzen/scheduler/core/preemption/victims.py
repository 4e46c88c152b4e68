"""Decides who is evicted so that a more important pod or gang fits, asked of the cluster as it is.

Large clusters are searched where it is cheapest. In a small one the solver is given every candidate,
and placing says what is enough: devices, topology and everything else that it knows.
"""

from __future__ import annotations

from collections.abc import Sequence

from mizzen.scheduler.core.fit import static_misfit
from mizzen.scheduler.core.placing.attempt import Placer
from mizzen.scheduler.core.preemption.by_amounts import preempt_by_amounts
from mizzen.scheduler.core.preemption.by_devices import is_by_devices, preempt_by_devices
from mizzen.scheduler.core.preemption.candidates import Candidate, Member, evicted
from mizzen.scheduler.core.preemption.eviction import Eviction, Preemption
from mizzen.scheduler.core.preemption.policy import LOWER_PRIORITY, PreemptionPolicy
from mizzen.scheduler.core.preemption.solver.choose import choose
from mizzen.scheduler.core.preemption.solver.problem import Demand, Problem
from mizzen.scheduler.core.units import Unit


def find_victims(
    placer: Placer, unit: Unit, now_ns: int, policy: PreemptionPolicy = LOWER_PRIORITY
) -> Eviction | None:
    """The cheapest victims that the policy lets the unit displace; None when no set is enough.

    Members of the pods' own gang are spared. The cluster is left as it was. Source: oracle
    tests/oracle/victims.py (exhaustive).
    """
    what_if = placer.what_if
    mark = what_if.mark()
    what_if.release_leaving()
    if len(what_if.cluster.nodes) > what_if.cluster.limits.exact_nodes_max:
        search = preempt_by_devices if is_by_devices(placer, unit) else preempt_by_amounts
        eviction = search(placer, unit, policy, now_ns)
    else:
        eviction = _preempt_exactly(Preemption(placer, unit, policy, now_ns))
    what_if.rollback(mark)
    return eviction


def _preempt_exactly(search: Preemption) -> Eviction | None:
    """Gives the solver every candidate; only placing says what is enough."""
    names = [
        node.name
        for node in search.cluster.node_views()
        if any(static_misfit(pod.shape, node) is None for pod in search.pods)
    ]
    number = {name: index for index, name in enumerate(names)}
    candidates = search.candidates.everybody()

    def frees(members: Sequence[Member]) -> tuple[tuple[int, int], ...]:
        places = [number[m.pod.node] for m in members if m.pod.node in number]
        return tuple((place, 1) for place in dict.fromkeys(places))

    is_single = len(search.pods) == 1 and len(names) > 1
    everywhere = (tuple(range(len(names))),)
    domains = tuple((n,) for n in range(len(names))) if is_single else everywhere
    holders = tuple([candidate.holder(frees) for candidate in candidates])
    problem = Problem(Demand(()), (0,) * len(names), domains, holders)

    def evict(domain: int, levels: Sequence[int]) -> Eviction | None:
        only = names[problem.domains[domain][0]] if is_single else ""
        return search.evict(candidates, levels, only)

    answer = choose(
        problem, lambda domain, levels: evict(domain, levels) is not None, search.limits
    )
    eviction = None
    if answer is not None:
        eviction = evict(answer.domain, answer.levels)
        assert eviction is not None, "a set found to be enough stays enough"
    if any(map(search.what_if.minds_neighbours, search.pods)):
        eviction = _by_neighbours(search, candidates, eviction)
    return eviction


def _by_neighbours(
    search: Preemption, candidates: Sequence[Candidate], eviction: Eviction | None
) -> Eviction | None:
    """Fewer victims for pods that mind their neighbours. For them more victims may help less, where
    they want others near or evenly spread; and who leaves one node may make room on another.

    Tried: each candidate alone, then all of one node, with a reprieve for whoever may stay after all.
    """
    most = search.limits.candidates_alone_max
    known = {pod.key for pod in eviction.victims} if eviction is not None else None
    by_node: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        for name in dict.fromkeys(pod.node for pod in candidate.pods):
            by_node.setdefault(name, []).append(candidate)
    alone = [[candidate] for candidate in candidates[:most]]
    for some in (*alone, *list(by_node.values())[:most]):
        if known is not None and not {pod.key for pod in evicted(some)} < known:
            continue
        found, kept = search.evict(some), list(some)
        if found is None:
            continue
        for candidate in reversed(some):  # the most important is reprieved first
            fewer = [other for other in kept if other is not candidate]
            reprieved = search.evict(fewer) if fewer else None
            if reprieved is not None:
                found, kept = reprieved, fewer
        return found
    return eviction
