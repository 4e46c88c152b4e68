"""Seeded clusters full of jobs, for questions of preemption: single pods, gangs, elastic surplus."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from mizzen.scheduler.core.preemption.solver.problem import (
    Answer,
    Demand,
    Holder,
    Kind,
    Problem,
    Step,
)

BELOW = 5  # the preemptor's priority: whoever is as important stays where they are


@dataclass(frozen=True)
class Habits:
    """What the jobs of one cluster are like; tuples are drawn from, the others are chances."""

    priorities: tuple[int, ...]
    kinds: tuple[Kind, ...]
    members: tuple[int, ...]
    elastic: float
    scattered: float  # anywhere rather than on neighbouring nodes
    lonely: float  # one rank a node rather than as many as fit


def cluster(
    seed: int,
    nodes: int,
    chips: int = 8,
    rack: int = 4,
    jobs_max: int = 1000,
) -> Problem:
    """A nearly full cluster and a gang that wants part of a rack, a block, or of everything.

    Losses are small integers, so that an integer programme in floating point stays exact.
    """
    random = Random(seed)
    free = [chips] * nodes
    holders: list[Holder] = []
    fill = random.choice((0.7, 0.9, 1.0, 1.0))
    habits = Habits(
        priorities=random.choice(((0,), (0, 1), (0, 0, 1, 2, 4, 6))),
        kinds=random.choice(((Kind.SUSPEND,), (Kind.SUSPEND, Kind.SUSPEND, Kind.KILL))),
        members=random.choice(((1, 2, 3, 4), (1, 1, 1, 2, 4, 4, 8, 16), (2, 3, 5, 9))),
        elastic=random.choice((0.0, 0.4)),
        scattered=random.choice((0.2, 0.5, 1.0)),
        lonely=random.choice((0.0, 0.5, 1.0)),
    )
    misses = 0
    while sum(free) > (1 - fill) * nodes * chips and misses < 50 and len(holders) < jobs_max:
        holder = _holder(random, habits, free, len(holders))
        if holder is None:
            misses += 1
        else:
            holders.append(holder)
    random.shuffle(holders)
    width = random.choice((rack, 2 * rack, nodes // 2, nodes))
    domains = tuple(tuple(range(at, min(nodes, at + width))) for at in range(0, nodes, width))
    eligible = tuple(holder for holder in holders if holder.priority < BELOW)
    demand = _demand(random, chips, min(width, nodes))
    return Problem(demand, tuple(free), domains, eligible)


def scattered(seed: int, nodes: int, chips: int = 8) -> Problem:
    """The hardest kind: full, all gangs alike in importance, each in pieces all over the cluster."""
    random = Random(seed)
    free = [chips] * nodes
    holders: list[Holder] = []
    while sum(free):
        size = random.choice((1, 2, 4))
        where = [node for node in range(nodes) if free[node] >= size]
        random.shuffle(where)
        ranks = where[: random.choice((2, 3, 4, 6, 8))]
        if not ranks:
            continue
        for node in ranks:
            free[node] -= size
        frees = tuple((node, size) for node in ranks)
        loss = random.randint(50, 900) * size * len(ranks)
        step = Step(Kind.SUSPEND, loss, frees, len(ranks))
        holders.append(Holder(f"h{len(holders)}", 0, (step,)))
    count = max(1, nodes // random.choice((2, 4, 8)))
    demand = Demand(((random.choice((chips, chips, chips // 2)), count),))
    return Problem(demand, tuple(free), (tuple(range(nodes)),), tuple(holders))


def _demand(random: Random, chips: int, width: int) -> Demand:
    size = random.choice((1, 2, chips // 2, chips, chips))
    most = max(1, width * chips // size)
    count = random.randint(max(1, most // 4), max(1, most * 3 // 4))
    pods = [(size, min(count, 64))]
    if random.random() < 0.25 and size > 1:
        pods.append((1, random.randint(1, 3)))
    return Demand(tuple(pods))


def _holder(random: Random, habits: Habits, free: list[int], number: int) -> Holder | None:
    """A job that takes its chips from `free`; None when it does not fit."""
    size = random.choice((1, 1, 2, 4, 8))
    members = random.choice(habits.members)
    where = list(range(len(free)))
    if random.random() < habits.scattered:
        random.shuffle(where)
    else:  # neighbours, as a topology-aware placement leaves them
        start = random.randrange(len(free))
        where = where[start:] + where[:start]
    ranks: list[int] = []
    most = 1 if random.random() < habits.lonely else members
    for node in where:
        before = len(ranks)
        while len(ranks) - before < most and free[node] >= size and len(ranks) < members:
            free[node] -= size
            ranks.append(node)
    if len(ranks) < members:
        for node in ranks:
            free[node] += size
        return None
    least = random.randint(1, members) if random.random() < habits.elastic else members
    steps = [
        Step(Kind.SHRINK, random.randint(1, 5) * size, ((node, size),))
        for node in reversed(ranks[least:])
    ]
    rest: dict[int, int] = {}
    for node in ranks[:least]:
        rest[node] = rest.get(node, 0) + size
    loss = random.randint(0, 900) * size * members
    steps.append(Step(random.choice(habits.kinds), loss, tuple(rest.items()), least))
    return Holder(f"h{number}", random.choice(habits.priorities), tuple(steps))


def taken(problem: Problem, answer: Answer) -> list[tuple[Holder, Step]]:
    """Every step taken, holder by holder."""
    return [
        (holder, step)
        for holder, level in zip(problem.holders, answer.levels, strict=True)
        for step in holder.steps[:level]
    ]
