"""Holders from pods and gangs: in which steps each would leave, and what every step loses."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from mizzen.scheduler.core.disruption_cost import DisruptionCost
from mizzen.scheduler.core.preemption.solver.problem import Holder, Kind, Step

REFORM_MS = 1_000  # in which a gang that shrinks goes over to its new formation


@dataclass(frozen=True, slots=True)
class Member:
    """A bound pod: the chips it holds on its node, what it has to lose, budgets that cover it."""

    node: int
    chips: int
    cost: DisruptionCost = field(default_factory=DisruptionCost)
    budgets: tuple[int, ...] = ()


def single(key: Hashable, priority: int, pod: Member) -> Holder:
    """A pod on its own: it leaves or it stays."""
    return Holder(key, priority, (_rest([pod], [pod]),))


def gang(
    key: Hashable,
    priority: int,
    members: Sequence[Member],
    min_count: int,
    disrupted_whole: bool = False,
) -> Holder:
    """A gang, its members in the order they keep their places: lowest rank first.

    Those above `min_count` leave one by one, the last first, unless the group is disrupted only as
    a whole (`disruptionMode: PodGroup`). Taking one more takes all the rest. `min_count` is at
    least 1: pods of a group without a minimum are holders of their own.
    """
    assert members and min_count >= 1, "a gang has members and needs some of them"
    least = len(members) if disrupted_whole else min(min_count, len(members))
    steps = [
        Step(
            Kind.SHRINK,
            REFORM_MS * member.chips,
            ((member.node, member.chips),),
            1,
            tuple((budget, 1) for budget in member.budgets),
        )
        for member in reversed(members[least:])
    ]
    return Holder(key, priority, (*steps, _rest(members[:least], members)))


def _rest(leaving: Sequence[Member], members: Sequence[Member]) -> Step:
    """What runs on together ends together: the unsaved work of all chips, and everyone's reload.

    The gang's unsaved work is that of the member that reports most.
    """
    frees: dict[int, int] = {}
    budgets: dict[int, int] = {}
    for member in leaving:
        frees[member.node] = frees.get(member.node, 0) + member.chips
        for budget in member.budgets:
            budgets[budget] = budgets.get(budget, 0) + 1
    unsaved_ms = max(member.cost.unsaved_ms for member in members)
    loss = sum((unsaved_ms + member.cost.reload_ms) * member.chips for member in members)
    kind = Kind.SUSPEND if all(member.cost.resumes for member in members) else Kind.KILL
    return Step(kind, loss, tuple(frees.items()), len(leaving), tuple(budgets.items()))
