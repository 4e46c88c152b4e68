"""What of API objects the scheduler reads, and how."""

from __future__ import annotations

import pytest

from mizzen.base.objects import Key, Obj
from mizzen.scheduler.core import views
from mizzen.scheduler.core.claiming.claims import claim_view
from mizzen.scheduler.core.dra.slices import Shapes, read_slice
from mizzen.scheduler.core.views import (
    node_view,
    pod_view,
    priority_classes,
    requests_of,
    wants_placing,
)
from support.scheduler_world import claim, halves, node, pod


def container(cpu: str = "", **more: object) -> Obj:
    return {"name": "c", "resources": {"requests": {"cpu": cpu}} if cpu else {}, **more}


@pytest.mark.parametrize(
    ("spec", "milli"),
    [
        ({"containers": [container("100m"), container("1")]}, 1100),
        ({"containers": [{"name": "c", "resources": {"limits": {"cpu": "2"}}}]}, 2000),
        ({"containers": [container("1")], "initContainers": [container("3")]}, 3000),
        (
            {
                "containers": [container("1")],
                "initContainers": [container("500m", restartPolicy="Always"), container("1")],
            },
            1500,
        ),
        ({"containers": [container("1")], "overhead": {"cpu": "250m"}}, 1250),
        ({"containers": [container("1")], "resources": {"requests": {"cpu": "4"}}}, 4000),
    ],
)
def test_requests_are_what_upstream_counts(spec: Obj, milli: int) -> None:
    assert requests_of(spec) == {"cpu": milli, "pods": 1}


def test_priority_is_the_admitted_one_else_its_classes_else_the_default() -> None:
    classes = priority_classes(
        [
            {"metadata": {"name": "high"}, "value": 1000, "preemptionPolicy": "Never"},
            {"metadata": {"name": "normal"}, "value": 7, "globalDefault": True},
        ]
    )
    assert pod_view(pod("a", priority=3), classes).priority == 3
    high = pod_view(pod("a", priorityClassName="high"), classes)
    assert (high.priority, high.may_preempt) == (1000, False)
    assert pod_view(pod("a"), classes).priority == 7
    assert pod_view(pod("a"), {}).priority == 0


def test_rank_is_the_completion_index_whoever_made_the_pod() -> None:
    assert pod_view(pod("a", rank=4), {}).rank == 4
    assert pod_view(pod("web-7"), {}).rank is None
    noted = pod("job-node-0-2")
    noted["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"] = "2"
    assert pod_view(noted, {}).rank == 2


def test_generated_claims_come_from_status() -> None:
    obj = pod("a")
    obj["spec"]["resourceClaims"] = [
        {"name": "x", "resourceClaimTemplateName": "t"},
        {"name": "y", "resourceClaimTemplateName": "t"},
        {"name": "z", "resourceClaimTemplateName": "t"},
    ]
    obj["status"]["resourceClaimStatuses"] = [
        {"name": "x", "resourceClaimName": "a-x"},
        {"name": "z"},
    ]
    x, y, z = pod_view(obj, {}).claims
    assert x.claim == Key("default", "a-x")
    assert (y.claim, y.not_needed) == (None, False)
    assert (z.claim, z.not_needed) == (None, True)


def test_who_wants_placing() -> None:
    assert wants_placing(pod("a"))
    assert wants_placing(pod("a", schedulerName="mizzen"))
    assert not wants_placing(pod("a", nodeName="n1"))
    done = pod("a")
    done["status"]["phase"] = "Failed"
    assert not wants_placing(done)


def test_a_node_without_ready_true_takes_nothing() -> None:
    sick = node()
    sick["status"]["conditions"] = [{"type": "Ready", "status": "Unknown"}]
    assert not node_view(sick).is_ready
    del sick["status"]["conditions"]
    assert node_view(sick).is_ready


def test_claims_and_the_alternatives_they_ask_for() -> None:
    first = {
        "name": "r",
        "firstAvailable": [
            {"name": "big", "deviceClassName": "c", "count": 2},
            {"name": "small", "deviceClassName": "c"},
        ],
    }
    view = claim_view(claim("a", first))
    assert [(s.name, s.count) for s in view.request.requests[0].alternatives] == [
        ("r/big", 2),
        ("r/small", 1),
    ]


def test_halves_know_their_core_and_their_share_of_it() -> None:
    pool = read_slice(halves(), Shapes())
    assert [d.core for d in pool.devices] == [("cpu.mizzen.dev", "n1", c) for c in (0, 0, 1, 1)]
    assert {d.cpu_milli for d in pool.devices} == {500}


def test_what_large_pods_ask_for_is_read_and_not_kept() -> None:
    kept = views._asked_by.cache_info().currsize  # pyright: ignore[reportPrivateUsage]
    for number in range(3):
        selector = {f"k{n}": f"{number}" for n in range(5_000)}
        large = {"metadata": {"name": "p", "namespace": "n", "uid": "u"},
               "spec": {"containers": [], "nodeSelector": selector}}  # fmt: skip
        assert len(pod_view(large, {}).shape.node_selector) == 5_000
    assert views._asked_by.cache_info().currsize == kept  # pyright: ignore[reportPrivateUsage]


def test_labels_of_running_pods_are_shared_unless_they_are_large() -> None:
    def running(name: str, **labels: str) -> Obj:
        made = pod(name, nodeName="n1")
        made["metadata"]["labels"] = labels
        return {**made, "status": {"phase": "Running", "conditions": [{"message": "m" * 10_000}]}}

    kept = views._parsed.cache_info  # pyright: ignore[reportPrivateUsage]
    one, two = (pod_view(running(name, app="a"), {}) for name in ("p", "q"))
    assert one.labels is two.labels
    before = kept().currsize
    large = pod_view(running("r", app="b" * 2_000), {})
    assert large.labels == {"app": "b" * 2_000}
    assert [c["message"] for c in large.conditions] == ["m" * 10_000]
    assert kept().currsize == before
    for number in range(views.SHARED_KEPT + 10):
        pod_view(running("s", app=f"{number}"), {})
    assert kept().currsize == views.SHARED_KEPT
