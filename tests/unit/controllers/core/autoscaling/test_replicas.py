"""Replicas by what pods use, replayed from facts of upstream's table tests."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.base.clock import rfc3339
from mizzen.controllers.core.autoscaling.replicas import (
    PodMetric,
    Tolerances,
    Uncomputable,
    by_average,
    by_utilization,
    by_value,
    by_value_per_pod,
)

NS = 1_000_000_000
NOW = 1_800_000_000 * NS
EVEN = Tolerances()
Obj = dict[str, Any]


def pod(index: int, ready: bool = True, phase: str = "Running", request: str = "1",
        age_s: int = 600, **metadata: Any) -> Obj:  # fmt: skip
    since = rfc3339(NOW - (age_s - 1) * NS if ready else NOW - age_s * NS)
    condition = {"type": "Ready", "status": "True" if ready else "False",
                 "lastTransitionTime": since}  # fmt: skip
    resources = {"requests": {"cpu": request}} if request else {}
    return {
        "metadata": {"name": f"p{index}", "namespace": "d", **metadata},
        "spec": {"containers": [{"name": "c", "resources": resources}]},
        "status": {"phase": phase, "startTime": rfc3339(NOW - age_s * NS),
                   "conditions": [condition]},
    }  # fmt: skip


def levels(*values: int) -> dict[str, PodMetric]:
    return {f"p{i}": PodMetric(value, NOW, 60 * NS) for i, value in enumerate(values)}


@pytest.mark.parametrize(
    ("pods", "used", "current", "percent", "replicas", "found", "usage"),
    [
        ([pod(0), pod(1), pod(2)], (300, 500, 700), 3, 30, 5, 50, 500),
        ([pod(0, False), pod(1), pod(2)], (300, 500, 700), 3, 30, 4, 60, 600),
        ([pod(i, request="1.1") for i in range(5)], (100, 300, 500, 250, 250), 5, 50, 3, 25, 280),
        ([pod(0, request="0.9"), pod(1), pod(2, request="1.1")], (1010, 1030, 1020), 3, 100, 3,
         102, 1020),
        ([pod(i) for i in range(4)], (400, 95), 4, 100, 3, 24, 247),
        ([pod(0), pod(1)], (1000,), 2, 100, 2, 100, 1000),
        ([pod(0), pod(1)], (1900,), 2, 100, 2, 190, 1900),
        ([pod(0), pod(1)], (600,), 2, 100, 2, 60, 600),
        ([pod(0, False), pod(1), pod(2)], (100, 450), 3, 50, 3, 45, 450),
        ([pod(0, False), pod(1), pod(2)], (100, 2000), 3, 50, 4, 200, 2000),
        ([pod(0), pod(1), pod(2, phase="Failed"), pod(3, phase="Failed")], (500, 700), 2, 30, 4,
         60, 600),
        ([pod(0), pod(1), pod(2, False)], (400, 500, 700), 3, 50, 3, 45, 450),
    ],
)  # fmt: skip
def test_utilization(
    pods: list[Obj], used: tuple[int, ...], current: int, percent: int, replicas: int,
    found: int, usage: int,
) -> None:  # fmt: skip
    asked = by_utilization(pods, levels(*used), current, percent, EVEN, "cpu", "", NOW)
    assert (asked.replicas, asked.percent, asked.usage) == (replicas, found, usage)


def test_a_sample_of_a_pods_start_counts_for_nothing() -> None:
    young = pod(0, age_s=30)
    asked = by_utilization([young, pod(1)], levels(2000, 300), 2, 30, EVEN, "cpu", "", NOW)
    assert asked.replicas == 2 and asked.usage == 300


def test_plain_amounts() -> None:
    pods = [pod(i) for i in range(5)]
    used = levels(*[12000] * 5)
    assert by_average(pods, used, 5, 20000, EVEN, "", NOW).replicas == 3
    assert by_average(pods[:3], levels(20000, 10000, 30000), 3, 15000, EVEN, "", NOW)[:2] == (
        4, 20000,
    )  # fmt: skip


def test_values_that_are_not_pods_own() -> None:
    assert by_value([pod(i) for i in range(3)], 20000, 3, 15000, EVEN).replicas == 4
    two_ready = [pod(0, False), pod(1), pod(2)]
    assert by_value(two_ready, 50000, 3, 10000, EVEN).replicas == 10
    assert by_value([], 8, 0, 3, EVEN).replicas == 3
    assert by_value_per_pod(20000, 3, 5000, EVEN)[:2] == (4, 6667)
    assert by_value_per_pod(8600, 3, 2867, EVEN)[:2] == (3, 2867)


def test_tolerances_have_a_side_each() -> None:
    pods = [pod(0), pod(1), pod(2)]
    narrow = Tolerances(up=0.01, down=0.1)
    assert by_utilization(pods, levels(1030, 1030, 1030), 3, 100, EVEN, "cpu", "", NOW)[0] == 3
    assert by_utilization(pods, levels(1030, 1030, 1030), 3, 100, narrow, "cpu", "", NOW)[0] == 4


@pytest.mark.parametrize(
    ("pods", "used", "said"),
    [
        ([], (), "no pods returned by selector while calculating replica count"),
        ([pod(0)], (), "did not receive metrics for targeted pods (pods might be unready)"),
        ([pod(0, request="")], (5,), "missing request for cpu in container c of Pod p0"),
    ],
)
def test_what_cannot_be_computed(pods: list[Obj], used: tuple[int, ...], said: str) -> None:
    with pytest.raises(Uncomputable) as caught:
        by_utilization(pods, levels(*used), 1, 50, EVEN, "cpu", "", NOW)
    assert str(caught.value) == said
