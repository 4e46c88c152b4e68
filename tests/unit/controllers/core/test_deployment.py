import pytest

from mizzen.base.resources import DEPLOYMENTS, PODS, REPLICA_SETS
from mizzen.controllers.core import replica_set
from mizzen.controllers.core.deployment import CONTROLLER
from mizzen.controllers.core.deployment_sets import (
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    REVISION,
    REVISION_HISTORY,
    TEMPLATE_HASH,
    make_new,
)
from support.controlled import SECOND
from support.workloads import LABELS, Workloads, template


@pytest.fixture
def cluster():
    return Workloads(CONTROLLER, replica_set.CONTROLLER)


def start(cluster, replicas=3, surge=1, unavailable=0, **spec):
    strategy = {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable},
    }
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": LABELS},
        "template": template(),
        "strategy": strategy,
        "progressDeadlineSeconds": 600,
        "revisionHistoryLimit": 10,
        **spec,
    }
    cluster.create(DEPLOYMENTS, "web", spec)


def status(cluster):
    return cluster.get(DEPLOYMENTS, "web")["status"]


def condition(cluster, kind="Progressing"):
    found = [c for c in status(cluster)["conditions"] if c["type"] == kind]
    return (found[0]["status"], found[0]["reason"]) if found else None


def sets(cluster):
    """Replicas by image."""
    return {
        one["spec"]["template"]["spec"]["containers"][0]["image"]: one["spec"]["replicas"]
        for one in cluster.all(REPLICA_SETS)
    }


def set_of(cluster, image):
    return next(
        one
        for one in cluster.all(REPLICA_SETS)
        if one["spec"]["template"]["spec"]["containers"][0]["image"] == image
    )


def images(cluster):
    return sorted(pod["spec"]["containers"][0]["image"] for pod in cluster.pods())


def roll(cluster, image):
    cluster.set_spec(DEPLOYMENTS, "web", template=template(image))


def test_a_set_for_the_template(cluster):
    start(cluster)
    cluster.rest()
    made = cluster.all(REPLICA_SETS)[0]
    word = made["metadata"]["labels"][TEMPLATE_HASH]
    assert made["metadata"]["name"] == f"web-{word}"
    assert made["metadata"]["annotations"] == {
        REVISION: "1",
        DESIRED_REPLICAS: "3",
        MAX_REPLICAS: "4",
    }
    assert cluster.get(DEPLOYMENTS, "web")["metadata"]["annotations"] == {REVISION: "1"}
    assert cluster.pods()[0]["metadata"]["labels"][TEMPLATE_HASH] == word
    assert condition(cluster, "Available") == ("False", "MinimumReplicasUnavailable")
    assert cluster.told("ScalingReplicaSet") == [f"Scaled up replica set web-{word} from 0 to 3"]
    cluster.finish()
    assert condition(cluster, "Available") == ("True", "MinimumReplicasAvailable")
    assert condition(cluster) == ("True", "NewReplicaSetAvailable")
    counts = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    assert [status(cluster)[name] for name in counts] == [3, 3, 3, 3]
    assert status(cluster)["observedGeneration"] == 1
    assert "unavailableReplicas" not in status(cluster)


def test_a_rollout_never_has_too_many_nor_too_few(cluster):
    start(cluster, 5, surge=2, unavailable=1)
    cluster.finish()
    roll(cluster, "v2")
    for _ in range(60):
        cluster.reconcile_all()
        assert len(cluster.pods()) <= 7
        ready = [p for p in cluster.pods() if p["status"]["phase"] == "Running"]
        assert len(ready) >= 4
        cluster.now += SECOND
        if cluster.reconcile_all():
            continue
        cluster.step()
    assert images(cluster) == ["v2"] * 5
    assert sets(cluster) == {"v1": 0, "v2": 5}
    assert condition(cluster) == ("True", "NewReplicaSetAvailable")
    assert cluster.get(DEPLOYMENTS, "web")["metadata"]["annotations"][REVISION] == "2"


