import pytest

from mizzen.base.objects import owner_reference
from mizzen.base.operations import Create
from mizzen.base.resources import PODS, REPLICA_SETS, REPLICATION_CONTROLLERS
from mizzen.controllers.core import replica_set, replication_controller
from mizzen.controllers.core.replica_set import CONTROLLER, CREATED_PER_PLAN
from support.controlled import SECOND
from support.workloads import LABELS, Workloads, template

SELECTOR = {"matchLabels": LABELS}


@pytest.fixture
def cluster():
    return Workloads(CONTROLLER)


def start(cluster, replicas=3, **spec):
    spec = {"replicas": replicas, "selector": SELECTOR, "template": template(), **spec}
    cluster.create(REPLICA_SETS, "rs", spec)
    cluster.rest()


def status(cluster):
    return cluster.get(REPLICA_SETS, "rs")["status"]


def bare_pod(cluster, name, labels=LABELS, **metadata):
    metadata = {"name": name, "namespace": "default", "labels": labels, **metadata}
    cluster.add(PODS, {"metadata": metadata, "spec": {"containers": [{"name": "c"}]}})


def test_so_many_pods_of_the_template(cluster):
    start(cluster)
    pods = cluster.pods(**LABELS)
    assert len(pods) == 3
    reference = pods[0]["metadata"]["ownerReferences"][0]
    assert reference["kind"] == "ReplicaSet" and reference["controller"]
    assert pods[0]["metadata"]["name"].startswith("rs-")
    assert len(cluster.told("SuccessfulCreate")) == 3
    assert status(cluster)["replicas"] == status(cluster)["fullyLabeledReplicas"] == 3
    assert "readyReplicas" not in status(cluster)
    assert status(cluster)["terminatingReplicas"] == 0
    cluster.finish()
    assert status(cluster)["readyReplicas"] == status(cluster)["availableReplicas"] == 3
    assert status(cluster)["observedGeneration"] == 1


def test_scaled_down_the_one_that_is_not_ready_goes(cluster):
    start(cluster)
    first, second, third = (pod["metadata"]["name"] for pod in cluster.pods())
    cluster.run_pod(first)
    cluster.run_pod(third)
    cluster.set_spec(REPLICA_SETS, "rs", replicas=2)
    cluster.rest()
    assert [pod["metadata"]["name"] for pod in cluster.pods()] == [first, third]
    assert cluster.told("SuccessfulDelete") == [f"Deleted pod: {second}"]
    cluster.set_spec(REPLICA_SETS, "rs", replicas=0)
    cluster.rest()
    assert status(cluster)["replicas"] == 0 and status(cluster)["terminatingReplicas"] == 2
    cluster.finish()
    assert status(cluster)["terminatingReplicas"] == 0


def test_pods_that_ended_are_replaced_and_stay(cluster):
    start(cluster, 1)
    name = cluster.pods()[0]["metadata"]["name"]
    cluster.change(PODS, name, {"status": {"phase": "Failed"}})
    cluster.rest()
    assert len(cluster.pods()) == 1 and len(cluster.all(PODS)) == 2


def test_many_pods_come_by_plans_of_a_hundred(cluster):
    start(cluster, replicas=0)
    cluster.set_spec(REPLICA_SETS, "rs", replicas=250)
    actions = CONTROLLER.reconcile(cluster.view(), ("default", "rs"), cluster.now)
    assert sum(isinstance(each, Create) for each in actions) == CREATED_PER_PLAN
    cluster.rest()
    assert len(cluster.pods()) == 250
    cluster.set_spec(REPLICA_SETS, "rs", replicas=10)
    cluster.finish()
    assert len(cluster.all(PODS)) == 10


def test_an_attempt_repeated_on_the_same_state_makes_the_same_pods(cluster):
    start(cluster)
    cluster.vanish(PODS, cluster.pods()[0]["metadata"]["name"])

    def made():
        actions = CONTROLLER.reconcile(cluster.view(), ("default", "rs"), cluster.now)
        return [a.object["metadata"]["name"] for a in actions if isinstance(a, Create)]

    assert len(made()) == 1 and made() == made()
    gone = made()[0]
    cluster.rest()
    cluster.vanish(PODS, gone)
    assert made() != [gone]


def test_orphans_that_it_selects_are_adopted(cluster):
    bare_pod(cluster, "orphan", {**LABELS, "more": "x"})
    bare_pod(cluster, "other", {"app": "db"})
    bare_pod(cluster, "elsewhere", namespace="other")
    bare_pod(cluster, "leaving", deletionTimestamp="2027-01-01T00:00:00Z")
    bare_pod(cluster, "owned", ownerReferences=[{"uid": "u", "kind": "Job", "name": "j"}])
    start(cluster, 2)
    owners = cluster.get(PODS, "orphan")["metadata"]["ownerReferences"]
    assert owners == [owner_reference(cluster.get(REPLICA_SETS, "rs"))]
    assert len(cluster.get(PODS, "owned")["metadata"]["ownerReferences"]) == 2
    assert "ownerReferences" not in cluster.get(PODS, "other")["metadata"]
    assert "ownerReferences" not in cluster.get(PODS, "elsewhere", "other")["metadata"]
    assert not cluster.told("SuccessfulCreate")


def test_a_pod_of_another_controller_is_left_alone(cluster):
    reference = {"uid": "u", "kind": "Job", "name": "j", "controller": True}
    bare_pod(cluster, "taken", ownerReferences=[reference])
    start(cluster, 1)
    assert cluster.get(PODS, "taken")["metadata"]["ownerReferences"] == [reference]
    assert len(cluster.told("SuccessfulCreate")) == 1


