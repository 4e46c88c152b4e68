"""The cheapest stages of one domain that make the demand fit: greedy, pruned, then branch and bound."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import combinations
from math import prod

from mizzen.scheduler.core.limits import Limits
from mizzen.scheduler.core.preemption.solver.domain import Domain, Stages
from mizzen.scheduler.core.preemption.solver.objective import cheapest_first
from mizzen.scheduler.core.preemption.solver.relaxation import (
    Choice,
    Estimate,
    Offer,
    Relaxation,
    Shares,
)
from mizzen.scheduler.core.preemption.solver.tally import Tally, gained, pruned, spared


@dataclass(frozen=True, slots=True)
class Selection:
    """Sufficient stages of which none can be spared."""

    stages: tuple[int, ...]
    weight: int


@dataclass(slots=True)
class Best:
    """The cheapest sufficient stages so far; `weight` bounds what is still of interest."""

    weight: int | None
    stages: Stages | None = None

    def beats(self, weight: int) -> bool:
        return self.weight is not None and self.weight <= weight


@dataclass(order=True, slots=True)
class Branch:
    """A part of the search: every item's stage between `low` and `high`."""

    bound: int
    serial: int
    estimate: Estimate = field(compare=False)
    low: Stages = field(compare=False)
    high: Stages = field(compare=False)
    offers: list[Offer] = field(compare=False)