def test_a_rollout_that_fails_stops_and_is_told_as_late(cluster):
    start(cluster, 4, surge=1, unavailable=1)
    cluster.finish()
    cluster.failing.add("bad")
    roll(cluster, "bad")
    cluster.finish()
    assert sets(cluster) == {"v1": 3, "bad": 2}
    assert condition(cluster) == ("True", "ReplicaSetUpdated")
    assert 590 < cluster.requeues[0] <= 601 if cluster.requeues else True
    cluster.now += 601 * SECOND
    cluster.rest()
    assert condition(cluster) == ("False", "ProgressDeadlineExceeded")
    roll(cluster, "v1")
    cluster.finish()
    assert sets(cluster) == {"v1": 4, "bad": 0}
    assert condition(cluster) == ("True", "NewReplicaSetAvailable")
    annotations = set_of(cluster, "v1")["metadata"]["annotations"]
    assert (annotations[REVISION], annotations[REVISION_HISTORY]) == ("3", "1")


def test_another_template_amid_a_rollout_takes_over(cluster):
    start(cluster, 4)
    cluster.finish()
    cluster.failing.add("bad")
    roll(cluster, "bad")
    cluster.finish()
    roll(cluster, "v3")
    cluster.finish()
    assert sets(cluster) == {"v1": 0, "bad": 0, "v3": 4}


def test_recreated_no_new_pod_comes_before_the_last_old_one_has_ended(cluster):
    start(cluster, 2, strategy={"type": "Recreate"})
    cluster.finish()
    roll(cluster, "v2")
    cluster.rest()
    assert sets(cluster) == {"v1": 0}
    cluster.step()
    cluster.rest()
    assert sets(cluster) == {"v1": 0, "v2": 2}
    cluster.finish()
    assert images(cluster) == ["v2", "v2"]


def test_paused_it_is_scaled_and_not_rolled(cluster):
    start(cluster)
    cluster.finish()
    cluster.set_spec(DEPLOYMENTS, "web", paused=True, template=template("v2"), replicas=5)
    cluster.finish()
    assert sets(cluster) == {"v1": 5}
    assert condition(cluster) == ("Unknown", "DeploymentPaused")
    cluster.set_spec(DEPLOYMENTS, "web", paused=False)
    cluster.rest()
    assert sets(cluster)["v2"] > 0
    cluster.finish()
    assert sets(cluster) == {"v1": 0, "v2": 5}
    assert condition(cluster) == ("True", "NewReplicaSetAvailable")


def test_scaled_amid_a_rollout_both_sets_grow(cluster):
    start(cluster, 4, surge=1, unavailable=1)
    cluster.finish()
    cluster.failing.add("bad")
    roll(cluster, "bad")
    cluster.finish()
    assert sets(cluster) == {"v1": 3, "bad": 2}
    cluster.set_spec(DEPLOYMENTS, "web", replicas=9)
    cluster.rest()
    assert sum(sets(cluster).values()) == 10
    assert sets(cluster)["v1"] >= 6 and sets(cluster)["bad"] >= 4


def test_the_history_has_a_limit(cluster):
    start(cluster, 1, revisionHistoryLimit=1)
    for image in ("v2", "v3", "v4"):
        cluster.finish()
        roll(cluster, image)
    cluster.finish()
    assert sets(cluster) == {"v3": 0, "v4": 1}


