"""Steps and losses of pods and gangs, from what their objects say."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.base import names
from mizzen.scheduler.core.disruption_cost import RESTART_MS, DisruptionCost, disruption_cost_of
from mizzen.scheduler.core.preemption.holders import REFORM_MS, Member, gang, single
from mizzen.scheduler.core.preemption.solver.choose import choose
from mizzen.scheduler.core.preemption.solver.problem import Demand, Holder, Kind, Problem

NOW_NS = 1_800_000_000 * 10**9
STARTED = "2027-01-15T07:00:00Z"  # an hour before NOW_NS


def pod(owner: str = "", start: str = "", **notes: str) -> dict[str, Any]:
    keys = {
        "step": names.STEP,
        "saved": names.CHECKPOINT_STEP,
        "progress": names.PROGRESS,
        "reload": names.RELOAD_SECONDS,
    }
    metadata: dict[str, Any] = {"name": "p", "annotations": {keys[n]: v for n, v in notes.items()}}
    if owner:
        metadata["ownerReferences"] = [{"kind": owner, "controller": True, "uid": "u", "name": "o"}]
    return {"metadata": metadata, "status": {"startTime": start} if start else {}}


def test_steps_since_the_checkpoint_are_what_a_training_pod_loses() -> None:
    found = disruption_cost_of(
        pod("TrainJob", step="120", saved="100", progress='{"stepSeconds": 0.5}')
    ).at(0)
    assert found == DisruptionCost(10_000, RESTART_MS, True)


def test_all_steps_are_lost_while_nothing_is_saved() -> None:
    found = disruption_cost_of(pod("Job", step="120", progress='{"stepSeconds": 0.5}')).at(0)
    assert found == DisruptionCost(60_000, RESTART_MS, False)


def test_a_replica_only_loses_its_warm_cache() -> None:
    found = disruption_cost_of(pod("ModelEndpoint", STARTED, reload="42.5")).at(NOW_NS)
    assert found == DisruptionCost(0, 42_500, True)


@pytest.mark.parametrize("owner", ["", "Job"])
def test_a_pod_that_says_nothing_loses_its_run(owner: str) -> None:
    found = disruption_cost_of(pod(owner, STARTED)).at(NOW_NS)
    assert found == DisruptionCost(3_600_000, RESTART_MS, False)


@pytest.mark.parametrize(
    "notes",
    [
        {"reload": "soon"},
        {"reload": "-1"},
        {"reload": "nan"},
        {"reload": "1e300"},
        {"step": "x"},
        {"step": "-4"},
        {"step": "9" * 40},
        {"saved": "?"},
    ],
)
def test_what_cannot_be_read_counts_as_absent(notes: dict[str, str]) -> None:
    assert disruption_cost_of(pod("ReplicaSet", "when?", **notes)).at(NOW_NS) == DisruptionCost()


@pytest.mark.parametrize(
    "progress", ["", "[]", "{", '{"stepSeconds": null}', '{"stepSeconds": -1}']
)
def test_a_step_without_a_time_counts_as_a_second(progress: str) -> None:
    assert (
        disruption_cost_of(pod("TrainJob", step="7", saved="4", progress=progress)).at(0).unsaved_ms
        == 3_000
    )


def test_a_clock_that_went_back_loses_nothing() -> None:
    assert disruption_cost_of(pod("", STARTED)).at(0).unsaved_ms == 0


def test_an_elastic_gang_gives_its_surplus_from_the_last_rank_then_all_the_rest() -> None:
    members = [Member(rank, 2, DisruptionCost(60_000, 1_000)) for rank in range(4)]
    found = gang("g", 3, members, min_count=2)
    assert [step.kind for step in found.steps] == [Kind.SHRINK, Kind.SHRINK, Kind.SUSPEND]
    assert [step.frees for step in found.steps] == [((3, 2),), ((2, 2),), ((0, 2), (1, 2))]
    assert [step.loss for step in found.steps] == [2 * REFORM_MS, 2 * REFORM_MS, 8 * 61_000]
    assert [step.pods for step in found.steps] == [1, 1, 2]


def test_a_group_disrupted_as_a_whole_has_one_step() -> None:
    members = [Member(0, 1, budgets=(7,)), Member(0, 1, budgets=(7,)), Member(1, 1)]
    (step,) = gang("g", 0, members, min_count=1, disrupted_whole=True).steps
    assert (step.frees, step.pods, step.budgets) == (((0, 2), (1, 1)), 3, ((7, 2),))


def test_a_gang_of_which_one_pod_cannot_resume_is_killed() -> None:
    members = [Member(0, 1), Member(1, 1, DisruptionCost(resumes=False))]
    assert gang("g", 0, members, 2).steps[-1].kind is Kind.KILL


def asked(holders: list[Holder], chips: int = 8) -> list[object]:
    """Who leaves so that a pod of priority 9 gets `chips` of node 0 or 1, both full."""
    problem = Problem(Demand(((chips, 1),)), 9, (0, 0), ((0,), (1,)), tuple(holders))
    answer = choose(problem)
    assert answer is not None
    return [holder.key for holder, _ in answer.steps(problem)]


def test_a_checkpoint_written_just_now_makes_a_gang_the_cheaper_victim() -> None:
    fresh = single("fresh", 0, Member(0, 8, DisruptionCost(unsaved_ms=5_000)))
    stale = single("stale", 0, Member(1, 8, DisruptionCost(unsaved_ms=600_000)))
    assert asked([stale, fresh]) == ["fresh"]


def test_a_cold_cache_leaves_before_a_warm_one() -> None:
    warm = single("warm", 0, Member(0, 8, DisruptionCost(reload_ms=90_000)))
    cold = single("cold", 0, Member(1, 8, DisruptionCost(reload_ms=10_000)))
    assert asked([warm, cold]) == ["cold"]


def test_among_equals_what_can_resume_goes_before_what_is_lost() -> None:
    lost = single("lost", 0, Member(0, 8, DisruptionCost(1_000, resumes=False)))
    kept = single("kept", 0, Member(1, 8, DisruptionCost(900_000)))
    assert asked([lost, kept]) == ["kept"]


def test_the_less_important_goes_though_it_loses_more() -> None:
    low = single("low", 0, Member(0, 8, DisruptionCost(900_000, resumes=False)))
    high = single("high", 1, Member(1, 8, DisruptionCost(1_000)))
    assert asked([high, low]) == ["low"]


def test_surplus_of_the_more_important_goes_before_anyone_whole() -> None:
    elastic = gang("elastic", 5, [Member(0, 4), Member(0, 4)], min_count=1)
    low = single("low", 0, Member(1, 8))
    assert asked([low, elastic], chips=4) == ["elastic"]
