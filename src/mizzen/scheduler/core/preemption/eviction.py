"""The ground that all searches for victims stand on, and their answer, verified by placing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mizzen.scheduler.core.placing.attempt import Attempt, Placer
from mizzen.scheduler.core.preemption.candidates import (
    Candidate,
    PreemptionCandidates,
    evicted,
)
from mizzen.scheduler.core.preemption.policy import PreemptionPolicy, Preemptor
from mizzen.scheduler.core.types import PodSpecView
from mizzen.scheduler.core.units import Unit


@dataclass(frozen=True, slots=True)
class Eviction:
    """Victims, and the placements that fit once they and all that already leaves are gone."""

    victims: tuple[PodSpecView, ...]
    attempt: Attempt


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

    def without(self, gone: Iterable[PodSpecView], only: str = "") -> Attempt:
        """Placing once these have left (`only`: on that node); the cluster is as before."""
        return self.placer.place_without(gone, self.pods, self.constraints, only)

    def evict(
        self, candidates: Sequence[Candidate], levels: Sequence[int] | None = None, only: str = ""
    ) -> Eviction | None:
        """So many steps of each taken (None: all), if the unit fits then."""
        victims = evicted(candidates, levels)
        attempt = self.without(victims, only)
        return Eviction(victims, attempt) if attempt.fits else None
