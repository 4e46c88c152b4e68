import pytest

from mizzen.base.clock import rfc3339_micro
from mizzen.base.resources import LEASES, NODES, PODS
from mizzen.controllers.core import node_lifecycle, pod_gc
from support.controlled import SECOND, START, Cluster, condition


@pytest.fixture
def cluster():
    made = Cluster(node_lifecycle.CONTROLLER)
    status = {"conditions": [condition("Ready", reason="KubeletReady", message="")]}
    made.add(NODES, {"metadata": {"name": "n"}, "spec": {}, "status": status})
    metadata = {"name": "n", "namespace": "kube-node-lease"}
    made.add(LEASES, {"metadata": metadata, "spec": {"renewTime": rfc3339_micro(START)}})
    return made


def ready(cluster):
    return cluster.get(NODES, "n")["status"]["conditions"][0]["status"]


def test_a_fresh_lease_changes_nothing(cluster):
    assert cluster.settle("n", "") == 0
    assert 39 < cluster.requeues[0] <= 40


def test_a_silent_agent_is_marked_and_admitted_again(cluster):
    cluster.now += 41 * SECOND
    cluster.settle("n", "")
    assert ready(cluster) == "Unknown"
    taint = cluster.get(NODES, "n")["spec"]["taints"][0]
    assert (taint["key"], taint["effect"]) == ("node.kubernetes.io/unreachable", "NoSchedule")
    renewed = {"spec": {"renewTime": rfc3339_micro(cluster.now)}}
    cluster.change(LEASES, "n", renewed, "kube-node-lease")
    cluster.settle("n", "")
    assert "taints" not in cluster.get(NODES, "n")["spec"]


def test_pods_of_a_vanished_node_are_removed():
    cluster = Cluster(pod_gc.CONTROLLER)
    cluster.add(PODS, {"metadata": {"name": "p", "namespace": "x"}, "spec": {"nodeName": "gone"}})
    cluster.settle("p", "x")
    assert cluster.names(PODS) == []
