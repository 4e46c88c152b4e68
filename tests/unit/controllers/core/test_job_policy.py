"""Jobs with policies: what a failure means, when enough has succeeded, who runs the job."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.base.resources import JOBS, PODS
from mizzen.controllers.core.job import CONTROLLER
from support.controlled import SECOND, Cluster, condition
from support.jobs import active, end, fail, of_index, over, start, status, stopped

DISRUPTED = {"conditions": [condition("DisruptionTarget")]}


@pytest.fixture
def cluster() -> Cluster:
    return Cluster(CONTROLLER)


def on_exit(action: str, *codes: int, operator: str = "In", **more: Any) -> dict[str, Any]:
    requirement = {"operator": operator, "values": list(codes), **more}
    return {"action": action, "onExitCodes": requirement}


def policy(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"rules": list(rules)}


def wait(cluster: Cluster, seconds: int = 400) -> None:
    cluster.now += seconds * SECOND
    cluster.settle("j")


# -- podFailurePolicy ---------------------------------------------------------------


def test_a_code_that_fails_the_job_ends_it_at_once(cluster: Cluster) -> None:
    rule = on_exit("FailJob", 42)
    start(cluster, completions=2, parallelism=2, podFailurePolicy=policy(rule))
    first, second = active(cluster)
    cluster.change(PODS, second, {"spec": {"nodeName": "n"}, "status": {"phase": "Running"}})
    fail(cluster, first, 42)
    assert over(cluster, "FailureTarget") == "PodFailurePolicy" and not over(cluster, "Failed")
    assert active(cluster) == []
    stopped(cluster)
    assert over(cluster, "Failed") == "PodFailurePolicy" and status(cluster)["failed"] == 2
    message = status(cluster)["conditions"][-1]["message"]
    assert message == (
        f"Container c for pod default/{first} failed with exit code 42 matching FailJob rule "
        "at index 0"
    )


@pytest.mark.parametrize(
    ("rule", "code", "container", "fails"),
    [
        (on_exit("FailJob", 1, 42), 42, "c", True),
        (on_exit("FailJob", 1, 42), 7, "c", False),
        (on_exit("FailJob", 7, operator="NotIn"), 42, "c", True),
        (on_exit("FailJob", 42, operator="NotIn"), 42, "c", False),
        (on_exit("FailJob", 42, containerName="c"), 42, "c", True),
        (on_exit("FailJob", 42, containerName="d"), 42, "c", False),
    ],
)
def test_which_codes_a_rule_is_about(
    cluster: Cluster, rule: dict[str, Any], code: int, container: str, fails: bool
) -> None:
    start(cluster, podFailurePolicy=policy(rule))
    fail(cluster, active(cluster)[0], code, container)
    assert (over(cluster, "Failed") == "PodFailurePolicy") is fails


def test_what_is_ignored_does_not_count(cluster: Cluster) -> None:
    rules = policy(on_exit("Ignore", 42), on_exit("FailJob", 42))  # the first that fits counts
    start(cluster, backoffLimit=0, podFailurePolicy=rules)
    for _ in range(3):
        fail(cluster, active(cluster)[0], 42)
        assert status(cluster)["failed"] == 0 and not over(cluster, "Failed")
        wait(cluster)
    fail(cluster, active(cluster)[0], 1)
    assert over(cluster, "Failed") == "BackoffLimitExceeded"


def test_a_rule_about_a_condition_of_the_pod(cluster: Cluster) -> None:
    rule = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    start(cluster, backoffLimit=0, podFailurePolicy=policy(rule))
    fail(cluster, active(cluster)[0], 137, **DISRUPTED)
    assert status(cluster)["failed"] == 0
    wait(cluster)
    fail(cluster, active(cluster)[0], 137)
    assert over(cluster, "Failed") == "BackoffLimitExceeded"


# -- backoffLimitPerIndex -----------------------------------------------------------


def start_indexed(cluster: Cluster, **spec: Any) -> None:
    start(cluster, completionMode="Indexed", parallelism=3, completions=3, **spec)


def test_an_index_fails_for_itself_while_the_others_run(cluster: Cluster) -> None:
    start_indexed(cluster, backoffLimitPerIndex=1)
    fail(cluster, of_index(cluster, 1)[0])
    assert of_index(cluster, 1) == []
    assert 0 < min(cluster.requeues) <= 10
    wait(cluster, 11)
    (again,) = of_index(cluster, 1)
    carried = cluster.get(PODS, again)["metadata"]["annotations"]
    assert carried["batch.kubernetes.io/job-index-failure-count"] == "1"
    fail(cluster, again)
    assert status(cluster)["failedIndexes"] == "1" and not over(cluster, "Failed")
    wait(cluster)
    assert of_index(cluster, 1) == []
    end(cluster, of_index(cluster, 0)[0])
    end(cluster, of_index(cluster, 2)[0])
    assert over(cluster, "Failed") == "FailedIndexes"
    assert (status(cluster)["completedIndexes"], status(cluster)["failedIndexes"]) == ("0,2", "1")
    assert (status(cluster)["succeeded"], status(cluster)["failed"]) == (2, 2)
    assert not any(pod["metadata"].get("finalizers") for pod in cluster.all(PODS))


def test_a_deleted_pod_does_not_take_the_failures_of_its_index_with_it(cluster: Cluster) -> None:
    start_indexed(cluster, backoffLimitPerIndex=1)
    (name,) = of_index(cluster, 0)
    fail(cluster, name)
    cluster.change(PODS, name, {"metadata": {"deletionTimestamp": "2027-01-15T08:00:05Z"}})
    assert cluster.get(PODS, name)["metadata"]["finalizers"], "held until it is replaced"
    wait(cluster, 11)
    fail(cluster, of_index(cluster, 0)[0])
    assert status(cluster)["failedIndexes"] == "0"


def test_more_failed_indexes_than_allowed_fail_the_job(cluster: Cluster) -> None:
    start_indexed(cluster, backoffLimitPerIndex=0, maxFailedIndexes=1)
    fail(cluster, of_index(cluster, 0)[0])
    assert not over(cluster, "FailureTarget")
    fail(cluster, of_index(cluster, 2)[0])
    assert over(cluster, "FailureTarget") == "MaxFailedIndexesExceeded"


def test_a_code_that_fails_the_index_does_not_wait_for_the_limit(cluster: Cluster) -> None:
    rules = policy(on_exit("FailIndex", 42), on_exit("Ignore", 43))
    start_indexed(cluster, backoffLimitPerIndex=1, podFailurePolicy=rules)
    fail(cluster, of_index(cluster, 0)[0], 42)
    assert status(cluster)["failedIndexes"] == "0"
    for code in (43, 1, 43):
        fail(cluster, of_index(cluster, 1)[0], code)
        assert status(cluster)["failedIndexes"] == "0"
        wait(cluster)
    fail(cluster, of_index(cluster, 1)[0], 1)
    assert status(cluster)["failedIndexes"] == "0-1"


# -- successPolicy ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "ends", "is_met"),
    [
        ({"succeededIndexes": "0"}, [0], True),
        ({"succeededIndexes": "0-1"}, [0], False),
        ({"succeededIndexes": "0-1", "succeededCount": 1}, [1], True),
        ({"succeededIndexes": "0-1", "succeededCount": 1}, [2], False),
        ({"succeededCount": 2}, [2, 0], True),
        ({"succeededCount": 2}, [2], False),
    ],
)
def test_enough_indexes_complete_the_job(
    cluster: Cluster, rule: dict[str, Any], ends: list[int], is_met: bool
) -> None:
    start_indexed(cluster, successPolicy={"rules": [rule]})
    for index in ends:
        end(cluster, of_index(cluster, index)[0])
    assert over(cluster, "SuccessCriteriaMet") == ("SuccessPolicy" if is_met else None)
    if is_met:
        assert active(cluster) == []
        stopped(cluster)
        assert over(cluster) == "SuccessPolicy" and not over(cluster, "Failed")
        assert status(cluster)["failed"] == 0
        assert status(cluster)["completionTime"]


# -- podReplacementPolicy, managedBy ------------------------------------------------


@pytest.mark.parametrize(("replaces", "beside"), [("Failed", 0), ("TerminatingOrFailed", 1)])
def test_whether_a_pod_runs_beside_the_one_it_replaces(
    cluster: Cluster, replaces: str, beside: int
) -> None:
    start(cluster, podReplacementPolicy=replaces)
    (name,) = active(cluster)
    leaving = {"deletionTimestamp": "2027-01-15T08:00:00Z", "deletionGracePeriodSeconds": 30}
    cluster.change(PODS, name, {"metadata": leaving, "status": {"phase": "Running"}})
    cluster.settle("j")
    assert len(active(cluster)) == beside
    assert status(cluster)["terminating"] == 1
    stopped(cluster)
    assert len(active(cluster)) == 1


def test_a_job_of_another_controller_is_left_alone(cluster: Cluster) -> None:
    start(cluster, managedBy="example.com/mine")
    assert cluster.all(PODS) == [] and "status" not in cluster.get(JOBS, "j")


# -- sizes and odd contents ---------------------------------------------------------


def test_two_thousand_million_completions_cost_no_more_than_three(cluster: Cluster) -> None:
    start(cluster, completionMode="Indexed", parallelism=3, completions=2**31 - 1)
    assert len(active(cluster)) == 3


def test_an_annotation_that_is_no_index_does_not_stop_the_job(cluster: Cluster) -> None:
    start_indexed(cluster)
    (name,) = of_index(cluster, 1)
    odd = {"metadata": {"annotations": {"batch.kubernetes.io/job-completion-index": "x"}}}
    cluster.change(PODS, name, odd)
    cluster.settle("j")
    assert name not in active(cluster) and len(active(cluster)) == 3


def test_fewer_completions_end_the_pods_beyond_them(cluster: Cluster) -> None:
    start_indexed(cluster)
    cluster.change(JOBS, "j", {"spec": {"completions": 1, "parallelism": 1}})
    cluster.settle("j")
    assert [len(of_index(cluster, index)) for index in range(3)] == [1, 0, 0]
