"""Which topology domains to look into at all, from totals that a cluster keeps up to date.

For 256,000 nodes only totals of each *leaf* (a rack, say) are needed: free chips, and for each
cell of the objective the chips that its holders have there and what they would lose. Only the
leaves or domains picked here are then spelled out as a `Problem` for `choose`.

A holder over several leaves adds to each its chips there and the same part of its loss. Losses
that grow with time need no rewriting: keep chips, the sum of chips x time saved at, and the fixed
part; the loss at `now` is chips x now minus the one plus the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from mizzen.scheduler.core.limits import DEFAULT, Limits
from mizzen.scheduler.core.preemption.solver.choose import choose
from mizzen.scheduler.core.preemption.solver.objective import NOTHING, Cell, cost_of
from mizzen.scheduler.core.preemption.solver.problem import Answer, Fits, Problem


@dataclass(frozen=True, slots=True)
class Columns:
    """Totals by leaf. Shapes: free [D]; chips, losses [C][D]; D leaves, C cells.

    Units: chips, chip-milliseconds. Only holders that the preemptor may touch; `cells` ascend in
    gravity (`objective.cell_of`).
    """

    free: Sequence[int]
    cells: Sequence[Cell]
    chips: Sequence[Sequence[int]]
    losses: Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True)
class Ranked:
    """A domain with enough chips for the demand, if its holders up to those in `cell` go.

    No answer there spares that cell, () when none is needed: a lower limit, by chips. `loss` is an
    estimate of what goes in it.
    """

    cell: Cell | tuple[()]
    loss: int
    domain: int


def rank_domains(columns: Columns, domains: Iterable[Sequence[int]], want: int) -> list[Ranked]:
    """The domains (leaves each) that can hold `want` chips, the cheapest first.

    A domain missing here cannot be freed. Order: the gravest cell touched, then the loss in it.
    Takes one step for each leaf and cell until the chips suffice.
    """
    found: list[Ranked] = []
    free, cells = columns.free, range(len(columns.cells))
    for number, leaves in enumerate(domains):
        missing = want - sum(free[leaf] for leaf in leaves)
        if missing <= 0:
            found.append(Ranked((), 0, number))
            continue
        for cell in cells:
            column = columns.chips[cell]
            chips = sum(column[leaf] for leaf in leaves)
            if chips >= missing:
                losses = columns.losses[cell]
                loss = sum(losses[leaf] for leaf in leaves) * missing // chips
                found.append(Ranked(columns.cells[cell], loss, number))
                break
            missing -= chips
    found.sort(key=lambda entry: (entry.cell, entry.loss, entry.domain))
    return found


def gather(
    columns: Columns,
    leaves: Sequence[int],
    want: int,
    slack: float,
    limits: Limits = DEFAULT,
) -> list[int]:
    """The leaves of one wide domain that are worth spelling out to free `want` chips in it.

    By price per chip, the mildest cell first, until they could give `slack` times as much: leaves
    hold pieces of jobs, too. What is mild but thinly spread is taken from a number of leaves that
    grows with the slack, then their graver cells are counted as well. Take more slack when they turn
    out not to be enough; with enough of it they are the whole domain.
    """
    goal = int(want * slack)
    leaves_max = limits.leaves_gathered_max * slack / limits.device_slacks[0]
    prices: list[tuple[int, int, int, int]] = []  # cell, loss per 1024 chips, leaf, chips
    total = 0
    picked: set[int] = set()
    for leaf in leaves:
        if columns.free[leaf]:
            prices.append((-1, 0, leaf, columns.free[leaf]))
    for cell, (chips, losses) in enumerate(zip(columns.chips, columns.losses, strict=True)):
        prices += [
            (cell, (losses[leaf] << 10) // chips[leaf], leaf, chips[leaf])
            for leaf in leaves
            if chips[leaf]
        ]
    prices.sort()
    for _, _, leaf, chips in prices:
        if total >= goal:
            break
        if leaf in picked or len(picked) < leaves_max:
            total += chips
            picked.add(leaf)
    return sorted(picked)


BuildProblem = Callable[[Sequence[int]], Problem]
"""The exact problem of these domains (numbers as ranked); its `domains` are in the same order."""


@dataclass(frozen=True, slots=True)
class RankedAnswer:
    """An answer with the problem it is about; `domain` is the number it was ranked by."""

    domain: int
    problem: Problem
    answer: Answer


def choose_ranked(
    ranked: Sequence[Ranked],
    build: BuildProblem,
    fits: Fits | None = None,
    limits: Limits = DEFAULT,
) -> RankedAnswer | None:
    """The best answer of the first few domains, and of more where that is not yet good.

    Domains are spelled out in their order, in growing batches, until one can be freed: one that
    can be is always found. The search goes on while domains may do with milder cells than the
    best answer, through `ranked_domains_max` of them at most. `fits` is asked with the domain's place in
    the problem last built.
    """
    best: RankedAnswer | None = None
    least = NOTHING
    seen = 0
    for some in _batches(ranked, limits.ranked_domains):
        gravest = least[0][0][0] if least[0] else ()
        if best is not None and (seen >= limits.ranked_domains_max or some[0].cell >= gravest):
            break
        seen += len(some)
        domains = [entry.domain for entry in some]
        problem = build(domains)
        answer = choose(problem, fits, limits)
        if answer is None:
            continue
        cost = cost_of(problem.holders, answer.levels)
        if best is None or cost < least:
            best, least = RankedAnswer(domains[answer.domain], problem, answer), cost
    return best


def _batches(ranked: Sequence[Ranked], size: int) -> Iterator[list[Ranked]]:
    rest = iter(ranked)
    while some := list(islice(rest, size)):
        yield some
        size = 2 * size
