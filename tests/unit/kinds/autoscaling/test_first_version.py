"""Between v1 and the stored version nothing is lost, and what cannot be read is left out."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from mizzen.kinds.autoscaling.first_version import from_stored, to_stored
from mizzen.kinds.autoscaling.horizontal_pod_autoscaler import cpu_metric

Obj = dict[str, Any]
_METRICS = "autoscaling.alpha.kubernetes.io/metrics"
_IDENTITY = {"metric": {"name": "m", "selector": {"matchLabels": {"a": "b"}}}}
_SERVICE = {"describedObject": {"kind": "Service", "name": "s", "apiVersion": "v1"}}


def _metric(kind: str, source: Obj, **target: Any) -> Obj:
    return {"type": kind, kind[:1].lower() + kind[1:]: {**source, "target": target}}


def _stored(*metrics: Obj) -> Obj:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
    spec = {"scaleTargetRef": target, "maxReplicas": 3, "metrics": list(metrics)}
    return {"metadata": {"name": "a", "annotations": {"mine": "1"}}, "spec": spec}


@pytest.mark.parametrize(
    "metric",
    [
        _metric("Object", {**_IDENTITY, **_SERVICE}, type="Value", value="3"),
        _metric("Object", {**_IDENTITY, **_SERVICE}, type="AverageValue", averageValue="3"),
        _metric("Pods", _IDENTITY, type="AverageValue", averageValue="3"),
        _metric("External", _IDENTITY, type="Value", value="3"),
        _metric("External", _IDENTITY, type="AverageValue", averageValue="3"),
        _metric("Resource", {"name": "memory"}, type="Utilization", averageUtilization=5),
        _metric("Resource", {"name": "cpu"}, type="AverageValue", averageValue="3m"),
        _metric(
            "ContainerResource",
            {"name": "cpu", "container": "c"},
            type="Utilization",
            averageUtilization=5,
        ),
    ],
)
def test_metrics_come_back(metric: Obj) -> None:
    stored = _stored(metric, cpu_metric(10))
    before = copy.deepcopy(stored)
    first = from_stored(stored)
    assert first["spec"]["targetCPUUtilizationPercentage"] == 10 and "metrics" not in first["spec"]
    assert first["metadata"]["annotations"]["mine"] == "1"
    again = copy.deepcopy(first)
    assert to_stored(first) == stored
    assert stored == before and first == again, "what they get stays as it is"


@pytest.mark.parametrize("text", ["", "7", '{"a":1}', "[1]", '[{"type":"Pods","pods":{"x":[]}}]x'])
def test_an_annotation_that_cannot_be_read_says_nothing(text: str) -> None:
    first = _stored()
    del first["spec"]["metrics"]
    first["metadata"]["annotations"] = {_METRICS: text}
    made = to_stored(first)
    assert made["spec"]["metrics"] == [cpu_metric(80)]
    assert "annotations" not in made["metadata"]
