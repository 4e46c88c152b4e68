"""The ground that all searches for victims stand on, and their answer, verified by placing.

A search says what is scarce where, as integers, and whose leaving gives it; the solver picks the
cheapest steps; placing has the last word, at every step where the integers mislead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mizzen.scheduler.core.placing.attempt import Attempt, Placer
from mizzen.scheduler.core.preemption.candidates import (
    Candidate,
    Frees,
    Member,
    PreemptionCandidates,
    evicted,
)
from mizzen.scheduler.core.preemption.policy import PreemptionPolicy, Preemptor
from mizzen.scheduler.core.preemption.solver.choose import choose
from mizzen.scheduler.core.preemption.solver.objective import Cost, cost_of
from mizzen.scheduler.core.preemption.solver.problem import Demand, Fits, Problem
from mizzen.scheduler.core.types import PodSpecView
from mizzen.scheduler.core.units import Unit

UNCOUNTED = Demand(())  # nothing scarce is asked for: only placing says what is enough


@dataclass(frozen=True, slots=True)
class Eviction:
    """Victims, and the placements that fit once they and all that already leaves are gone."""

    victims: tuple[PodSpecView, ...]
    attempt: Attempt


Priced = tuple[Cost, Eviction]


class Preemption:
    """A search for one unit's victims in the cluster as it is; each way of searching builds on it.

    What is on its way out counts as gone: whoever searches has released it.
    """

    def __init__(self, placer: Placer, unit: Unit, policy: PreemptionPolicy, now_ns: int) -> None:
        self.placer, self.unit, self.policy = placer, unit, policy
        self.what_if, self.cluster = placer.what_if, placer.what_if.cluster
        self.limits = self.cluster.limits
        self.pods = unit.pods[: unit.needed]
        self.constraints = unit.constraints(unit.member_nodes)
        self.preemptor = Preemptor.of(unit)
        self.candidates = PreemptionCandidates(self.cluster, self.preemptor, policy, now_ns)

    def evict(
        self, candidates: Sequence[Candidate], levels: Sequence[int] | None = None, only: str = ""
    ) -> Eviction | None:
        """So many steps of each taken (None: all), if the unit fits then (`only`: on that node)."""
        victims = evicted(candidates, levels)
        attempt = self.placer.place_without(victims, self.pods, self.constraints, only)
        return Eviction(victims, attempt) if attempt.fits else None

    def placing(self, candidates: Sequence[Candidate], nodes: Sequence[str] = ()) -> Fits:
        """Placing's verdict on steps of these; a domain is everywhere, or the one of `nodes`."""

        def fits(domain: int, levels: Sequence[int]) -> bool:
            return self.evict(candidates, levels, nodes[domain] if nodes else "") is not None

        return fits

    def cheapest(
        self,
        candidates: Sequence[Candidate],
        frees: Frees,
        demand: Demand,
        free: Sequence[int] = (0,),
        *,
        fits: Fits | None = None,
        nodes: Sequence[str] = (),
    ) -> Priced | None:
        """The cheapest steps that free the demand where so much is `free`, if placing agrees.

        All places together are one domain; or each is, where `nodes` names the node it stands for.
        """
        holders = tuple([candidate.holder(frees) for candidate in candidates])
        places = range(len(free))
        domains = tuple([(place,) for place in places]) if nodes else (tuple(places),)
        answer = choose(Problem(demand, tuple(free), domains, holders), fits, self.limits)
        if answer is None:
            return None
        eviction = self.evict(candidates, answer.levels, nodes[answer.domain] if nodes else "")
        return (cost_of(holders, answer.levels), eviction) if eviction is not None else None


def freeing(place: Callable[[PodSpecView], int], amount: Callable[[Member], int]) -> Frees:
    """Sums up by place what members free of the scarce thing; place -1: nowhere that matters."""

    def frees(members: Sequence[Member]) -> tuple[tuple[int, int], ...]:
        given: dict[int, int] = {}
        for member in members:
            at = place(member.pod)
            if at >= 0:
                given[at] = given.get(at, 0) + amount(member)
        return tuple(given.items())

    return frees
