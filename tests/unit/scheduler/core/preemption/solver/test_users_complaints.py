"""Complaints of other schedulers' users about preemption, each as a small cluster."""

from __future__ import annotations

from mizzen.scheduler.core.preemption.solver.choose import choose
from mizzen.scheduler.core.preemption.solver.problem import (
    Answer,
    Demand,
    Holder,
    Kind,
    Problem,
    Step,
)
from support.preemption_cases import taken


def pod(key: str, node: int, chips: int, loss: int = 100, priority: int = 0) -> Holder:
    return Holder(key, priority, (Step(Kind.SUSPEND, loss, ((node, chips),)),))


def leaving(problem: Problem, answer: Answer | None) -> list[str]:
    assert answer is not None
    return [str(holder.key) for holder, _ in taken(problem, answer)]


def racks(count: int, nodes: int) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(range(at * nodes, (at + 1) * nodes)) for at in range(count))


def test_a_clique_of_64_that_must_share_one_domain_gets_one_instead_of_waiting_forever() -> None:
    """As many chips could be had more cheaply, but scattered over all domains: no use to it."""
    holders = [
        pod(f"{rack}-{node}", rack * 8 + node, 8, loss=1 if node < 4 else 1_000 + rack)
        for rack in range(3)
        for node in range(8)
    ]
    problem = Problem(Demand(((8, 8),)), (0,) * 24, racks(3, 8), tuple(holders))
    answer = choose(problem)
    assert answer is not None
    assert answer.domain == 0
    assert leaving(problem, answer) == [f"0-{node}" for node in range(8)]


def test_a_domain_is_freed_though_none_is_freed_by_the_least_important_alone() -> None:
    """Every domain holds somebody of middling importance, so the cheapest such domain is taken."""
    holders: list[Holder] = []
    for rack in range(4):
        holders += [pod(f"{rack}-{node}", rack * 4 + node, 8) for node in range(3)]
        holders.append(pod(f"{rack}-core", rack * 4 + 3, 8, loss=500 - rack, priority=5))
    problem = Problem(Demand(((8, 4),)), (0,) * 16, racks(4, 4), tuple(holders))
    assert leaving(problem, choose(problem)) == ["3-0", "3-1", "3-2", "3-core"]


def test_a_gang_is_fitted_in_by_moving_others_to_what_is_free_elsewhere() -> None:
    """Free chips abound, a pod or two in each domain: the domain with the least to move is freed.

    Whoever leaves goes back to the queue and finds the free chips of the other domains.
    """
    free = [8, 8, 7, 8] * 2
    free[6] = 4
    holders = (pod("mouse", 2, 1, loss=10), pod("dog", 6, 4, loss=40))
    problem = Problem(Demand(((8, 4),)), tuple(free), racks(2, 4), holders)
    answer = choose(problem)
    assert answer is not None
    assert answer.domain == 0
    assert leaving(problem, answer) == ["mouse"]


def test_victims_are_taken_where_their_leaving_helps_and_nowhere_else() -> None:
    """The cheapest pods of the cluster sit beside what may not leave; they are left alone."""
    holders: list[Holder] = []
    for node in range(4):
        holders.append(pod(f"cheap-{node}", node, 4, loss=1))
    holders += [pod(f"dear-{node}", 4 + node, 8, loss=900) for node in range(2)]
    problem = Problem(Demand(((8, 2),)), (0,) * 6, ((0, 1, 2, 3, 4, 5),), tuple(holders))
    assert leaving(problem, choose(problem)) == ["dear-0", "dear-1"]


def test_what_is_reclaimed_comes_from_siblings_by_what_they_lose_not_all_from_one() -> None:
    """Two queues' jobs of one priority: the surplus of both goes before anything of either dies."""
    holders: list[Holder] = []
    for queue in (0, 1):
        surplus = [Step(Kind.SHRINK, 5, ((queue, 2),)) for _ in range(2)]
        rest = Step(Kind.SUSPEND, 400, ((queue, 4),), 2)
        holders.append(Holder(f"queue-{queue}", 0, (*surplus, rest)))
    problem = Problem(Demand(((4, 2),)), (0, 0), ((0, 1),), tuple(holders))
    answer = choose(problem)
    assert answer is not None
    assert answer.levels == (2, 2)


def test_a_large_gang_reclaims_from_jobs_of_all_sizes_without_breaking_one_more_than_needed() -> (
    None
):
    """A job over four nodes is broken once and used on all of them; singles stay where they are."""
    frees = tuple((node, 8) for node in range(4))
    wide = Holder("wide", 0, (Step(Kind.SUSPEND, 2_000, frees, 4),))
    singles = [pod(f"single-{node}", 4 + node, 8, loss=600) for node in range(4)]
    problem = Problem(Demand(((8, 4),)), (0,) * 8, (tuple(range(8)),), (wide, *singles))
    assert leaving(problem, choose(problem)) == ["wide"]
    three = Problem(Demand(((8, 3),)), (0,) * 8, (tuple(range(8)),), (wide, *singles))
    assert leaving(three, choose(three)) == ["single-0", "single-1", "single-2"]
