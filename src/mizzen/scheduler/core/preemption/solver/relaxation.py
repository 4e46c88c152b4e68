"""Bounds what freeing a domain costs, and points to the stages that may reach the bound.

A holder on several nodes is relaxed into one piece for each node, each with a *share* of its
weight; shares of one stage sum to its weight, so the pieces together never cost more than the
holder. Then nodes are independent: each has a short list of (slots gained, cost), and a Lagrange
multiplier for the slots still wanted gives a lower bound, exact in integers for any multiplier.
Source: Lagrangian decomposition (Guignard and Kim 1987).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from mizzen.scheduler.core.preemption.solver.domain import Domain, Stages

RATIO = 840  # multipliers are in 840ths, so that costs per 1..8 slots stay whole

Choice = tuple["Choice", int, int] | None  # (rest, item, stage)
Shares = list[list[tuple[int, ...]]]  # item -> place -> cost of each stage on that node
Segment = tuple[int, int, int, Choice]  # cost in 840ths per slot, slots, cost, choice at its end


@dataclass(slots=True)
class Offer:
    """Slots of one node by what they cost: `slots` without anybody leaving more, then hull segments."""

    slots: int
    points: list[tuple[int, int]]  # (slots, cost), both ascending, the first is (slots, 0)
    segments: list[tuple[int, int, int, Choice]]


@dataclass(slots=True)
class Estimate:
    """`bound`: no answer within these stages costs less. `picked`: what its nodes would take."""

    bound: int
    picked: dict[int, Choice]
    last: int = -1  # the node whose segment was needed only in part


class Relaxation:
    """Bounds of one domain for one size of pod; `low` and `high` limit each item's stage."""

    def __init__(self, domain: Domain, size: int, wanted: int, points_max: int) -> None:
        self.domain = domain
        self.points_max = points_max  # of a node; more only raise the bound
        self.size = size
        self.wanted = wanted
        self.evaluations = 0  # offers worked out: the measure of effort
        self.shares: Shares = [self._by_chips(number) for number in range(len(domain.items))]
        self._places = [{n: p for p, (n, _) in enumerate(item.chips)} for item in domain.items]

    def _by_chips(self, number: int) -> list[tuple[int, ...]]:
        """Each stage's weight split over the nodes that it or a later stage frees, by chips."""
        item = self.domain.items[number]
        if len(item.chips) == 1:
            return [item.weights]
        split = [[0] for _ in item.chips]
        for stage in range(1, item.top + 1):
            weight = item.weights[stage] - item.weights[stage - 1]
            rest = [chips[item.top] - chips[stage - 1] for _, chips in item.chips]
            _spread(split, weight, rest)
        return [tuple(costs) for costs in split]

    def offers(self, low: Stages, high: Stages) -> list[Offer]:
        return [self.offer(node, low, high) for node in range(len(self.domain.free))]

    def offer(self, node: int, low: Stages, high: Stages) -> Offer:
        """The cheapest way to each number of slots on a node, from `low` on."""
        self.evaluations += 1
        size = self.size
        chips = self.domain.free[node]
        points: list[tuple[int, int, Choice]] = [(0, 0, None)]
        for number, place in self.domain.on_node[node]:
            amounts = self.domain.items[number].chips[place][1]
            first, last = low[number], high[number]
            chips += amounts[first]
            if first == last or amounts[last] == amounts[first]:
                continue
            costs = self.shares[number][place]
            options = [
                (amounts[s] - amounts[first], costs[s] - costs[first], s)
                for s in range(first + 1, last + 1)
                if amounts[s] > amounts[s - 1]
            ]
            points = _combined(points, options, number, self.points_max)
        slots = max(0, chips) // size
        steps: list[tuple[int, int, Choice]] = [(slots, 0, None)]
        for amount, cost, choice in points:
            reached = (chips + amount) // size
            if reached > steps[-1][0]:
                steps.append((reached, cost, choice))
        # points ascend in both, so the first that reaches a number of slots is the cheapest
        return Offer(slots, [(s, c) for s, c, _ in steps], _hull(steps))

    def estimate(self, offers: Sequence[Offer], base: int) -> Estimate | None:
        """The bound above `base`, the weight of `low`; None when even everything is too little."""
        missing = self.wanted - sum(offer.slots for offer in offers)
        if missing <= 0:
            return Estimate(base, {})
        segments = [
            (segment, node) for node, offer in enumerate(offers) for segment in offer.segments
        ]
        segments.sort(key=lambda entry: entry[0][0])
        picked: dict[int, Choice] = {}
        for (price, slots, _, choice), node in segments:
            picked[node] = choice
            missing -= slots
            if missing <= 0:
                bound = base + max(0, self._bound(offers, price))
                return Estimate(bound, picked, node if missing < 0 else -1)
        return None

    def _bound(self, offers: Sequence[Offer], multiplier: int) -> int:
        total = multiplier * self.wanted
        for offer in offers:
            total += min(RATIO * cost - multiplier * slots for slots, cost in offer.points)
        return -(-total // RATIO)

    def chosen(self, estimate: Estimate, low: Stages) -> list[list[int]]:
        """For each item and each of its places, the stage that its node would take."""
        items = self.domain.items
        stages = [[low[number]] * len(item.chips) for number, item in enumerate(items)]
        for node, choice in estimate.picked.items():
            while choice is not None:
                choice, number, stage = choice
                stages[number][self._places[number][node]] = stage
        return stages

    def shift(self, low: Stages, chosen: list[list[int]]) -> bool:
        """Moves shares from nodes that left a piece to those that took it. False: none to move."""
        moved = False
        for number, taken in enumerate(chosen):
            top = max(taken)
            if len(taken) == 1 or min(taken) == top:
                continue
            split = [list(costs) for costs in self.shares[number]]
            for stage in range(low[number] + 1, top + 1):
                takers = [place for place, reached in enumerate(taken) if reached >= stage]
                freed = 0
                for place, reached in enumerate(taken):
                    if reached < stage:
                        here = (split[place][stage] - split[place][stage - 1]) // 8
                        _add_from(split[place], stage, -here)
                        freed += here
                moved = moved or freed > 0
                part, more = divmod(freed, len(takers))
                for count, place in enumerate(takers):
                    _add_from(split[place], stage, part + (count < more))
            self.shares[number] = [tuple(costs) for costs in split]
        return moved


def _spread(split: list[list[int]], weight: int, rest: Sequence[int]) -> None:
    total, given, last = sum(rest), 0, 0
    for place, part in enumerate(rest):
        share = weight * part // total
        given += share
        split[place].append(split[place][-1] + share)
        last = place if part else last
    split[last][-1] += weight - given


def _add_from(costs: list[int], stage: int, amount: int) -> None:
    for index in range(stage, len(costs)):
        costs[index] += amount


def _combined(
    points: list[tuple[int, int, Choice]],
    options: list[tuple[int, int, int]],
    number: int,
    points_max: int,
) -> list[tuple[int, int, Choice]]:
    """All sums of a point and at most one option, without those that give less and cost more."""
    every: list[tuple[int, int, Choice]] = list(points)
    for amount, cost, stage in options:
        every += [(a + amount, c + cost, (choice, number, stage)) for a, c, choice in points]
    every.sort(key=lambda point: (-point[0], point[1]))  # most first
    kept: list[tuple[int, int, Choice]] = []
    for point in every:
        if not kept or point[1] < kept[-1][1]:
            kept.append(point)
    kept.reverse()
    if len(kept) > points_max:
        kept = _thinned(kept, points_max)
    return kept


def _thinned(
    points: list[tuple[int, int, Choice]], points_max: int
) -> list[tuple[int, int, Choice]]:
    """Neighbours merged into the most of them for the cost of the cheapest: still a lower bound."""
    stride = -(-len(points) // points_max)
    kept = [points[0]]
    for start in range(1, len(points), stride):
        group = points[start : start + stride]
        kept.append((group[-1][0], group[0][1], group[-1][2]))
    return kept


def _hull(steps: list[tuple[int, int, Choice]]) -> list[Segment]:
    """The lower convex hull, as segments of ascending price per slot."""
    corners: list[tuple[int, int, Choice]] = []
    for step in steps:
        while len(corners) > 1:
            (s0, c0, _), (s1, c1, _) = corners[-2], corners[-1]
            if (c1 - c0) * (step[0] - s1) <= (step[1] - c1) * (s1 - s0):
                break
            corners.pop()
        corners.append(step)
    return [
        (RATIO * (c1 - c0) // (s1 - s0), s1 - s0, c1 - c0, choice)
        for (s0, c0, _), (s1, c1, choice) in pairwise(corners)
    ]
