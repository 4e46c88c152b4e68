"""A topology domain of a problem, cut down to what freeing room in it can involve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mizzen.scheduler.core.preemption.solver.capacity import Measure
from mizzen.scheduler.core.preemption.solver.objective import Scale
from mizzen.scheduler.core.preemption.solver.problem import Fits, Levels, Problem


class Weights:
    """The objective of every level of every holder."""

    def __init__(self, problem: Problem) -> None:
        self.scale = Scale(problem.holders)
        self.of: list[list[int]] = []  # by holder: weight of level 0, 1, ...
        self.by_node: dict[int, list[int]] = {}
        for index, holder in enumerate(problem.holders):
            total, levels = 0, [0]
            for step in holder.steps:
                total += self.scale.weight(holder.priority, step)
                levels.append(total)
            self.of.append(levels)
            for node in {node for step in holder.steps for node, _ in step.frees}:
                self.by_node.setdefault(node, []).append(index)


@dataclass(frozen=True, slots=True)
class Item:
    """A holder as the domain sees it: only the levels that free something here.

    `levels[s]` is the holder's own level, `weights[s]` the objective of getting there; both begin
    with 0. `chips` has for each node of the domain what is free there from stage s on.
    """

    holder: int
    levels: tuple[int, ...]
    weights: tuple[int, ...]
    chips: tuple[tuple[int, tuple[int, ...]], ...]

    @property
    def top(self) -> int:
        return len(self.levels) - 1


Stages = list[int]  # for each item, the stage it is taken to


class Domain:
    """The items, nodes and demand of one domain; nodes are numbered 0.. within it."""

    def __init__(
        self,
        problem: Problem,
        index: int,
        weights: Weights,
        measure: Measure,
        fits: Fits | None,
    ) -> None:
        self.problem = problem
        self.index = index
        self.measure = measure
        nodes = problem.domains[index]
        local = {node: number for number, node in enumerate(nodes)}
        self.free = [problem.free[node] for node in nodes]
        touching = sorted({h for node in nodes for h in weights.by_node.get(node, ())})
        items = (_item(problem, holder, weights.of[holder], local) for holder in touching)
        self.items = [item for item in items if item is not None]
        self.on_node: list[list[tuple[int, int]]] = [[] for _ in nodes]  # (item, its place there)
        for number, item in enumerate(self.items):
            for place, (node, _) in enumerate(item.chips):
                self.on_node[node].append((number, place))
        self._fits = fits

    @property
    def everything(self) -> Stages:
        return [item.top for item in self.items]

    def capacities(self, stages: Sequence[int]) -> list[int]:
        free = list(self.free)
        for item, stage in zip(self.items, stages, strict=True):
            if stage:
                for node, chips in item.chips:
                    free[node] += chips[stage]
        return free

    def weight(self, stages: Sequence[int]) -> int:
        return sum(item.weights[stage] for item, stage in zip(self.items, stages, strict=True))

    def levels(self, stages: Sequence[int]) -> Levels:
        """In terms of the problem's holders."""
        levels = [0] * len(self.problem.holders)
        for item, stage in zip(self.items, stages, strict=True):
            levels[item.holder] = item.levels[stage]
        return tuple(levels)

    def accepts(self, stages: Sequence[int]) -> bool:
        """The caller's own verdict, where chips are not all; True without one."""
        return self._fits is None or self._fits(self.index, self.levels(stages))

    def is_enough(self, stages: Sequence[int]) -> bool:
        return self.measure.fits(self.capacities(stages)) and self.accepts(stages)


def _item(problem: Problem, holder: int, weights: list[int], local: dict[int, int]) -> Item | None:
    found: dict[int, int] = {}
    levels: list[int] = [0]
    stages: list[dict[int, int]] = [{}]
    for level, step in enumerate(problem.holders[holder].steps, start=1):
        here = [(local[node], chips) for node, chips in step.frees if node in local and chips > 0]
        if not here:
            continue
        for node, chips in here:
            found[node] = found.get(node, 0) + chips
        levels.append(level)
        stages.append(dict(found))
    if len(levels) == 1:
        return None
    chips = tuple((node, tuple(stage.get(node, 0) for stage in stages)) for node in sorted(found))
    return Item(holder, tuple(levels), tuple(weights[level] for level in levels), chips)
