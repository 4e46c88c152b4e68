"""Decides who is evicted so that a more important pod or gang fits, asked of the cluster as it is.

Large clusters are searched where it is cheapest. In a small one the solver is given every candidate,
and placing says what is enough: devices, topology and everything else that it knows.
"""

from __future__ import annotations

from collections.abc import Sequence

from mizzen.scheduler.core.fit import static_misfit
from mizzen.scheduler.core.placing.attempt import Placer
from mizzen.scheduler.core.preemption.by_amounts import ByAmounts
from mizzen.scheduler.core.preemption.by_devices import ByDevices
from mizzen.scheduler.core.preemption.candidates import Candidate, evicted
from mizzen.scheduler.core.preemption.eviction import UNCOUNTED, Eviction, Preemption, freeing
from mizzen.scheduler.core.preemption.policy import LOWER_PRIORITY, PreemptionPolicy
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
    if len(what_if.cluster.nodes) <= what_if.cluster.limits.exact_nodes_max:
        eviction = _preempt_exactly(Preemption(placer, unit, policy, now_ns))
    else:
        by_devices = ByDevices(placer, unit, policy, now_ns)
        search = by_devices if by_devices.shapes else ByAmounts(placer, unit, policy, now_ns)
        eviction = search.victims()
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
    frees = freeing(lambda pod: number.get(pod.node, -1), lambda _: 1)
    nodes = names if len(search.pods) == 1 and len(names) > 1 else ()
    candidates = search.candidates.everybody()
    fits = search.placing(candidates, nodes)
    found = search.cheapest(candidates, frees, UNCOUNTED, (0,) * len(names), fits=fits, nodes=nodes)
    eviction = found[1] if found is not None else None
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
