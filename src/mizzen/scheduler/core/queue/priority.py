"""The queue without quotas: everything is admitted, the most important first."""

from __future__ import annotations

from collections.abc import Sequence

from mizzen.base.resources import Resource
from mizzen.scheduler.core.cluster.state import Cluster
from mizzen.scheduler.core.preemption.policy import LOWER_PRIORITY, PreemptionPolicy
from mizzen.scheduler.core.queue.policy import ADMITTED, Verdicts
from mizzen.scheduler.core.units import Unit


class Priority:
    """In force where no other policy is."""

    name = "priority"
    reads: Sequence[Resource] = ()
    queue_of = None

    def is_in_force(self, state: Cluster) -> bool:
        return True

    def admit(self, state: Cluster, units: Sequence[Unit], now_ns: int) -> Verdicts:
        return [(unit, ADMITTED) for unit in units]

    def preemption(self, state: Cluster) -> PreemptionPolicy:
        return LOWER_PRIORITY


POLICY = Priority()
