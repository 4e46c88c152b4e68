"""Pods leave nodes with a NoExecute taint, each when its patience ends."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.base.clock import rfc3339
from mizzen.base.resources import NODES, PODS
from mizzen.controllers.core.taint_eviction import CONTROLLER, _pods_on
from support.controlled import SECOND, START, Cluster

TAINT = {"key": "k", "value": "v", "effect": "NoExecute", "timeAdded": rfc3339(START)}


@pytest.fixture
def cluster() -> Cluster:
    return Cluster(CONTROLLER)


def pod(cluster: Cluster, *tolerations: dict[str, Any], taints: Any = (TAINT,)) -> None:
    cluster.add(NODES, {"metadata": {"name": "n"}, "spec": {"taints": list(taints)}})
    spec = {"nodeName": "n", "tolerations": list(tolerations)}
    cluster.add(PODS, {"metadata": {"name": "p", "namespace": "default"}, "spec": spec})


def has_left(cluster: Cluster, after_s: float = 1) -> bool:
    cluster.now = START + round(after_s * SECOND)
    cluster.reconcile("p")
    return bool(cluster.get(PODS, "p")["metadata"].get("deletionTimestamp"))


@pytest.mark.parametrize(
    ("tolerations", "leaves"),
    [
        ([], True),
        ([{"key": "other", "operator": "Exists"}], True),
        ([{"key": "k", "value": "other"}], True),
        ([{"key": "k", "value": "v", "effect": "NoSchedule"}], True),
        ([{"key": "k", "value": "v"}], False),
        ([{"key": "k", "value": "v", "effect": "NoExecute"}], False),
        ([{"key": "k", "operator": "Exists"}], False),
        ([{"operator": "Exists"}], False),
    ],
)
def test_who_leaves(cluster: Cluster, tolerations: list[Any], leaves: bool) -> None:
    pod(cluster, *tolerations)
    assert has_left(cluster) is leaves
    if leaves:
        found = cluster.get(PODS, "p")["status"]["conditions"]
        assert [(c["type"], c["reason"]) for c in found] == [
            ("DisruptionTarget", "DeletionByTaintManager")
        ]
        assert 'node "n" has the taint k=v:NoExecute' in cluster.events[0].message


def test_other_effects_end_nothing(cluster: Cluster) -> None:
    pod(cluster, taints=[{**TAINT, "effect": "NoSchedule"}])
    assert not has_left(cluster)


def test_a_pod_stays_as_long_as_it_tolerates_the_taint(cluster: Cluster) -> None:
    toleration = {"key": "k", "operator": "Exists", "effect": "NoExecute"}
    pod(cluster, {**toleration, "tolerationSeconds": 300}, {**toleration, "tolerationSeconds": 60})
    assert not has_left(cluster, 59) and 0 < cluster.requeues[0] <= 1.01
    assert has_left(cluster, 60)


def test_one_of_two_taints_is_enough(cluster: Cluster) -> None:
    pod(cluster, {"key": "k", "operator": "Exists"}, taints=[TAINT, {**TAINT, "key": "other"}])
    assert has_left(cluster)


def test_only_tainted_nodes_wake_anybody(cluster: Cluster) -> None:
    pod(cluster)
    node = cluster.get(NODES, "n")
    assert [str(key) for key in _pods_on(cluster.view(), node)] == ["default/p"]
    assert _pods_on(cluster.view(), {**node, "spec": {}}) == []


def test_a_pod_that_ended_or_waits_is_left_alone(cluster: Cluster) -> None:
    pod(cluster)
    cluster.change(PODS, "p", {"status": {"phase": "Succeeded"}})
    assert not has_left(cluster)
    cluster.change(PODS, "p", {"status": {"phase": "Pending"}, "spec": {"nodeName": None}})
    assert not has_left(cluster)
