"""Free chips of a domain as items are taken and given back, and what of a set can be spared."""

from __future__ import annotations

from collections.abc import Sequence

from mizzen.scheduler.core.preemption.solver.domain import Domain, Stages


class Tally:
    """Node capacities and the pods of each size they hold, changed item by item."""

    def __init__(self, domain: Domain, stages: Sequence[int]) -> None:
        self.domain = domain
        self.sizes = domain.measure.sizes
        self.capacities = domain.capacities(stages)
        self.held = [sum(max(0, c) // size for c in self.capacities) for size in self.sizes]

    def move(self, number: int, old: int, new: int) -> None:
        """The item goes from one stage to another."""
        capacities, held = self.capacities, self.held
        for node, chips in self.domain.items[number].chips:
            before = capacities[node]
            after = capacities[node] = before + chips[new] - chips[old]
            for index, size in enumerate(self.sizes):
                held[index] += max(0, after) // size - max(0, before) // size

    def is_enough_for(self, size: int) -> bool:
        index = self.sizes.index(size)
        return self.held[index] >= self.domain.measure.wanted[index]

    def is_enough(self) -> bool:
        measure = self.domain.measure
        for held, wanted in zip(self.held, measure.wanted, strict=True):
            if held < wanted:
                return False
        return measure.is_chain or measure.fits(self.capacities)


def pruned(domain: Domain, stages: Stages) -> Stages:
    """The stages without what can be spared, the dearest given back first, of equals the last.

    Because `fits` is monotone one pass is enough: what could not be spared before still cannot.
    """
    stages = list(stages)
    tally = Tally(domain, stages)

    def last_weight(number: int) -> tuple[int, int]:
        weights = domain.items[number].weights
        return weights[stages[number]] - weights[stages[number] - 1], number

    taken = sorted((n for n, s in enumerate(stages) if s), key=last_weight, reverse=True)
    for number in taken:
        while stages[number]:
            stage = stages[number]
            tally.move(number, stage, stage - 1)
            stages[number] = stage - 1
            if tally.is_enough() and domain.accepts(stages):
                continue
            tally.move(number, stage - 1, stage)
            stages[number] = stage
            break
    return stages


def gained(domain: Domain, stages: Stages, size: int) -> list[int]:
    """The nodes that hold more pods of this size because of the stages."""
    capacities = domain.capacities(stages)
    return [
        node
        for node, (before, after) in enumerate(zip(domain.free, capacities, strict=True))
        if max(0, after) // size > max(0, before) // size
    ]


def spared(domain: Domain, stages: Stages, size: int, nodes: Sequence[int]) -> Stages:
    """The stages less all that serves nobody but `nodes`: the others hold as many as before."""
    stages = list(stages)
    capacities = domain.capacities(stages)
    concerned = {number for node in nodes for number, _ in domain.on_node[node]}
    for number in sorted(concerned, key=lambda n: -domain.items[n].weights[stages[n]]):
        item = domain.items[number]
        while stages[number]:
            stage = stages[number]
            less = [(node, chips[stage] - chips[stage - 1]) for node, chips in item.chips]
            if any(
                capacities[node] // size != (capacities[node] - amount) // size
                for node, amount in less
                if node not in nodes
            ):
                break
            for node, amount in less:
                capacities[node] -= amount
            stages[number] = stage - 1
    return stages
