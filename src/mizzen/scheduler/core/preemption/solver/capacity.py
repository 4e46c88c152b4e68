"""Tells from nodes' free chips whether a demand fits them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mizzen.scheduler.core.preemption.solver.problem import Demand


class Measure:
    """A demand as conditions on node capacities: how many pods of each size the nodes must hold.

    `sizes` descend. For each of them, with a pod counted as often as that size goes into it:
    sum over nodes of (capacity // size) must reach `wanted`. All are necessary; together they are
    sufficient when every size divides the next larger one (1, 2, 4, 8), else `fits` packs as well.
    """

    def __init__(self, demand: Demand) -> None:
        counts: dict[int, int] = {}
        for chips, count in demand.pods:
            if count > 0:
                counts[max(0, chips)] = counts.get(max(0, chips), 0) + count
        counts.pop(0, None)  # a pod that wants none of what is scarce fits by chips anywhere
        self.sizes = tuple(sorted(counts, reverse=True))
        self.counts = tuple(counts[size] for size in self.sizes)
        self.wanted = tuple(
            sum(
                count * (larger // size)
                for larger, count in zip(self.sizes[: i + 1], self.counts, strict=False)
            )
            for i, size in enumerate(self.sizes)
        )
        self.is_chain = all(a % b == 0 for a, b in zip(self.sizes, self.sizes[1:], strict=False))

    def fits(self, capacities: Iterable[int]) -> bool:
        """True if nodes with so many free chips hold the demand; exact."""
        nodes = [capacity for capacity in capacities if capacity > 0]
        for size, wanted in zip(self.sizes, self.wanted, strict=True):
            if sum(capacity // size for capacity in nodes) < wanted:
                return False
        return self.is_chain or self._packs(nodes)

    def _packs(self, nodes: Sequence[int]) -> bool:
        """By trying, node for node, every full loading; states that hold less are dropped."""
        states: set[tuple[int, ...]] = {self.counts}  # still to be placed
        for capacity in sorted(nodes, reverse=True):
            new: set[tuple[int, ...]] = set()
            for state in states:
                new.update(self._loadings(state, 0, capacity))
            states = _smallest(new)
            if any(not any(state) for state in states):
                return True
        return not states or any(not any(state) for state in states)

    def _loadings(
        self, state: tuple[int, ...], index: int, capacity: int
    ) -> Iterable[tuple[int, ...]]:
        """Everything that may be left of `state` after one node took as much as it can."""
        if index == len(state):
            yield state
            return
        size, left = self.sizes[index], state[index]
        most = min(left, capacity // size)
        least = most if index == len(state) - 1 else 0
        for taken in range(least, most + 1):
            after = (*state[:index], left - taken, *state[index + 1 :])
            yield from self._loadings(after, index + 1, capacity - taken * size)


def _smallest(states: set[tuple[int, ...]]) -> set[tuple[int, ...]]:
    kept: list[tuple[int, ...]] = []
    for state in sorted(states, key=sum):
        if not any(all(a <= b for a, b in zip(k, state, strict=True)) for k in kept):
            kept.append(state)
    return set(kept)
