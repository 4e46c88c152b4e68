"""Says who may be evicted for whom: a rule that every search is given, the same in all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mizzen.scheduler.core.types import PodSpecView
from mizzen.scheduler.core.units import Unit


@dataclass(frozen=True, slots=True)
class Preemptor:
    """A unit that wants room, and the priority that each of the pods it needs has at least."""

    unit: Unit
    priority: int

    @classmethod
    def of(cls, unit: Unit) -> Preemptor:
        return cls(unit, unit.preempting)


class PreemptionPolicy(Protocol):
    """A rule of who is eligible. Pure: it reads what it was made with, and nothing else."""

    def may_displace(self, preemptor: Preemptor, candidate: PodSpecView) -> bool:
        """True if the pod may be evicted for the preemptor; a gang may be if all its members may.

        Asked of every pod on every node that is thought of, so it should take a microsecond.
        """
        ...

    def may_displace_priority(self, preemptor: Preemptor, priority: int) -> bool:
        """False only if no pod of this priority may be evicted: totals by priority then tell where
        to search. True is always safe, and makes the search wider."""
        ...


class LowerPriority:
    """Lets a unit displace pods of lower priority than each of its own, as kube-scheduler does."""

    def may_displace(self, preemptor: Preemptor, candidate: PodSpecView) -> bool:
        return candidate.priority < preemptor.priority

    def may_displace_priority(self, preemptor: Preemptor, priority: int) -> bool:
        return priority < preemptor.priority


LOWER_PRIORITY = LowerPriority()
