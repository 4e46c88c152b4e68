"""How long a Job waits after failures, and what it says meanwhile."""

from __future__ import annotations

import pytest

from mizzen.base.clock import rfc3339
from mizzen.base.names import WAITING
from mizzen.base.objects import condition
from mizzen.base.operations import Patch
from mizzen.base.resources import JOBS, PODS
from mizzen.controllers.core.job import CONTROLLER
from support.controlled import SECOND, Cluster
from support.jobs import active, end, fail, over, start


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
    assert CONTROLLER.told is not None
    (write,) = CONTROLLER.told(job, "FailedForbidden", "no PriorityClass p", cluster.now)
    assert isinstance(write, Patch)
    cluster.change(JOBS, "j", write.patch)
    assert over(cluster, WAITING) == "FailedForbidden"
    job = cluster.get(JOBS, "j")
    assert CONTROLLER.told(job, "FailedForbidden", "no PriorityClass p", cluster.now) == []
    cluster.change(JOBS, "j", {"spec": {"suspend": False}})
    cluster.settle("j")
    assert active(cluster) and over(cluster, WAITING) is None
