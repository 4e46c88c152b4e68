"""The rules that depend on what was there before; the others are asked of both servers."""

from __future__ import annotations

from typing import Any

from mizzen.kinds.autoscaling import autoscaler_rules
from mizzen.kinds.autoscaling.horizontal_pod_autoscaler import cpu_metric

Obj = dict[str, Any]


def _scaler(version: str = "apps/v1", **spec: Any) -> Obj:
    target = {"apiVersion": version, "kind": "Deployment", "name": "d"}
    metrics = [cpu_metric(50)]
    return {"spec": {"scaleTargetRef": target, "maxReplicas": 3, "metrics": metrics, **spec}}


def _fields(new: Obj, old: Obj | None) -> list[str]:
    return [cause.field for cause in autoscaler_rules.check(new, old)]


def test_a_target_of_a_wrong_version_may_stay() -> None:
    wrong = _scaler("v1")
    assert _fields(wrong, None) == ["spec.scaleTargetRef.apiVersion"]
    assert _fields(wrong, wrong) == []
    assert _fields(wrong, _scaler()) == ["spec.scaleTargetRef.apiVersion"]


def test_zero_replicas_may_stay_where_they_were() -> None:
    target = {"type": "Value", "value": "1"}
    metric = {"type": "External", "external": {"metric": {"name": "m"}, "target": target}}
    none = _scaler(minReplicas=0, metrics=[metric])
    assert _fields(none, None) == ["spec.minReplicas"]
    assert _fields(none, none) == []


def test_a_status_counts_no_negative_replicas() -> None:
    causes = autoscaler_rules.check_status({"status": {"currentReplicas": -1}}, None)
    assert [cause.field for cause in causes] == ["status.currentReplicas"]
