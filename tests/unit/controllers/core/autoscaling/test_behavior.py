"""Bounds, rates and stabilisation, replayed from facts of upstream's table tests."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.controllers.core.autoscaling.behavior import (
    History,
    Moment,
    normalize,
    note_scaling,
)

NS = 1_000_000_000
NOW = 1_800_000_000 * NS
Obj = dict[str, Any]


def rules(*policies: tuple[str, int, int], select: str = "Max", window_s: int = 0) -> Obj:
    written = [{"type": kind, "value": value, "periodSeconds": s} for kind, value, s in policies]
    return {"policies": written, "selectPolicy": select, "stabilizationWindowSeconds": window_s}


DOWN = rules(("Percent", 100, 15), window_s=300)
UP = rules(("Pods", 4, 15), ("Percent", 100, 15))


@pytest.mark.parametrize(
    ("current", "wanted", "least", "most", "replicas", "reason"),
    [
        (5, 7, 3, 8, 7, "DesiredWithinRange"),
        (3, 1, 2, 8, 2, "TooFewReplicas"),
        (20, 1000, 1, 10, 10, "TooManyReplicas"),
        (3, 1000, 1, 2000, 6, "ScaleUpLimit"),
        (1, 1000, 1, 2000, 4, "ScaleUpLimit"),
    ],
)
def test_bounds(current: int, wanted: int, least: int, most: int, replicas: int,
                reason: str) -> None:  # fmt: skip
    made = normalize(History(), {"maxReplicas": most}, current, wanted, least, NOW)
    assert (made.replicas, made.limited[0]) == (replicas, reason)


def test_without_a_behavior_it_falls_to_the_highest_of_five_minutes() -> None:
    history = History([Moment(9, NOW - 299 * NS), Moment(12, NOW - 301 * NS)])
    made = normalize(history, {"maxReplicas": 20}, 10, 3, 1, NOW)
    assert (made.replicas, made.able[0]) == (9, "ScaleDownStabilized")
    assert [each.replicas for each in history.recommendations] == [9, 3]


@pytest.mark.parametrize(
    ("current", "wanted", "up", "down", "replicas", "reason"),
    [
        (100, 500, rules(("Percent", 200, 60)), DOWN, 300, "ScaleUpLimit"),
        (100, 500, rules(("Pods", 150, 60)), DOWN, 250, "ScaleUpLimit"),
        (100, 500, rules(("Pods", 150, 60), ("Percent", 200, 60), select="Min"), DOWN, 250,
         "ScaleUpLimit"),
        (100, 500, rules(("Pods", 150, 60), select="Disabled"), DOWN, 100, "ScaleUpLimit"),
        (10, 5, UP, rules(("Percent", 20, 60)), 8, "ScaleDownLimit"),
        (10, 5, UP, rules(("Pods", 4, 60), ("Percent", 20, 60)), 6, "ScaleDownLimit"),
        (10, 5, UP, rules(("Pods", 4, 60), ("Percent", 20, 60), select="Min"), 8,
         "ScaleDownLimit"),
        (10, 0, UP, rules(("Percent", 100, 60)), 1, "TooFewReplicas"),
    ],
)  # fmt: skip
def test_rates(current: int, wanted: int, up: Obj, down: Obj, replicas: int,
               reason: str) -> None:  # fmt: skip
    spec = {"maxReplicas": 1000, "behavior": {"scaleUp": up, "scaleDown": down}}
    made = normalize(History(), spec, current, wanted, 1, NOW)
    assert (made.replicas, made.limited[0], made.is_limited) == (replicas, reason, True)


def test_what_was_scaled_in_the_period_counts_for_the_rate() -> None:
    spec = {"maxReplicas": 1000, "behavior": {"scaleUp": rules(("Pods", 5, 60)),
                                              "scaleDown": DOWN}}  # fmt: skip
    history = History()
    note_scaling(history, spec, 7, 10, NOW - 59 * NS)
    assert normalize(history, spec, 10, 50, 1, NOW).replicas == 12
    assert normalize(history, spec, 10, 50, 1, NOW + 2 * NS).replicas == 15


def test_windows_keep_it_from_going_to_and_fro() -> None:
    up, down = rules(("Pods", 99, 15), window_s=60), rules(("Percent", 100, 15), window_s=120)
    spec = {"maxReplicas": 1000, "behavior": {"scaleUp": up, "scaleDown": down}}
    history = History([Moment(6, NOW - 30 * NS), Moment(20, NOW - 100 * NS)])
    made = normalize(history, spec, 5, 9, 1, NOW)
    assert (made.replicas, made.able[0]) == (6, "ScaleUpStabilized")
    made = normalize(History([Moment(8, NOW - 100 * NS)]), spec, 10, 4, 1, NOW)
    assert (made.replicas, made.able[0]) == (8, "ScaleDownStabilized")
