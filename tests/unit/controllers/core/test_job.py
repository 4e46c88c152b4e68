import pytest

from mizzen.base.objects import Key
from mizzen.base.operations import Create
from mizzen.base.resources import JOBS, PODS
from mizzen.controllers.core.job import CONTROLLER
from mizzen.controllers.core.job_pods import TRACKING
from support.controlled import SECOND, Cluster
from support.jobs import active, end, over, start, status, stopped


@pytest.fixture
def cluster():
    return Cluster(CONTROLLER)


def test_one_pod_to_completion(cluster):
    start(cluster)
    assert status(cluster)["active"] == 1
    assert status(cluster)["startTime"]
    end(cluster, active(cluster)[0])
    assert over(cluster) == "CompletionsReached"
    assert status(cluster)["succeeded"] == 1
    assert status(cluster)["active"] == 0
    assert "finalizers" not in cluster.all(PODS)[0]["metadata"]


def test_names_that_fall_together_are_told_apart(cluster, foreign=0):
    """With this uid the third and the sixth pod have the same five digits."""
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c"}]}}
    metadata = {"name": "j", "uid": "c58f5abd-0c8e-46f6-b286-ddb013096085"}
    spec = {"completions": 6, "parallelism": 6, "backoffLimit": 6, "template": template}
    cluster.add(JOBS, {"metadata": {**metadata, "namespace": "default"}, "spec": spec})
    cluster.settle("j")
    assert len(set(active(cluster))) == 6 + foreign
    assert "j-48d84" in active(cluster)


def test_a_name_that_another_has_is_passed_over(cluster):
    cluster.add(PODS, {"metadata": {"name": "j-48d84", "namespace": "default"}, "spec": {}})
    test_names_that_fall_together_are_told_apart(cluster, foreign=1)


def test_many_pods_have_names_of_their_own(cluster):
    start(cluster, completions=1500, parallelism=1500)
    assert len(set(active(cluster))) == 1500


def test_no_more_pods_than_parallelism_and_what_is_left(cluster):
    start(cluster, completions=3, parallelism=2)
    assert len(active(cluster)) == 2
    end(cluster, active(cluster)[0])
    assert len(active(cluster)) == 2
    end(cluster, active(cluster)[0])
    assert len(active(cluster)) == 1
    end(cluster, active(cluster)[0])
    assert over(cluster)


def test_a_counted_pod_may_be_deleted(cluster):
    start(cluster, completions=2)
    end(cluster, active(cluster)[0])
    done = next(p for p in cluster.all(PODS) if p.get("status", {}).get("phase") == "Succeeded")
    cluster.vanish(PODS, done["metadata"]["name"])
    cluster.settle("j")
    assert status(cluster)["succeeded"] == 1
    end(cluster, active(cluster)[0])
    assert over(cluster)


def test_failures_are_retried_later_and_later_up_to_the_limit(cluster):
    start(cluster, backoffLimit=1)
    name = active(cluster)[0]
    ended = {"terminated": {"exitCode": 1, "finishedAt": "2027-01-15T08:00:00Z"}}
    cluster.change(PODS, name, {"status": {"containerStatuses": [{"state": ended}]}})
    end(cluster, name, "Failed")
    assert active(cluster) == []
    assert 0 < cluster.requeues[0] <= 10
    cluster.now += 11 * SECOND
    cluster.settle("j")
    end(cluster, active(cluster)[0], "Failed")
    assert over(cluster, "Failed") == "BackoffLimitExceeded"
    assert status(cluster)["failed"] == 2


def test_indexed(cluster):
    start(cluster, completions=3, parallelism=3, completionMode="Indexed")
    names = active(cluster)
    assert [name[:3] for name in names] == ["j-0", "j-1", "j-2"]
    env = cluster.get(PODS, names[1])["spec"]["containers"][0]["env"]
    assert env == [{"name": "JOB_COMPLETION_INDEX", "value": "1"}]
    end(cluster, names[0])
    end(cluster, names[2])
    assert status(cluster)["completedIndexes"] == "0,2"
    end(cluster, names[1])
    assert status(cluster)["completedIndexes"] == "0-2"
    assert over(cluster)


