"""Defaults and columns of HorizontalPodAutoscalers."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.kinds.autoscaling.horizontal_pod_autoscaler import KIND, cpu_metric

Obj = dict[str, Any]


def _scaler(**spec: Any) -> Obj:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
    return {"metadata": {"name": "a"}, "spec": {"scaleTargetRef": target, "maxReplicas": 3, **spec}}


def test_without_metrics_the_cpu_is_one() -> None:
    obj = _scaler()
    KIND.default(obj)
    assert obj["spec"]["minReplicas"] == 1 and obj["spec"]["metrics"] == [cpu_metric(80)]
    assert "behavior" not in obj["spec"]


def test_a_behavior_is_completed_and_what_it_says_stays() -> None:
    mine = [{"type": "Pods", "value": 1, "periodSeconds": 5}]
    obj = _scaler(behavior={"scaleDown": {"policies": mine, "stabilizationWindowSeconds": 7}})
    KIND.default(obj)
    down, up = obj["spec"]["behavior"]["scaleDown"], obj["spec"]["behavior"]["scaleUp"]
    assert down == {"policies": mine, "stabilizationWindowSeconds": 7, "selectPolicy": "Max"}
    assert up["stabilizationWindowSeconds"] == 0 and len(up["policies"]) == 2


def _target(kind: str, **target: Any) -> Obj:
    source = {"metric": {"name": "m"}, "target": target}
    return {"type": kind, kind[:1].lower() + kind[1:]: source}


@pytest.mark.parametrize(
    ("metric", "current", "shown"),
    [
        (cpu_metric(50), {}, "cpu: <unknown>/50%"),
        (cpu_metric(50), {"averageUtilization": 20, "averageValue": "1m"}, "cpu: 20%/50%"),
        (_target("Pods", averageValue="5"), {"averageValue": "2"}, "2/5"),
        (_target("Object", value="5"), {"value": "7"}, "7/5"),
        (_target("External", averageValue="5"), {"averageValue": "3"}, "3/5 (avg)"),
        ({"type": "Odd"}, {}, "<unknown type>"),
    ],
)
def test_targets_show_what_is_and_what_is_wanted(metric: Obj, current: Obj, shown: str) -> None:
    obj = _scaler(metrics=[metric])
    source = metric["type"][:1].lower() + metric["type"][1:]
    if current:
        obj["status"] = {"currentMetrics": [{"type": metric["type"], source: {"current": current}}]}
    cell = next(column.cell for column in KIND.columns if column.name == "Targets")
    assert cell(obj, 0) == shown
