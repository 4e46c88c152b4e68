import pytest

from mizzen.base.names import CLAIM_FINALIZER
from mizzen.base.objects import Key
from mizzen.base.operations import Patch
from mizzen.base.resources import PODS, RESOURCE_CLAIMS
from mizzen.controllers.core.actions import RequeueAfter
from mizzen.controllers.core.claim_release import CONTROLLER, reconcile
from mizzen.controllers.core.view import View
from support.controlled import Cluster


def consumer(name):
    return {"resource": "pods", "name": name, "uid": f"uid-{name}"}


def claim(*pods, **metadata):
    return {
        "metadata": {
            "name": "c",
            "namespace": "default",
            "finalizers": [CLAIM_FINALIZER, "x/y"],
            **metadata,
        },
        "spec": {},
        "status": {
            "allocation": {"devices": {}},
            "reservedFor": [consumer(pod) for pod in pods],
        },
    }


def pod(name, phase="Running", **metadata):
    return {
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}", **metadata},
        "spec": {"resourceClaims": [{"name": "devices", "resourceClaimName": "c"}]},
        "status": {"phase": phase},
    }


@pytest.fixture
def cluster():
    return Cluster(CONTROLLER)


def test_a_running_pod_keeps_its_devices(cluster):
    cluster.add(PODS, pod("a"))
    cluster.add(RESOURCE_CLAIMS, claim("a"))
    assert cluster.settle("c") == 0


def test_a_terminating_pod_keeps_them_until_it_is_gone(cluster):
    cluster.add(PODS, pod("a", deletionTimestamp="2027-01-01T00:00:00Z"))
    cluster.add(RESOURCE_CLAIMS, claim("a"))
    assert cluster.settle("c") == 0


@pytest.mark.parametrize("phase", ["Succeeded", "Failed", None])
def test_a_finished_or_vanished_pod_gives_everything_back_in_one_plan(cluster, phase):
    if phase:
        cluster.add(PODS, pod("a", phase))
    cluster.add(RESOURCE_CLAIMS, claim("a"))
    actions = cluster.reconcile("c")
    assert [type(a) for a in actions] == [Patch, Patch]
    released = cluster.get(RESOURCE_CLAIMS, "c")
    assert released["status"] == {}
    assert released["metadata"]["finalizers"] == ["x/y"]
    assert cluster.settle("c") == 0


def test_a_claim_to_be_deleted_is_seen_free_before_it_is_gone(cluster):
    """kube-scheduler wakes pods for claims that change, not for those that go."""
    cluster.add(RESOURCE_CLAIMS, claim("a", deletionTimestamp="2026-01-01T00:00:00Z"))
    assert [a.subresource for a in cluster.reconcile("c")] == ["status"]
    released = cluster.get(RESOURCE_CLAIMS, "c")
    assert released["status"] == {} and CLAIM_FINALIZER in released["metadata"]["finalizers"]
    assert [a.patch for a in cluster.reconcile("c")] == [{"metadata": {"finalizers": ["x/y"]}}]
    assert cluster.settle("c") == 0


def test_an_unallocated_claim_keeps_its_finalizer_until_it_is_to_be_deleted(cluster):
    """kube-scheduler adds it in a write before the one that allocates."""
    about_to_be = claim()
    about_to_be["status"] = {}
    cluster.add(RESOURCE_CLAIMS, about_to_be)
    assert cluster.reconcile("c") == []


def test_a_new_pod_of_the_same_name_is_another_one(cluster):
    cluster.add(PODS, pod("a", uid="uid-new"))
    cluster.add(RESOURCE_CLAIMS, claim("a"))
    cluster.settle("c")
    assert cluster.get(RESOURCE_CLAIMS, "c")["status"] == {}


def test_others_keep_a_shared_claim(cluster):
    cluster.add(PODS, pod("b"))
    cluster.add(RESOURCE_CLAIMS, claim("a", "b"))
    cluster.settle("c")
    status = cluster.get(RESOURCE_CLAIMS, "c")["status"]
    assert status["reservedFor"] == [consumer("b")]
    assert status["allocation"]


def test_a_pod_that_the_cache_may_not_have_yet_is_waited_for():
    body = claim("a", resourceVersion="10", uid="u")
    view = View.of([(RESOURCE_CLAIMS, body)])
    view.apply(PODS, None, pod("other"))
    view.note_revision(PODS, 9)
    assert [type(a) for a in reconcile(view, Key("default", "c"), 0)] == [RequeueAfter]
    view.note_revision(PODS, 10)
    assert [type(a) for a in reconcile(view, Key("default", "c"), 0)] == [Patch, Patch]


def test_a_deletion_that_was_seen_is_believed_at_once():
    view = View.of([(RESOURCE_CLAIMS, claim("a", resourceVersion="10", uid="u"))])
    view.apply(PODS, None, pod("a"))
    view.apply(PODS, pod("a"), None)
    assert [type(a) for a in reconcile(view, Key("default", "c"), 0)] == [Patch, Patch]
