"""The interface of a queue policy: units that wait in, each with a verdict out.

A policy is asked before anything is placed, and goes on only after the unit it named last was: what
that one holds by then is in `Cluster.usage`. So nobody is admitted on a sum that is no longer so,
and who was admitted and found no place has used up nothing. A policy that raises stops no plan: the
units it raises on are held, with its name and the error as their reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from mizzen.base.resources import Resource
from mizzen.scheduler.core.cluster.state import Cluster
from mizzen.scheduler.core.preemption.policy import PreemptionPolicy
from mizzen.scheduler.core.types import PodSpecView, Reason
from mizzen.scheduler.core.units import Unit


@dataclass(frozen=True, slots=True)
class Admitted:
    """The unit may be placed, and may preempt, now."""


@dataclass(frozen=True, slots=True)
class Held:
    """The unit waits in its queue. `again_s`: time alone may change that; 0: it does not.

    The reason becomes that of the pods' and the PodGroup's conditions, and what `mizzen why` says.
    """

    reason: Reason
    again_s: float = 0.0


ADMITTED = Admitted()
ERROR_CHARS_MAX = 200  # of an error's text in a reason
Verdicts = Iterable[tuple[Unit, Admitted | Held]]


class QueuePolicy(Protocol):
    """One is in force at a time: the first, by module name, that says so; `priority` comes last."""

    @property
    def name(self) -> str: ...

    @property
    def reads(self) -> Sequence[Resource]:
        """Kinds whose objects it finds in `Cluster.queue_objects`, as far as the cluster has them:
        such as the scheduler watches anyway, and such as a CustomResourceDefinition brings, which
        it must be allowed to read (`apiserver/core/permissions.py`)."""
        ...

    @property
    def queue_of(self) -> Callable[[PodSpecView], str] | None:
        """A pod's queue, "" for none, by which `Cluster.usage[name]` counts; None: nothing to count."""
        ...

    def is_in_force(self, state: Cluster) -> bool: ...

    def admit(self, state: Cluster, units: Sequence[Unit], now_ns: int) -> Verdicts:
        """Every unit once, in the order in which they get places; `units` come by priority."""
        ...

    def preemption(self, state: Cluster) -> PreemptionPolicy:
        """The rule of who may be evicted for whom while this state lasts."""
        ...


def failed(policy: str, error: Exception) -> Held:
    """The verdict on a unit about which the policy raised: it waits, and others go on."""
    said = f"{type(error).__name__}: {error}"[:ERROR_CHARS_MAX]
    text = (
        f'queue policy "{policy}" failed on it ({said}: a bug, its trace is in the scheduler\'s '
        "log); it is asked again with every change"
    )
    return Held(Reason("QueuePolicyFailed", 0, text))
