"""What a pod would lose by leaving, from what its object says."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.base import names
from mizzen.scheduler.core.disruption_cost import RESTART_MS, DisruptionCost, disruption_cost_of

NOW_NS = 1_800_000_000 * 10**9
STARTED = "2027-01-15T07:00:00Z"  # an hour before NOW_NS


def pod(owner: str = "", start: str = "", **notes: str) -> dict[str, Any]:
    keys = {
        "step": names.STEP,
        "saved": names.CHECKPOINT_STEP,
        "progress": names.PROGRESS,
        "reload": names.RELOAD_SECONDS,
        "loses": names.DISRUPTION,
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
    found = disruption_cost_of(pod("ModelEndpoint", STARTED, reload="42.5", loses="stateless")).at(
        NOW_NS
    )
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


def test_what_resumes_before_anything_is_saved_is_suspended_not_lost() -> None:
    found = disruption_cost_of(pod("TrainJob", STARTED, loses="resumable")).at(NOW_NS)
    assert found == DisruptionCost(3_600_000, RESTART_MS, True)
    found = disruption_cost_of(pod("TrainJob", step="3", loses="resumable")).at(NOW_NS)
    assert found == DisruptionCost(3_000, RESTART_MS, True)


def test_kinds_of_mizzen_are_not_known_by_name() -> None:
    for owner in ("TrainJob", "ModelEndpoint"):
        found = disruption_cost_of(pod(owner, STARTED)).at(NOW_NS)
        assert found == DisruptionCost(3_600_000, RESTART_MS, False)
