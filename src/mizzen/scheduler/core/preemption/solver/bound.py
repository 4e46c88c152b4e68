"""Bounds what freeing amounts on one node costs, without trying any set, to rank nodes by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mizzen.scheduler.core.preemption.solver.objective import NOTHING, Cell, Cost


@dataclass(frozen=True, slots=True)
class Freeable:
    """Amounts (by resource) that one holder can free on the node, and what that costs at least."""

    cell: Cell
    loss: int
    amounts: Mapping[int, int]


def lower_bound(missing: Mapping[int, int], offers: Sequence[Freeable]) -> Cost | None:
    """No set of the offers that frees what is missing costs less; None: all together do not.

    The gravest cell that cannot be spared, and in it as many of the mildest losses as the largest
    amounts would do with.
    """
    left = dict(missing)
    if not left:
        return NOTHING
    by_cell: dict[Cell, list[Freeable]] = {}
    for offer in offers:
        by_cell.setdefault(offer.cell, []).append(offer)
    for cell in sorted(by_cell):
        here = by_cell[cell]
        after = {r: n - sum(o.amounts.get(r, 0) for o in here) for r, n in left.items()}
        if all(amount <= 0 for amount in after.values()):
            count = max(
                _fewest(want, [o.amounts.get(r, 0) for o in here]) for r, want in left.items()
            )
            losses = sorted(max(1, o.loss) for o in here)
            return ((cell, sum(losses[:count])),), count
        left = {r: max(0, amount) for r, amount in after.items()}
    return None


def _fewest(want: int, amounts: Sequence[int]) -> int:
    count = 0
    for amount in sorted(amounts, reverse=True):
        if want <= 0:
            break
        want -= amount
        count += 1
    return count