def test_pods_are_adopted_and_let_go_by_their_labels(cluster):
    template = {
        "metadata": {"labels": {"job": "j"}},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "c"}]},
    }
    spec = {
        "completions": 2,
        "parallelism": 2,
        "backoffLimit": 6,
        "selector": {"matchLabels": {"job": "j"}},
        "template": template,
    }
    cluster.add(JOBS, {"metadata": {"name": "j", "namespace": "default"}, "spec": spec})
    cluster.settle("j")
    first, second = active(cluster)
    # As job-orphans leaves a pod that somebody has taken from its Job.
    change = {"metadata": {"ownerReferences": None, "finalizers": ["a.b/c"]}}
    cluster.change(PODS, first, change)
    cluster.settle("j")
    assert active(cluster) == [first, second]
    metadata = cluster.get(PODS, first)["metadata"]
    assert metadata["ownerReferences"][0]["name"] == "j"
    assert metadata["finalizers"] == ["a.b/c", TRACKING]
    cluster.change(PODS, second, {"metadata": {"labels": None}})
    cluster.settle("j")
    assert not cluster.get(PODS, second)["metadata"].get("ownerReferences")
    assert len(active(cluster)) == 3  # one in its place


def test_suspend_and_resume(cluster):
    start(cluster, suspend=True)
    assert active(cluster) == []
    assert over(cluster, "Suspended") == "JobSuspended"
    cluster.change(JOBS, "j", {"spec": {"suspend": False}})
    cluster.settle("j")
    assert len(active(cluster)) == 1


def test_deadline(cluster):
    start(cluster, activeDeadlineSeconds=10)
    cluster.now += 11 * SECOND
    cluster.settle("j")
    assert over(cluster, "FailureTarget") == "DeadlineExceeded" and not over(cluster, "Failed")
    stopped(cluster)
    assert over(cluster, "Failed") == "DeadlineExceeded"


def test_ttl(cluster):
    start(cluster, ttlSecondsAfterFinished=5)
    end(cluster, active(cluster)[0])
    assert 0 < cluster.requeues[0] <= 5
    cluster.now += 6 * SECOND
    cluster.settle("j")
    assert cluster.names(JOBS) == []


def test_an_end_without_a_moment_expires_nothing(cluster):
    start(cluster, ttlSecondsAfterFinished=5)
    ended = {"conditions": [{"type": "Failed", "status": "True"}]}
    cluster.change(JOBS, "j", {"status": ended})
    cluster.settle("j")
    assert cluster.names(JOBS) == ["j"]


def test_a_job_that_is_being_deleted_lets_its_pods_go(cluster):
    start(cluster)
    cluster.change(JOBS, "j", {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}})
    cluster.settle("j")
    assert "finalizers" not in cluster.all(PODS)[0]["metadata"]


def test_restarts_in_place_count(cluster):
    start(cluster, backoffLimit=2)
    running = {"phase": "Running", "containerStatuses": [{"restartCount": 3}]}
    cluster.change(PODS, active(cluster)[0], {"spec": {"nodeName": "n"}, "status": running})
    cluster.settle("j")
    stopped(cluster)
    assert over(cluster, "Failed") == "BackoffLimitExceeded"
    assert status(cluster)["failed"] == 1  # the pod that was ended with its job


def test_an_attempt_repeated_on_the_same_state_makes_the_same_pods(cluster):
    start(cluster, completions=6, parallelism=2)
    cluster.vanish(PODS, active(cluster)[0])

    def made():
        cluster.now += SECOND
        actions = CONTROLLER.reconcile(cluster.view(), Key("default", "j"), cluster.now)
        created = [a for a in actions if isinstance(a, Create) and a.resource == PODS]
        return [a.object["metadata"]["name"] for a in created]

    once = made()
    assert len(once) == 1 and made() == once
    cluster.settle("j")
    assert once[0] in active(cluster) and made() == []
