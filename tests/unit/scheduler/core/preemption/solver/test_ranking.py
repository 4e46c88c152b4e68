"""Ranking by totals: nothing that can be freed is missed, and what is spelled out is answered exactly."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mizzen.scheduler.core.limits import Limits
from mizzen.scheduler.core.preemption.solver.choose import choose
from mizzen.scheduler.core.preemption.solver.objective import cell_of, cost_of
from mizzen.scheduler.core.preemption.solver.problem import Problem
from mizzen.scheduler.core.preemption.solver.ranking import (
    Columns,
    choose_ranked,
    gather,
    rank_domains,
)
from oracle import preemption_milp as oracle
from support.preemption_cases import cluster


def totals(problem: Problem) -> Columns:
    """Every node is a leaf."""
    nodes = len(problem.free)
    cells = sorted({cell_of(h.priority, step.kind) for h in problem.holders for step in h.steps})
    chips = [[0] * nodes for _ in cells]
    losses = [[0] * nodes for _ in cells]
    for holder in problem.holders:
        for step in holder.steps:
            cell = cells.index(cell_of(holder.priority, step.kind))
            whole = sum(amount for _, amount in step.frees)
            for node, amount in step.frees:
                chips[cell][node] += amount
                losses[cell][node] += step.loss * amount // whole
    return Columns(problem.free, cells, chips, losses)


def spelled(problem: Problem, domains: Sequence[int]) -> Problem:
    return Problem(
        problem.demand,
        problem.free,
        tuple(problem.domains[d] for d in domains),
        problem.holders,
    )


@pytest.mark.parametrize("seed", range(40))
def test_a_domain_that_can_be_freed_is_ranked_and_found(seed: int) -> None:
    problem = cluster(seed, nodes=24, rack=2)
    ranked = rank_domains(totals(problem), problem.domains, problem.demand.chips)
    everything = [len(holder.steps) for holder in problem.holders]
    can = [d for d, nodes in enumerate(problem.domains) if oracle.fits(problem, nodes, everything)]
    assert set(can) <= {entry.domain for entry in ranked}
    found = choose_ranked(
        ranked, lambda some: spelled(problem, some), limits=Limits(ranked_domains=1)
    )
    assert (found is not None) == bool(can)
    if found is not None:
        assert found.domain in can
        assert oracle.fits(problem, problem.domains[found.domain], found.answer.levels)


@pytest.mark.parametrize("seed", range(40))
def test_no_answer_in_a_domain_spares_the_cell_it_is_ranked_by(seed: int) -> None:
    problem = cluster(seed, nodes=16, rack=4)
    for entry in rank_domains(totals(problem), problem.domains, problem.demand.chips):
        alone = spelled(problem, [entry.domain])
        answer = choose(alone)
        if answer is not None:
            lost, _ = cost_of(alone.holders, answer.levels)
            assert (lost[0][0] if lost else ()) >= entry.cell


@pytest.mark.parametrize("seed", range(20))
def test_looking_at_all_domains_is_choosing_among_them(seed: int) -> None:
    problem = cluster(seed, nodes=16, rack=4)
    ranked = rank_domains(totals(problem), problem.domains, problem.demand.chips)
    found = choose_ranked(
        ranked, lambda some: spelled(problem, some), limits=Limits(ranked_domains=len(ranked))
    )
    answer = choose(problem)
    assert (found is None) == (answer is None)
    if found is not None and answer is not None:
        assert cost_of(found.problem.holders, found.answer.levels) == cost_of(
            problem.holders, answer.levels
        )


@pytest.mark.parametrize("seed", range(20))
def test_gathered_leaves_have_the_chips_and_more_slack_takes_them_all(seed: int) -> None:
    problem = cluster(seed, nodes=24)
    columns = totals(problem)
    nodes = range(len(problem.free))
    every = sum(problem.free) + sum(sum(column) for column in columns.chips)
    want = every // 3
    leaves = gather(columns, nodes, want, 1.25)
    assert sum(columns.free[n] + sum(c[n] for c in columns.chips) for n in leaves) >= want
    useful = [n for n in nodes if columns.free[n] or any(c[n] for c in columns.chips)]
    assert gather(columns, nodes, max(1, want), slack=1e9) == useful
