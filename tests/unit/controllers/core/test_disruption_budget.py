"""Disruption budgets say how many evictions are allowed."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.base.clock import rfc3339
from mizzen.base.objects import Key, owner_reference
from mizzen.base.operations import Patch
from mizzen.base.resources import DEPLOYMENTS, JOBS, POD_DISRUPTION_BUDGETS, PODS, REPLICA_SETS
from mizzen.controllers.core.actions import EmitEvent, RequeueAfter
from mizzen.controllers.core.disruption_budget import reconcile
from mizzen.controllers.core.view import View

Obj = dict[str, Any]
NOW_NS = 1_800_000_000 * 10**9
OWNER: Obj = {
    "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j", "namespace": "d", "uid": "u"},
    "spec": {"parallelism": 10},
}  # fmt: skip


def budget(status: Obj | None = None, **spec: Any) -> Obj:
    return {
        "metadata": {"name": "b", "namespace": "d", "uid": "ub", "generation": 2},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, **spec},
        "status": status or {},
    }


def pod(name: str, ready: bool = True, owner: Obj | None = None, **metadata: Any) -> Obj:
    owners = {"ownerReferences": [owner_reference(owner)]} if owner else {}
    condition = {"type": "Ready", "status": "True" if ready else "False"}
    return {
        "metadata": {"name": name, "namespace": "d", "uid": name, "labels": {"app": "web"},
                     **owners, **metadata},
        "spec": {}, "status": {"conditions": [condition]},
    }  # fmt: skip


def status_of(made: Obj, *pods: Obj) -> Obj:
    objects = [(POD_DISRUPTION_BUDGETS, made), (JOBS, OWNER), *((PODS, each) for each in pods)]
    actions = reconcile(View.of(objects), Key("d", "b"), NOW_NS)
    return next(each.patch["status"] for each in actions if isinstance(each, Patch))


@pytest.mark.parametrize(
    ("spec", "desired", "expected", "allowed"),
    [
        ({"minAvailable": 2}, 2, 3, 1),
        ({"minAvailable": 5}, 5, 3, 0),
        ({"minAvailable": "25%"}, 3, 10, 0),
        ({"maxUnavailable": 8}, 2, 10, 1),
        ({"maxUnavailable": "85%"}, 1, 10, 2),
    ],
)
def test_what_is_allowed(spec: Obj, desired: int, expected: int, allowed: int) -> None:
    pods = [pod(f"p{index}", owner=OWNER) for index in range(3)]
    found = status_of(budget(**spec), *pods)
    assert (found["desiredHealthy"], found["expectedPods"]) == (desired, expected)
    assert (found["currentHealthy"], found["disruptionsAllowed"]) == (3, allowed)
    assert found["observedGeneration"] == 2
    assert found["conditions"][0]["reason"] == ("SufficientPods" if allowed else "InsufficientPods")


def test_a_deployment_says_how_many_its_sets_should_have() -> None:
    deployment: Obj = {
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "w", "namespace": "d", "uid": "u-w"}, "spec": {"replicas": 4},
    }  # fmt: skip
    sets: list[Obj] = [
        {
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {"name": name, "namespace": "d", "uid": f"u-{name}",
                         "ownerReferences": [owner_reference(deployment)]},
            "spec": {"replicas": 3},
        }
        for name in ("w-1", "w-2")
    ]  # fmt: skip
    pods = [pod(f"p{index}", owner=owner) for index, owner in enumerate(sets)]
    objects = [(POD_DISRUPTION_BUDGETS, budget(maxUnavailable=1)), (DEPLOYMENTS, deployment),
               *((REPLICA_SETS, each) for each in sets), *((PODS, each) for each in pods)]  # fmt: skip
    (patch,) = reconcile(View.of(objects), Key("d", "b"), NOW_NS)
    assert isinstance(patch, Patch)
    assert patch.patch["status"]["expectedPods"] == 4
    assert patch.patch["status"]["desiredHealthy"] == 3


def test_pods_that_leave_or_are_not_ready_are_not_healthy() -> None:
    leaving = pod("leaving", deletionTimestamp="2026-01-01T00:00:00Z")
    other = pod("other")
    other["metadata"]["labels"] = {"app": "db"}
    found = status_of(budget(minAvailable=1), pod("a"), pod("b", ready=False), leaving, other)
    assert (found["currentHealthy"], found["expectedPods"]) == (1, 3)
    assert found["disruptionsAllowed"] == 0


def test_an_eviction_counts_until_it_is_a_deletion_or_too_old() -> None:
    since = {"a": rfc3339(NOW_NS - 10 * 10**9), "b": rfc3339(NOW_NS - 500 * 10**9), "gone": "x"}
    made = budget({"disruptedPods": since}, minAvailable=1)
    objects = [(POD_DISRUPTION_BUDGETS, made), (PODS, pod("a")), (PODS, pod("b"))]
    patch, again = reconcile(View.of(objects), Key("d", "b"), NOW_NS)
    assert isinstance(patch, Patch) and isinstance(again, RequeueAfter)
    status = patch.patch["status"]
    assert status["currentHealthy"] == 1
    assert status["disruptedPods"] == {"a": since["a"], "b": None, "gone": None}
    assert again.seconds == pytest.approx(110)


def test_what_is_written_already_is_not_written_again() -> None:
    made = budget(minAvailable=1)
    found = status_of(made, pod("a"))
    made["status"] = {name: value for name, value in found.items() if value is not None}
    objects = [(POD_DISRUPTION_BUDGETS, made), (PODS, pod("a"))]
    assert reconcile(View.of(objects), Key("d", "b"), NOW_NS + 1) == []


def test_pods_whose_scale_nobody_knows_allow_nothing() -> None:
    stranger = {**OWNER, "kind": "Thing"}
    made = budget({"disruptionsAllowed": 3}, maxUnavailable=1)
    objects = [(POD_DISRUPTION_BUDGETS, made), (PODS, pod("a", owner=stranger))]
    event, patch = reconcile(View.of(objects), Key("d", "b"), NOW_NS)
    assert isinstance(event, EmitEvent) and isinstance(patch, Patch)
    assert event.reason == "CalculateExpectedPodCountFailed"
    assert patch.patch["status"]["disruptionsAllowed"] == 0
    assert patch.patch["status"]["conditions"][0]["reason"] == "SyncFailed"