def test_a_hash_that_is_taken_is_counted_as_a_collision(cluster):
    start(cluster)
    taken = make_new(cluster.get(DEPLOYMENTS, "web")).name
    spec = {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": template()}
    cluster.create(REPLICA_SETS, taken, spec, labels={"a": "b"})
    cluster.finish()
    assert status(cluster)["collisionCount"] == 1
    assert len(cluster.all(REPLICA_SETS)) == 2 and len(cluster.pods()) == 3


def test_a_set_without_owner_is_adopted_and_one_that_is_not_selected_released(cluster):
    labels = {**LABELS, TEMPLATE_HASH: "x"}
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template(labels=labels)}
    cluster.create(REPLICA_SETS, "orphan", spec, labels=labels)
    start(cluster, 2)
    cluster.finish()
    assert [one["metadata"]["name"] for one in cluster.all(REPLICA_SETS)] == ["orphan"]
    assert condition(cluster) == ("True", "NewReplicaSetAvailable")
    cluster.change(REPLICA_SETS, "orphan", {"metadata": {"labels": {"app": "other"}}})
    cluster.finish()
    assert "ownerReferences" not in cluster.get(REPLICA_SETS, "orphan")["metadata"]
    assert len(cluster.all(REPLICA_SETS)) == 2


def test_annotations_go_to_the_new_set(cluster):
    start(cluster, 1)
    cluster.finish()
    cause = {"kubernetes.io/change-cause": "because"}
    cluster.change(DEPLOYMENTS, "web", {"metadata": {"annotations": cause}})
    cluster.rest()
    assert cause.items() <= set_of(cluster, "v1")["metadata"]["annotations"].items()


def test_min_ready_seconds_go_to_the_set(cluster):
    start(cluster, 2, minReadySeconds=10)
    cluster.rest()
    cluster.step()
    cluster.rest()
    assert condition(cluster, "Available") == ("False", "MinimumReplicasUnavailable")
    cluster.now += 10 * SECOND
    cluster.rest()
    assert condition(cluster, "Available") == ("True", "MinimumReplicasAvailable")
    cluster.set_spec(DEPLOYMENTS, "web", minReadySeconds=20)
    cluster.rest()
    assert cluster.all(REPLICA_SETS)[0]["spec"]["minReadySeconds"] == 20


def test_without_a_deadline_nothing_is_told_of_progress(cluster):
    start(cluster, 1, progressDeadlineSeconds=2**31 - 1)
    cluster.finish()
    assert condition(cluster) is None


def test_failures_of_its_sets_are_told(cluster):
    start(cluster, 1)
    cluster.rest()
    owner = cluster.all(REPLICA_SETS)[0]
    report = replica_set.CONTROLLER.report_stuck
    for action in report(owner, "FailedForbidden", "quota", cluster.now):
        cluster._carry_out(action)
    CONTROLLER.reconcile(cluster.view(), ("default", "web"), cluster.now)
    cluster._reconcile_one(CONTROLLER, ("default", "web"))
    assert condition(cluster, "ReplicaFailure") == ("True", "FailedCreate")
    cluster.finish()
    assert condition(cluster, "ReplicaFailure") is None


def test_a_refused_set_is_told(cluster):
    start(cluster, 1)
    owner = cluster.get(DEPLOYMENTS, "web")
    for action in CONTROLLER.report_stuck(owner, "FailedForbidden", "no", cluster.now):
        cluster._carry_out(action)
    assert condition(cluster) == ("False", "ReplicaSetCreateError")
    assert cluster.told("ReplicaSetCreateError")


def test_one_that_is_deleted_only_tells(cluster):
    start(cluster, 2)
    cluster.finish()
    gone = {"metadata": {"deletionTimestamp": "2027-01-01T00:00:00Z"}}
    cluster.change(DEPLOYMENTS, "web", gone)
    cluster.set_spec(DEPLOYMENTS, "web", replicas=5)
    cluster.finish()
    assert sets(cluster) == {"v1": 2}
    assert status(cluster)["observedGeneration"] == 2


def test_pods_concern_only_deployments_that_are_recreated(cluster):
    start(cluster, 1)
    cluster.rest()
    watch = next(w for w in CONTROLLER.watches if w.resource == PODS)
    pod = cluster.pods()[0]
    assert list(watch.keys(cluster.view(), pod)) == []
    cluster.change(DEPLOYMENTS, "web", {"spec": {"strategy": {"type": "Recreate"}}})
    assert list(watch.keys(cluster.view(), pod)) == [("default", "web")]