def test_a_pod_that_it_no_longer_selects_is_released_and_replaced(cluster):
    start(cluster, 2)
    name = cluster.pods()[0]["metadata"]["name"]
    cluster.change(PODS, name, {"metadata": {"labels": {"app": "debug"}}})
    cluster.rest()
    assert "ownerReferences" not in cluster.get(PODS, name)["metadata"]
    assert len(cluster.pods(**LABELS)) == 2


def test_one_that_is_deleted_makes_adopts_and_releases_nothing(cluster):
    start(cluster, 2)
    gone = cluster.pods()[0]["metadata"]["name"]
    cluster.change(REPLICA_SETS, "rs", {"metadata": {"deletionTimestamp": "2027-01-01T00:00:00Z"}})
    cluster.vanish(PODS, gone)
    bare_pod(cluster, "orphan")
    cluster.rest()
    assert "ownerReferences" not in cluster.get(PODS, "orphan")["metadata"]
    assert status(cluster)["replicas"] == 1


def test_available_after_min_ready_seconds(cluster):
    start(cluster, 1, minReadySeconds=10)
    cluster.run_pod(cluster.pods()[0]["metadata"]["name"])
    cluster.rest()
    assert status(cluster)["readyReplicas"] == 1 and "availableReplicas" not in status(cluster)
    assert 9 < cluster.requeues[0] <= 10
    cluster.now += 10 * SECOND
    cluster.rest()
    assert status(cluster)["availableReplicas"] == 1


def test_after_a_refusal_one_at_a_time_is_tried(cluster):
    start(cluster, 0)
    cluster.set_spec(REPLICA_SETS, "rs", replicas=5)
    owner = cluster.get(REPLICA_SETS, "rs")
    message = 'pods "rs-1" is forbidden: exceeded quota'
    for action in CONTROLLER.report_stuck(owner, "FailedForbidden", message, cluster.now):
        cluster._carry_out(action)
    assert cluster.told("FailedCreate") == [f"Error creating: {message}"]
    condition = status(cluster)["conditions"][0]
    assert (condition["type"], condition["reason"]) == ("ReplicaFailure", "FailedCreate")
    assert condition["message"] == message
    cluster.reconcile_all()
    assert len(cluster.pods()) == 1 and status(cluster)["conditions"]
    cluster.rest()
    assert len(cluster.pods()) == 5 and "conditions" not in status(cluster)


def test_a_refusal_is_written_once(cluster):
    start(cluster, 0)
    cluster.set_spec(REPLICA_SETS, "rs", replicas=5)
    for expected in (2, 1):
        owner = cluster.get(REPLICA_SETS, "rs")
        actions = CONTROLLER.report_stuck(owner, "FailedForbidden", "quota", cluster.now)
        assert len(actions) == expected
        for action in actions:
            cluster._carry_out(action)


def test_a_name_too_long_for_a_suffix_is_cut(cluster):
    spec = {"replicas": 1, "selector": SELECTOR, "template": template()}
    cluster.create(REPLICA_SETS, "x" * 100, spec)
    cluster.rest()
    assert len(cluster.pods()[0]["metadata"]["name"]) == 63


def test_of_pods_beside_others_of_their_deployment_one_goes(cluster):
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "uid": "u"},
    }
    owner = [owner_reference(deployment)]
    for name, replicas in (("rs", 2), ("old", 1)):
        labels = {**LABELS, "of": name}
        selector = {"matchLabels": labels}
        spec = {"replicas": replicas, "selector": selector, "template": template(labels=labels)}
        cluster.create(REPLICA_SETS, name, spec, ownerReferences=owner)
    cluster.rest()
    beside, alone = (pod["metadata"]["name"] for pod in cluster.pods(of="rs"))
    cluster.run_pod(cluster.pods(of="old")[0]["metadata"]["name"], "n1")
    cluster.run_pod(beside, "n1")
    cluster.run_pod(alone, "n2")
    cluster.set_spec(REPLICA_SETS, "rs", replicas=1)
    cluster.rest()
    assert [pod["metadata"]["name"] for pod in cluster.pods(of="rs")] == [alone]


def test_replication_controllers_are_the_same_by_plain_labels():
    cluster = Workloads(replication_controller.CONTROLLER)
    spec = {"replicas": 2, "selector": LABELS, "template": template()}
    cluster.create(REPLICATION_CONTROLLERS, "rc", spec)
    cluster.finish()
    found = cluster.get(REPLICATION_CONTROLLERS, "rc")["status"]
    assert found["readyReplicas"] == 2 and "terminatingReplicas" not in found
    assert cluster.pods()[0]["metadata"]["ownerReferences"][0]["kind"] == "ReplicationController"


def test_which_sets_a_pod_concerns(cluster):
    watch = replica_set.CONTROLLER.watches[0]
    start(cluster, 1)
    expressions = [{"key": "app", "operator": "Exists"}]
    spec = {"replicas": 0, "selector": {"matchExpressions": expressions}, "template": template()}
    cluster.create(REPLICA_SETS, "any", spec)
    view = cluster.view()
    owned = cluster.pods()[0]
    assert list(watch.keys(view, owned)) == [("default", "rs")]
    orphan = {"metadata": {"name": "p", "namespace": "default", "labels": LABELS}}
    assert sorted(watch.keys(view, orphan)) == [("default", "any"), ("default", "rs")]
    assert list(watch.keys(view, {"metadata": {**orphan["metadata"], "labels": {"a": "b"}}})) == []
    assert list(watch.keys(view, {"metadata": {**orphan["metadata"], "namespace": "x"}})) == []