class Search:
    """Searches one domain. `bound` is known at once; `solve` does the work.

    After `solve`, `is_proven` says whether nothing cheaper was left unseen.
    """

    def __init__(self, domain: Domain, limits: Limits) -> None:
        self.domain, self.limits = domain, limits
        self.low = [0] * len(domain.items)
        self.high = domain.everything
        measure = domain.measure
        self.can_fit = measure.fits(domain.capacities(self.high))
        self.bound = 0
        self.is_proven = True
        self.relaxations = [
            Relaxation(domain, size, wanted, limits.solver_points_max)
            for size, wanted in zip(measure.sizes, measure.wanted, strict=True)
        ]
        self._roots: list[tuple[int, int]] = []
        self._offers: list[
            Offer
        ] = []  # of the relaxation with the highest bound, the last of equals
        if self.can_fit:
            for number, relaxation in enumerate(self.relaxations):
                offers = relaxation.offers(self.low, self.high)
                found = relaxation.estimate(offers, 0)
                assert found is not None, "what fits by packing fits by counting"
                self._roots.append((found.bound, number))
                if found.bound >= self.bound:
                    self.bound, self._offers = found.bound, offers

    def solve(self, cutoff: int | None, effort: int) -> Selection | None:
        """The best answer that costs less than `cutoff`; None when there is none.

        `effort`: offers to work out at most, beyond the greedy start.
        """
        domain = self.domain
        if not self.can_fit or not domain.accepts(self.high):
            return None
        best = Best(cutoff)
        if not self.relaxations:  # nothing scarce is asked for: the caller's verdict is all
            self.is_proven = self._try_all(best)
            if not self.is_proven:
                self._consider(best, self._cheapest_prefix(list(self.low)))
            return _selection(best)
        relaxation = self.relaxations[max(self._roots)[1]]
        whole: Shares = [[item.weights] * len(item.chips) for item in domain.items]
        ways = [relaxation.shares]
        if any(len(item.chips) > 1 for item in domain.items):
            ways.append(whole)
        for shares in ways:
            offers = self._start(relaxation, shares)
            stages = self._greedy(relaxation, shares, self.low, self.high, offers=offers)
            self._consider(best, stages)
        self.is_proven = best.beats(self.bound) or (
            effort >= len(domain.free) and self._branch(best, relaxation, effort // 3)
        )
        if not self.is_proven and len(domain.free) <= self.limits.solver_shared_nodes_max:
            self._exchange(best, relaxation, [*ways, relaxation.shares], effort * 2 // 3)
        return _selection(best)

    def _try_all(self, best: Best) -> bool:
        """Every selection, the cheapest first, until one is enough; False when there are too many."""
        items = self.domain.items
        if prod(item.top + 1 for item in items) > self.limits.solver_sets_max:
            return False
        for weight, stages in cheapest_first([item.weights for item in items]):
            if best.beats(weight):
                break
            if self.domain.accepts(stages):
                best.weight, best.stages = weight, list(stages)
                break
        return True

    @property
    def effort(self) -> int:
        """Offers worked out so far."""
        return sum(relaxation.evaluations for relaxation in self.relaxations)

    # -- candidates -----------------------------------------------------------------------------

    def _consider(self, best: Best, stages: Stages | None) -> None:
        """Makes the stages sufficient and minimal, and keeps them when they are the cheapest."""
        if stages is None:
            return
        stages = self._completed(stages)
        if stages is None:
            return
        stages = pruned(self.domain, stages)
        weight = self.domain.weight(stages)
        if best.weight is None or weight < best.weight:
            best.weight, best.stages = weight, stages

    def _completed(self, stages: Stages) -> Stages | None:
        """The stages and what else it takes for every size, and for the caller."""
        domain = self.domain
        if domain.is_enough(stages):
            return stages
        for relaxation in self.relaxations:
            offers = relaxation.offers(stages, self.high)
            estimate = relaxation.estimate(offers, 0)
            if estimate is None:
                return None
            stages = _raised(stages, estimate)
        if domain.is_enough(stages):
            return stages
        return self._cheapest_prefix(stages)

    def _cheapest_prefix(self, stages: Stages) -> Stages | None:
        """The cheapest further stages, surplus before the whole, as few as are enough by bisection."""
        domain = self.domain
        order = sorted(
            (item.weights[stage] - item.weights[stages[n]], n, stage)
            for n, item in enumerate(domain.items)
            for stage in range(stages[n] + 1, item.top + 1)
        )

        def prefix(count: int) -> Stages:
            more = list(stages)
            for _, number, stage in order[:count]:
                more[number] = max(more[number], stage)
            return more

        low, high = 0, len(order)
        if not domain.is_enough(prefix(high)):
            return None
        while low < high:
            middle = (low + high) // 2
            if domain.is_enough(prefix(middle)):
                high = middle
            else:
                low = middle + 1
        return prefix(high)

    def _start(self, relaxation: Relaxation, shares: Shares) -> list[Offer]:
        """The offers of the root; other shares concern only nodes with a holder on several."""
        offers = list(self._offers)
        if shares is not relaxation.shares:
            kept, relaxation.shares = relaxation.shares, shares
            items = self.domain.items
            for node, there in enumerate(self.domain.on_node):
                if any(len(items[number].chips) > 1 for number, _ in there):
                    offers[node] = relaxation.offer(node, self.low, self.high)
            relaxation.shares = kept
        return offers

    def _greedy(
        self,
        relaxation: Relaxation,
        shares: Shares,
        low: Stages,
        high: Stages,
        without: Sequence[int] = (),
        offers: list[Offer] | None = None,
    ) -> Stages | None:
        """Slot by slot the cheapest by these shares; who has been paid for is free elsewhere."""
        kept, relaxation.shares = relaxation.shares, shares
        domain = self.domain
        stages = list(low)
        tally = Tally(domain, stages)
        offers = relaxation.offers(stages, high) if offers is None else offers
        versions = [0] * len(offers)
        for node in without:
            versions[node] = -1
        heap = [(o.segments[0][0], node, 0) for node, o in enumerate(offers) if o.segments]
        heapify(heap)
        while heap and not tally.is_enough_for(relaxation.size):
            _, node, version = heappop(heap)
            if version != versions[node]:
                continue
            raised = _raises(stages, offers[node].segments[0][3])
            for number, stage in raised:
                tally.move(number, stages[number], stage)
                stages[number] = stage
            for touched in {n for number, _ in raised for n, _ in domain.items[number].chips}:
                if touched in without:
                    continue
                versions[touched] += 1
                offers[touched] = offer = relaxation.offer(touched, stages, high)
                if offer.segments:
                    heappush(heap, (offer.segments[0][0], touched, versions[touched]))
        relaxation.shares = kept
        return stages if tally.is_enough_for(relaxation.size) else None

    def _exchange(
        self, best: Best, relaxation: Relaxation, ways: Sequence[Shares], effort: int
    ) -> None:
        """Gives a victim or one or two freed nodes back and makes up for them, while that helps."""
        limit = relaxation.evaluations + effort
        improves = True
        while improves and best.stages is not None:
            improves = False
            for low, high, out in self._ruins(best.stages, relaxation.size):
                if relaxation.evaluations > limit:
                    return
                before = best.weight
                for shares in ways:
                    self._consider(best, self._greedy(relaxation, shares, low, high, out))
                if best.weight != before:
                    improves = True
                    break

    def _ruins(self, stages: Stages, size: int) -> Iterable[tuple[Stages, Stages, Sequence[int]]]:
        """Stages with something given back, the highest stages that keep it so, nodes left alone."""
        freed = gained(self.domain, stages, size)
        for node in freed:
            yield spared(self.domain, stages, size, (node,)), self.high, (node,)
        for number, item in enumerate(self.domain.items):
            if stages[number]:
                less, high = list(stages), list(self.high)
                less[number] = high[number] = stages[number] - 1
                hurt = tuple(node for node, _ in item.chips)
                yield spared(self.domain, less, size, hurt), high, ()
            elif len(item.chips) > 1:
                more = list(stages)
                more[number] = item.top
                yield more, self.high, ()
        for two in combinations(freed, 2):
            yield spared(self.domain, stages, size, two), self.high, two

    # -- branch and bound -------------------------------------------------------------------------

    def _branch(self, best: Best, relaxation: Relaxation, effort: int) -> bool:
        """Improves `best` until nothing can be cheaper (True) or the effort is spent."""
        domain = self.domain
        root = self._root(relaxation)
        if root is None:
            return True
        is_exhaustive = len(domain.items) <= self.limits.solver_proven_max
        limit = relaxation.evaluations + effort
        queue, serial = [root], 0
        while queue:
            branch = heappop(queue)
            if best.beats(branch.bound):
                return True
            if not is_exhaustive and relaxation.evaluations > limit:
                return False
            candidate = _raised(branch.low, branch.estimate)
            self._consider(best, candidate)
            if best.beats(branch.bound):
                return True
            number, stage = self._split(relaxation, branch, candidate)
            if number < 0:
                continue
            raised, lowered = list(branch.low), list(branch.high)
            raised[number], lowered[number] = stage, stage - 1
            for low, high in ((raised, branch.high), (branch.low, lowered)):
                child = self._child(relaxation, branch, number, low, high)
                if child is not None and not best.beats(child.bound):
                    serial += 1
                    child.serial = serial
                    heappush(queue, child)
        return True

    def _root(self, relaxation: Relaxation) -> Branch | None:
        """The whole search, after a few rounds of moving shares to where they raise the bound."""
        low, high = self.low, self.high
        offers = relaxation.offers(low, high)
        estimate = relaxation.estimate(offers, 0)
        if estimate is None:
            return None
        kept, top, best_offers = list(relaxation.shares), estimate, offers
        if len(offers) <= self.limits.solver_shared_nodes_max:
            for _ in range(self.limits.solver_shifts_max):
                if not relaxation.shift(low, relaxation.chosen(estimate, low)):
                    break
                offers = relaxation.offers(low, high)
                estimate = relaxation.estimate(offers, 0)
                assert estimate is not None, "shares change costs, not slots"
                if estimate.bound > top.bound:
                    kept, top, best_offers = list(relaxation.shares), estimate, offers
        relaxation.shares = kept
        return Branch(top.bound, 0, top, low, high, best_offers)

    def _child(
        self, relaxation: Relaxation, parent: Branch, number: int, low: Stages, high: Stages
    ) -> Branch | None:
        domain = self.domain
        if low is parent.low and not domain.is_enough(high):
            return None
        offers = list(parent.offers)
        for node, _ in domain.items[number].chips:
            offers[node] = relaxation.offer(node, low, high)
        estimate = relaxation.estimate(offers, domain.weight(low))
        if estimate is None:
            return None
        return Branch(max(estimate.bound, parent.bound), 0, estimate, low, high, offers)

    def _split(
        self, relaxation: Relaxation, branch: Branch, candidate: Sequence[int]
    ) -> tuple[int, int]:
        """The item to branch on, and the stage between its halves; (-1, 0) when all are decided."""
        domain = self.domain
        chosen = relaxation.chosen(branch.estimate, branch.low)
        worst, number = 0, -1
        for index, item in enumerate(domain.items):
            stage, low = candidate[index], branch.low[index]
            if stage == low:
                continue
            shares = relaxation.shares[index]
            paid = sum(shares[p][s] - shares[p][low] for p, s in enumerate(chosen[index]))
            unpaid = item.weights[stage] - item.weights[low] - paid
            if unpaid > worst:
                worst, number = unpaid, index
        if number < 0:  # an undecided one: at the last node, or anywhere, rather one that leaves
            low, high, last = branch.low, branch.high, branch.estimate.last
            there = domain.on_node[last] if last >= 0 else ()
            undecided = [n for n in range(len(domain.items)) if low[n] < high[n]]
            at_last = [n for n, _ in there if low[n] < high[n] and candidate[n]]
            taken = [n for n in undecided if candidate[n] > low[n]]
            number = (at_last or taken or undecided or [-1])[0]
        return (number, max(candidate[number], branch.low[number] + 1)) if number >= 0 else (-1, 0)


def _selection(best: Best) -> Selection | None:
    if best.stages is None or best.weight is None:
        return None
    return Selection(tuple(best.stages), best.weight)


def _raises(stages: Sequence[int], choice: Choice) -> list[tuple[int, int]]:
    raised: list[tuple[int, int]] = []
    while choice is not None:
        choice, number, stage = choice
        if stage > stages[number]:
            raised.append((number, stage))
    return raised


def _raised(stages: Sequence[int], estimate: Estimate) -> Stages:
    result = list(stages)
    for choice in estimate.picked.values():
        for number, stage in _raises(result, choice):
            result[number] = stage
    return result
