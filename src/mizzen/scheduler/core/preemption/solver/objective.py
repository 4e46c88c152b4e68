"""The objective that is minimised: one integer that orders victim sets.

Sets are compared cell by cell, the gravest first; the first cell that differs decides:

1. *Whole pods and gangs leave* (SUSPEND, KILL): by priority, highest first; at one priority what
   is killed before what is suspended. So nobody leaves while shrinking others is enough, the least
   important leaves first, and among equals whoever can resume.
2. *Surplus leaves* (SHRINK): by priority, highest first.
3. How many pods leave.

The amount of a cell of 1 and 2 is the chip-milliseconds lost by its steps, each at least 1:

    (unsaved time of the gang + time until it is as useful again) x chips that stand still

No loss in a lower cell outweighs one chip-millisecond in a graver one: priorities are the users'
word on what matters more, and losses are compared among equals.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush

from mizzen.scheduler.core.preemption.solver.problem import Holder, Kind, Levels, Step

Cell = tuple[bool, int, Kind]  # whole?, priority, kind: ascending in gravity


def cell_of(priority: int, kind: Kind) -> Cell:
    return (kind is not Kind.SHRINK, priority, kind)


class Scale:
    """Weighs steps so that plain addition and comparison of integers follow the cells' order.

    Each cell has as many bits as all losses in it together need. Python's integers are exact at
    any length, so a weight is the lexicographic vector itself.
    """

    def __init__(self, holders: Iterable[Holder]) -> None:
        totals: dict[Cell, int] = {}
        pods = 0
        for holder in holders:
            for step in holder.steps:
                cell = cell_of(holder.priority, step.kind)
                totals[cell] = totals.get(cell, 0) + max(1, step.loss)
                pods += step.pods
        shift = pods.bit_length()
        self._shifts: dict[Cell, int] = {}
        for cell in sorted(totals):
            self._shifts[cell] = shift
            shift += totals[cell].bit_length()

    def weight(self, priority: int, step: Step) -> int:
        """The step's part of the objective."""
        shift = self._shifts[cell_of(priority, step.kind)]
        return (max(1, step.loss) << shift) + step.pods


Cost = tuple[tuple[tuple[Cell, int], ...], int]
"""(cell, loss) from the gravest down, then how many pods leave: compares as weights do."""
NOTHING: Cost = ((), 0)


def cost_of(holders: Sequence[Holder], levels: Sequence[int]) -> Cost:
    """The cost of these levels, to be compared with answers about other holders."""
    lost: dict[Cell, int] = {}
    pods = 0
    for holder, level in zip(holders, levels, strict=True):
        for step in holder.steps[:level]:
            cell = cell_of(holder.priority, step.kind)
            lost[cell] = lost.get(cell, 0) + max(1, step.loss)
            pods += step.pods
    return tuple(sorted(lost.items(), reverse=True)), pods


def cheapest_first(weights: Sequence[Sequence[int]]) -> Iterator[tuple[int, Levels]]:
    """Every set of steps with its weight, ascending from none; of equals the first named leave.

    `weights`: of each holder, what each level weighs; they ascend from 0. Takes a step of a heap for
    each set, and as many entries of it as there are holders.
    """
    queue: list[tuple[int, Levels]] = [(0, (0,) * len(weights))]  # levels below 0: most first
    while queue:
        weight, taken = heappop(queue)
        yield weight, tuple([-level for level in taken])
        # A set is made from the one without the last step of its last holder, and so once.
        last = max((at for at, level in enumerate(taken) if level), default=0)
        for at in range(last, len(weights)):
            level = 1 - taken[at]
            if level < len(weights[at]):
                more = weights[at][level] - weights[at][level - 1]
                heappush(queue, (weight + more, (*taken[:at], -level, *taken[at + 1 :])))
