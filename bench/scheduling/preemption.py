"""How long it takes to decide who leaves for a large gang, in a cluster full of less important jobs.

    python bench/scheduling/preemption.py [--small 500] [--medium 1000] [--large 256000] [--rounds 3]

Library figures only, after KAI's ReclaimLargeJobs: every chip is taken by jobs of 1 to 128 chips,
some elastic, of two priorities; then a gang arrives that wants whole nodes. A decision is all from
the totals by rack that a cluster keeps up to date: picking racks or ranking blocks, spelling out
what is in them, the search, and counting the answer's chips once more. Totals built anew from all
jobs, which a running scheduler never does, are shown apart.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from measuring import Figure, main

from mizzen.scheduler.core.preemption.solver.choose import choose
from mizzen.scheduler.core.preemption.solver.objective import Cell, cell_of
from mizzen.scheduler.core.preemption.solver.problem import (
    Answer,
    Demand,
    Holder,
    Kind,
    Problem,
    Step,
)
from mizzen.scheduler.core.preemption.solver.ranking import (
    Columns,
    choose_ranked,
    gather,
    rank_domains,
)

RACK = 16  # nodes
BLOCK = 32  # racks
SIZES = ((1, 1), (2, 1), (4, 1), (4, 2), (8, 1), (8, 4), (8, 16))  # chips of a pod, pods


@dataclass
class Cluster:
    """Jobs as columns, who is on which node, and totals by rack."""

    chips: int
    nodes: int
    holders: list[Holder]
    free: list[int]
    on_node: list[list[int]]
    columns: Columns
    columns_s: float

    @property
    def racks(self) -> range:
        return range(-(-self.nodes // RACK))

    def nodes_of(self, racks: Sequence[int]) -> list[int]:
        return [node for r in racks for node in range(r * RACK, min(self.nodes, (r + 1) * RACK))]

    def problem(self, demand: Demand, domains: Sequence[Sequence[int]]) -> Problem:
        """The question, with the nodes of these domains numbered from 0 and all others left out."""
        local = {node: i for i, node in enumerate(n for nodes in domains for n in nodes)}
        here = sorted({job for node in local for job in self.on_node[node]})
        holders = tuple(
            Holder(
                job,
                self.holders[job].priority,
                tuple(
                    Step(
                        s.kind,
                        s.loss,
                        tuple((local[n], c) for n, c in s.frees if n in local),
                        s.pods,
                    )
                    for s in self.holders[job].steps
                ),
            )
            for job in here
        )
        free = tuple(self.free[node] for node in local)
        numbered = tuple(tuple(local[node] for node in nodes) for nodes in domains)
        return Problem(demand, free, numbered, holders)


def full(nodes: int, chips: int) -> Cluster:
    """Jobs in the order they came, each where the last one ended, until no chip is left."""
    random = Random(nodes)
    free = [chips] * nodes
    on_node: list[list[int]] = [[] for _ in range(nodes)]
    holders: list[Holder] = []
    node = 0
    while node < nodes:
        size, pods = random.choice(SIZES)
        size = min(size, chips)
        ranks: list[int] = []
        while len(ranks) < pods and node < nodes:
            if free[node] >= size:
                free[node] -= size
                ranks.append(node)
            elif free[node] == 0 or not ranks:
                size = free[node] if free[node] and pods == 1 else size
                node += free[node] < size
            else:
                node += 1
        for place in dict.fromkeys(ranks):
            on_node[place].append(len(holders))
        if ranks:
            holders.append(job(random, len(holders), size, ranks))
        while node < nodes and not free[node]:
            node += 1
    began = time.perf_counter()
    columns = totals(holders, free)
    seconds = time.perf_counter() - began
    return Cluster(chips, nodes, holders, free, on_node, columns, seconds)


def job(random: Random, number: int, size: int, ranks: list[int]) -> Holder:
    least = len(ranks) // 2 if len(ranks) > 1 and random.random() < 0.2 else len(ranks)
    unsaved_ms = random.randint(10_000, 900_000)
    steps = [Step(Kind.SHRINK, 5_000 * size, ((n, size),)) for n in reversed(ranks[least:])]
    rest: dict[int, int] = {}
    for node in ranks[:least]:
        rest[node] = rest.get(node, 0) + size
    steps.append(Step(Kind.SUSPEND, unsaved_ms * size * len(ranks), tuple(rest.items()), least))
    return Holder(number, random.choice((0, 0, 1)), tuple(steps))


def totals(holders: list[Holder], free: list[int]) -> Columns:
    racks = -(-len(free) // RACK)
    cells: list[Cell] = [cell_of(p, k) for k in (Kind.SHRINK, Kind.SUSPEND) for p in (0, 1)]
    place = {cell: index for index, cell in enumerate(cells)}
    chips = [[0] * racks for _ in cells]
    losses = [[0] * racks for _ in cells]
    for holder in holders:
        for step in holder.steps:
            cell = place[cell_of(holder.priority, step.kind)]
            whole = sum(amount for _, amount in step.frees)
            for node, amount in step.frees:
                chips[cell][node // RACK] += amount
                losses[cell][node // RACK] += step.loss * amount // whole
    idle = [sum(free[r * RACK : (r + 1) * RACK]) for r in range(racks)]
    return Columns(idle, cells, chips, losses)


def anywhere(cluster: Cluster, demand: Demand) -> tuple[Problem, Answer]:
    """For a gang that requires no topology: the cheapest racks, more of them if need be."""
    slack = 1.25
    while True:
        racks = gather(cluster.columns, cluster.racks, demand.chips, slack)
        problem = cluster.problem(demand, [cluster.nodes_of(racks)])
        answer = choose(problem)
        if answer is not None or len(racks) == len(cluster.racks):
            assert answer is not None, "a cluster of less important jobs can be freed"
            return problem, answer
        slack *= 2


def in_one_block(cluster: Cluster, demand: Demand) -> tuple[Problem, Answer]:
    """For a gang that requires one block: ranked blocks, the best of them spelled out."""
    racks = cluster.racks
    blocks = [racks[at : at + BLOCK] for at in range(0, len(racks), BLOCK)]
    ranked = rank_domains(cluster.columns, blocks, demand.chips)
    found = choose_ranked(
        ranked,
        lambda some: cluster.problem(demand, [cluster.nodes_of(blocks[b]) for b in some]),
    )
    assert found is not None, "a cluster of less important jobs can be freed"
    return found.problem, found.answer


def taken(problem: Problem, answer: Answer) -> list[Step]:
    pairs = zip(problem.holders, answer.levels, strict=True)
    return [step for holder, level in pairs for step in holder.steps[:level]]


def verify(problem: Problem, answer: Answer) -> None:
    """The demand's whole nodes are free in one domain."""
    free = list(problem.free)
    for step in taken(problem, answer):
        for node, chips in step.frees:
            free[node] += chips
    ((size, count),) = problem.demand.pods
    assert sum(free[node] // size for node in problem.domains[answer.domain]) >= count


def timed(cluster: Cluster, ask: object, pods: int, rounds: int) -> tuple[float, int]:
    assert callable(ask)
    demand = Demand(((cluster.chips, pods),))
    took: list[float] = []
    victims = 0
    for _ in range(rounds):
        began = time.perf_counter()
        problem, answer = ask(cluster, demand)
        verify(problem, answer)
        took.append(time.perf_counter() - began)
        victims = sum(step.pods for step in taken(problem, answer))
    return median(took) * 1e3, victims


def measure(arguments: argparse.Namespace) -> list[Figure]:
    figures: list[Figure] = []
    cases = (
        (arguments.small, 8, 50, ((anywhere, 4), (in_one_block, 8))),
        (arguments.medium, 8, 200, ((anywhere, 4), (in_one_block, 8))),
        (arguments.large, 4, 2000, ((anywhere, 256), (anywhere, 64), (in_one_block, 1024))),
    )
    for nodes, chips, at_most, asked in cases:
        cluster = full(nodes, chips)
        for ask, part in asked:
            pods = max(1, min(nodes, max(1, nodes // part)))
            ms, victims = timed(cluster, ask, pods, arguments.rounds)
            where = ask.__name__.replace("_", " ")
            name = f"{nodes:,} nodes: {pods:,} whole nodes {where}, {victims:,} pods leave"
            figures.append(Figure(name, ms, "ms", at_most))
        seconds = cluster.columns_s
        figures.append(Figure(f"{nodes:,} nodes: totals built anew", seconds * 1e3, "ms"))
    return figures


if __name__ == "__main__":
    options = (
        ("small", 500, "nodes of 8 chips"),
        ("medium", 1000, "nodes of 8 chips"),
        ("large", 256_000, "nodes of 4 chips"),
        ("rounds", 3, "rounds"),
    )
    raise SystemExit(main(__doc__ or "", measure, options))
