"""Pods with a Job's finalizers that no Job counts go when they are told to."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.base.objects import key_of
from mizzen.base.resources import JOBS, PODS
from mizzen.controllers.core import job
from mizzen.controllers.core.actions import RequeueAfter
from mizzen.controllers.core.job_orphans import CONTROLLER, _pods_of
from mizzen.controllers.core.job_pods import HELD, TRACKING
from mizzen.controllers.core.view import View
from support.controlled import Cluster
from support.jobs import start


@pytest.fixture
def cluster() -> Cluster:
    """A Job with a pod, before its controller."""
    cluster = Cluster(job.CONTROLLER)
    start(cluster)
    cluster.controller = CONTROLLER
    return cluster


def finalizers(cluster: Cluster) -> Any:
    (pod,) = cluster.all(PODS)
    cluster.settle(pod["metadata"]["name"])
    (pod,) = cluster.all(PODS)
    return pod["metadata"].get("finalizers")


def test_the_pods_of_a_job_are_its_own(cluster: Cluster) -> None:
    assert finalizers(cluster) == [TRACKING]
    assert _pods_of(cluster.view(), cluster.get(JOBS, "j")) == []


def test_a_job_that_is_gone_counts_nothing(cluster: Cluster) -> None:
    gone = cluster.get(JOBS, "j")
    cluster.vanish(JOBS, "j")
    assert [key.name for key in _pods_of(cluster.view(), gone)] == cluster.names(PODS)
    assert finalizers(cluster) is None


def test_another_job_of_that_name_counts_nothing_of_the_first(cluster: Cluster) -> None:
    """Deleted and made again before the controller has looked, or while it was down."""
    again = {key: value for key, value in cluster.get(JOBS, "j").items() if key != "metadata"}
    cluster.vanish(JOBS, "j")
    cluster.add(JOBS, {**again, "metadata": {"name": "j", "namespace": "default"}})
    assert finalizers(cluster) is None


def test_orphans_and_forgeries_are_let_go(cluster: Cluster) -> None:
    (name,) = cluster.names(PODS)
    change = {"metadata": {"ownerReferences": None, "finalizers": ["a.b/c", TRACKING, HELD]}}
    cluster.change(PODS, name, change)
    assert finalizers(cluster) == ["a.b/c"]


def test_a_job_that_is_not_known_yet_may_be_there(cluster: Cluster) -> None:
    (pod,) = cluster.all(PODS)
    late = View()
    late.apply(PODS, None, pod)
    (action,) = CONTROLLER.reconcile(late, key_of(pod), cluster.now)
    assert isinstance(action, RequeueAfter)
