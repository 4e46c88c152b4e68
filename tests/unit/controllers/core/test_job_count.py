"""How long a Job waits after failures, and what it says meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.base.clock import rfc3339
from mizzen.base.names import WAITING
from mizzen.base.objects import condition
from mizzen.base.operations import Patch
from mizzen.base.resources import JOBS, PODS
from mizzen.controllers.core.actions import EmitEvent, RequeueAfter
from mizzen.controllers.core.job import CONTROLLER
from support.controlled import SECOND, Cluster
from support.jobs import active, end, fail, over, start, status


@pytest.fixture
def cluster() -> Cluster:
    return Cluster(CONTROLLER)


def test_a_success_resets_the_back_off(cluster: Cluster) -> None:
    start(cluster, completions=9)
    waits: list[float] = []
    for ends in ("fail", "fail", "succeed", "fail"):
        name = active(cluster)[0]
        if ends == "fail":
            fail(cluster, name)
            waits.append(round(min(cluster.requeues)))
        else:
            done = {"state": {"terminated": {"exitCode": 0, "finishedAt": rfc3339(cluster.now)}}}
            cluster.change(PODS, name, {"status": {"containerStatuses": [done]}})
            end(cluster, name)
        cluster.now += 400 * SECOND
        cluster.settle("j")
    assert waits == [10, 20, 10]


def test_a_job_that_backs_off_says_so_and_for_how_long(cluster: Cluster) -> None:
    start(cluster)
    fail(cluster, active(cluster)[0], 3)
    waiting = condition(cluster.get(JOBS, "j"), WAITING)
    assert waiting is not None and waiting["reason"] == "BackOff" and waiting["status"] == "True"
    assert "failed with exit code 3" in waiting["message"]
    assert waiting["message"].endswith("; the next try is at 2027-01-15T08:00:10Z")
    before = cluster.revision
    cluster.now += 5 * SECOND
    cluster.settle("j")
    assert cluster.revision == before, "the words stay the same while it waits"
    cluster.now += 6 * SECOND
    cluster.settle("j")
    assert over(cluster, WAITING) is None and active(cluster)


def test_a_job_whose_pods_are_refused_says_so_until_they_are_made(cluster: Cluster) -> None:
    start(cluster, suspend=True)
    job = cluster.get(JOBS, "j")
    assert CONTROLLER.report_stuck is not None
    (write,) = CONTROLLER.report_stuck(job, "FailedForbidden", "no PriorityClass p", cluster.now)
    assert isinstance(write, Patch)
    cluster.change(JOBS, "j", write.patch)
    assert over(cluster, WAITING) == "FailedForbidden"
    job = cluster.get(JOBS, "j")
    assert CONTROLLER.report_stuck(job, "FailedForbidden", "no PriorityClass p", cluster.now) == []
    cluster.change(JOBS, "j", {"spec": {"suspend": False}})
    cluster.settle("j")
    assert active(cluster) and over(cluster, WAITING) is None


def writes(actions: list[Any]) -> int:
    return sum(not isinstance(a, RequeueAfter | EmitEvent) for a in actions)


def finish_all(cluster: Cluster, phase: str) -> None:
    ended = {"terminated": {"exitCode": int(phase == "Failed"), "finishedAt": rfc3339(cluster.now)}}
    status = {"phase": phase, "containerStatuses": [{"name": "c", "state": ended}]}
    for name in active(cluster):
        cluster.change(PODS, name, {"spec": {"nodeName": "n"}, "status": status})


@pytest.mark.parametrize("mode", ["Indexed", "NonIndexed"])
def test_many_pods_that_end_together_are_counted_a_plan_at_a_time(
    cluster: Cluster, mode: str
) -> None:
    start(cluster, parallelism=500, completions=501, completionMode=mode)
    assert len(active(cluster)) == 500
    finish_all(cluster, "Succeeded")
    for _ in range(20):
        if writes(cluster.reconcile("j")) == 0:
            break
        assert writes(cluster.reconcile("j")) < 1000
    assert status(cluster)["succeeded"] == 500
    assert len(cluster.all(PODS)) == 501, "no index is tried again for want of a count"
    end(cluster, active(cluster)[0])
    assert over(cluster) == "CompletionsReached"


def test_a_large_job_that_fails_is_ended_a_plan_at_a_time(cluster: Cluster) -> None:
    start(cluster, parallelism=500, completions=500, backoffLimit=0)
    fail(cluster, active(cluster)[0])
    assert over(cluster, "FailureTarget") == "BackoffLimitExceeded"
    for _ in range(20):
        actions = cluster.reconcile("j")
        assert writes(actions) < 1000
        for pod in cluster.all(PODS):  # none is bound, so they go at once
            if pod["metadata"].get("deletionGracePeriodSeconds"):
                gone = {"metadata": {"deletionGracePeriodSeconds": 0}}
                cluster.change(PODS, pod["metadata"]["name"], gone)
        if over(cluster, "Failed"):
            break
    assert over(cluster, "Failed") and status(cluster)["failed"] == 500
    cluster.settle("j")
    assert not any(pod["metadata"].get("finalizers") for pod in cluster.all(PODS))
