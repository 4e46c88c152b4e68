"""Ranking by totals: nothing that can be freed is missed, and what is spelled out is answered exactly."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mizzen.scheduler.core.preemption.choose import choose
from mizzen.scheduler.core.preemption.instance import Instance
from mizzen.scheduler.core.preemption.objective import cell_of
from mizzen.scheduler.core.preemption.ranking import (
    Columns,
    choose_ranked,
    gather,
    lost,
    rank_domains,
)
from oracle import preemption_milp as oracle
from support.preemption_cases import cluster


def totals(instance: Instance) -> Columns:
    """Every node is a leaf."""
    nodes = len(instance.free)
    touchable = [holder for holder in instance.holders if holder.priority < instance.below]
    cells = sorted({cell_of(h.priority, step.kind) for h in touchable for step in h.steps})
    chips = [[0] * nodes for _ in cells]
    losses = [[0] * nodes for _ in cells]
    for holder in touchable:
        for step in holder.steps:
            cell = cells.index(cell_of(holder.priority, step.kind))
            whole = sum(amount for _, amount in step.frees)
            for node, amount in step.frees:
                chips[cell][node] += amount
                losses[cell][node] += step.loss * amount // whole
    return Columns(instance.free, cells, chips, losses)


def spelled(instance: Instance, domains: Sequence[int]) -> Instance:
    return Instance(
        instance.demand,
        instance.below,
        instance.free,
        tuple(instance.domains[d] for d in domains),
        instance.holders,
        instance.allowed,
    )


@pytest.mark.parametrize("seed", range(40))
def test_a_domain_that_can_be_freed_is_ranked_and_found(seed: int) -> None:
    instance = cluster(seed, nodes=24, rack=2)
    ranked = rank_domains(totals(instance), instance.domains, instance.demand.chips)
    everything = [len(h.steps) if h.priority < instance.below else 0 for h in instance.holders]
    can = [
        d for d, nodes in enumerate(instance.domains) if oracle.fits(instance, nodes, everything)
    ]
    assert set(can) <= {entry.domain for entry in ranked}
    found = choose_ranked(ranked, lambda some: spelled(instance, some), looks=1)
    assert (found is not None) == bool(can)
    if found is not None:
        assert found.domain in can
        assert oracle.fits(instance, instance.domains[found.domain], found.answer.levels)


@pytest.mark.parametrize("seed", range(40))
def test_no_answer_in_a_domain_spares_the_cell_it_is_ranked_by(seed: int) -> None:
    instance = cluster(seed, nodes=16, rack=4)
    for entry in rank_domains(totals(instance), instance.domains, instance.demand.chips):
        alone = spelled(instance, [entry.domain])
        answer = choose(alone)
        if answer is not None:
            loss = lost(alone, answer.levels)
            assert (loss[0][0] if loss else ()) >= entry.cell


@pytest.mark.parametrize("seed", range(20))
def test_looking_at_all_domains_is_choosing_among_them(seed: int) -> None:
    instance = cluster(seed, nodes=16, rack=4)
    ranked = rank_domains(totals(instance), instance.domains, instance.demand.chips)
    found = choose_ranked(ranked, lambda some: spelled(instance, some), looks=len(ranked))
    answer = choose(instance)
    assert (found is None) == (answer is None)
    if found is not None and answer is not None:
        assert lost(found.instance, found.answer.levels) == lost(instance, answer.levels)


@pytest.mark.parametrize("seed", range(20))
def test_gathered_leaves_have_the_chips_and_more_slack_takes_them_all(seed: int) -> None:
    instance = cluster(seed, nodes=24)
    columns = totals(instance)
    nodes = range(len(instance.free))
    every = sum(instance.free) + sum(sum(column) for column in columns.chips)
    want = every // 3
    leaves = gather(columns, nodes, want)
    assert sum(columns.free[n] + sum(c[n] for c in columns.chips) for n in leaves) >= want
    useful = [n for n in nodes if columns.free[n] or any(c[n] for c in columns.chips)]
    assert gather(columns, nodes, max(1, want), slack=1e9) == useful
