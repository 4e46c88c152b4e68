"""Who has to leave, as an exact integer programme, solved to proof by HiGHS; and by enumeration.

Against `mizzen.scheduler.core.preemption.solver.choose`. Nothing is shared with it but the problem's
values: the cells of the objective are written down here once more, from its definition.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import product

import highspy

from mizzen.scheduler.core.preemption.solver.problem import Kind, Problem

Cell = tuple[bool, int, int]
COUNT: Cell = (False, -(10**12), -1)  # how many pods leave: the last cell


def cells(problem: Problem, levels: Sequence[int]) -> dict[Cell, int]:
    """What a set loses, by cell; absent cells are 0."""
    lost: dict[Cell, int] = {}
    for holder, level in zip(problem.holders, levels, strict=True):
        for step in holder.steps[:level]:
            cell = (step.kind is not Kind.SHRINK, holder.priority, int(step.kind))
            lost[cell] = lost.get(cell, 0) + max(1, step.loss)
            lost[COUNT] = lost.get(COUNT, 0) + step.pods
    return lost


def gap(ours: dict[Cell, int], best: dict[Cell, int]) -> float:
    """How much more we lose in the gravest cell that differs, relative to the optimum there."""
    for cell in sorted({*ours, *best}, reverse=True):
        mine, least = ours.get(cell, 0), best.get(cell, 0)
        if mine != least:
            return (mine - least) / least if least else (float("inf") if mine > 0 else -1.0)
    return 0.0


def all_cells(problem: Problem) -> list[Cell]:
    """The gravest first."""
    found = {
        (step.kind is not Kind.SHRINK, holder.priority, int(step.kind))
        for holder in problem.holders
        for step in holder.steps
    }
    return [*sorted(found, reverse=True), COUNT]


def optimum(problem: Problem) -> dict[Cell, int] | None:
    """The least any permitted set loses, cell by cell; None when no domain can be freed."""
    best: dict[Cell, int] | None = None
    order = all_cells(problem)
    for nodes in problem.domains:
        found = _Programme(problem, nodes).solve(order)
        if found is not None and (best is None or _vector(found, order) < _vector(best, order)):
            best = found
    return best


def enumerated(problem: Problem) -> dict[Cell, int] | None:
    """The same by trying every permitted set; for few holders."""
    order = all_cells(problem)
    best: dict[Cell, int] | None = None
    ranges = [range(len(holder.steps) + 1) for holder in problem.holders]
    for levels in product(*ranges):
        lost = cells(problem, levels)
        if best is not None and _vector(lost, order) >= _vector(best, order):
            continue
        if any(fits(problem, nodes, levels) for nodes in problem.domains):
            best = lost
    return best


def fits(problem: Problem, nodes: Sequence[int], levels: Sequence[int]) -> bool:
    """Whether the demand packs into these nodes, by trying every loading."""
    free = {node: problem.free[node] for node in nodes}
    for holder, level in zip(problem.holders, levels, strict=True):
        for step in holder.steps[:level]:
            for node, chips in step.frees:
                if node in free:
                    free[node] += chips
    return _packs(problem.demand.pods, tuple(sorted(free.values())))


def _packs(pods: tuple[tuple[int, int], ...], room: tuple[int, ...]) -> bool:
    """Every loading of the first node, then of the next; what was found impossible is remembered."""

    @cache
    def rest(node: int, left: tuple[int, ...]) -> bool:
        if not any(left):
            return True
        return node < len(room) and any(
            rest(node + 1, after) for after in loadings(room[node], left)
        )

    def loadings(free: int, left: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        ranges = [
            range(min(n, max(0, free) // c), -1, -1) for (c, _), n in zip(pods, left, strict=True)
        ]
        for taken in product(*ranges):
            if sum(c * n for (c, _), n in zip(pods, taken, strict=True)) <= free:
                yield tuple(n - t for n, t in zip(left, taken, strict=True))

    return rest(0, tuple(count for _, count in pods))


def _vector(lost: dict[Cell, int], order: Sequence[Cell]) -> list[int]:
    return [lost.get(cell, 0) for cell in order]


class _Programme:
    """y[h,l] = 1 when holder h is taken to level l or beyond; x[n,j] = pods of size j on node n."""

    def __init__(self, problem: Problem, nodes: Sequence[int]) -> None:
        self.problem = problem
        self.highs = highspy.Highs()
        self.highs.setOptionValue("output_flag", False)
        self.highs.setOptionValue("mip_rel_gap", 0.0)
        self.highs.setOptionValue("mip_abs_gap", 0.5)
        self.columns = 0
        self.taken: dict[tuple[int, int], int] = {}
        freed: dict[int, list[tuple[int, int]]] = {node: [] for node in nodes}
        for h, holder in enumerate(problem.holders):
            for level, step in enumerate(holder.steps):
                column = self.taken[h, level] = self._column(1)
                if level:
                    self._row([(self.taken[h, level - 1], 1), (column, -1)], 0, None)
                for node, chips in step.frees:
                    if node in freed:
                        freed[node].append((column, -chips))
        placed: list[list[tuple[int, int]]] = [[] for _ in problem.demand.pods]
        for node in nodes:
            entries = list(freed[node])
            for index, (chips, count) in enumerate(problem.demand.pods):
                column = self._column(count)
                placed[index].append((column, 1))
                entries.append((column, chips))
            self._row(entries, None, problem.free[node])
        for index, (_, count) in enumerate(problem.demand.pods):
            self._row(placed[index], count, None)

    def solve(self, order: Sequence[Cell]) -> dict[Cell, int] | None:
        """Minimises cell after cell, each fixed at its least before the next."""
        least: dict[Cell, int] = {}
        for cell in order:
            cost = self._cost(cell)
            for column in range(self.columns):
                self.highs.changeColCost(column, cost.get(column, 0))
            self.highs.run()
            status = self.highs.getModelStatus()
            if status == highspy.HighsModelStatus.kInfeasible:
                return None
            assert status == highspy.HighsModelStatus.kOptimal, status
            least[cell] = round(self.highs.getInfo().objective_function_value)
            self._row(list(cost.items()), None, least[cell])
        return least

    def _cost(self, cell: Cell) -> dict[int, int]:
        cost: dict[int, int] = {}
        for (h, level), column in self.taken.items():
            holder = self.problem.holders[h]
            step = holder.steps[level]
            if cell == COUNT:
                cost[column] = step.pods
            elif cell == (step.kind is not Kind.SHRINK, holder.priority, int(step.kind)):
                cost[column] = max(1, step.loss)
        return cost

    def _column(self, upper: int) -> int:
        self.highs.addVar(0, upper)
        self.highs.changeColIntegrality(self.columns, highspy.HighsVarType.kInteger)
        self.columns += 1
        return self.columns - 1

    def _row(self, entries: list[tuple[int, int]], low: int | None, high: int | None) -> None:
        columns = [column for column, _ in entries]
        values = [float(value) for _, value in entries]
        infinity = highspy.kHighsInf
        self.highs.addRow(
            -infinity if low is None else low,
            infinity if high is None else high,
            len(columns),
            columns,
            values,
        )
