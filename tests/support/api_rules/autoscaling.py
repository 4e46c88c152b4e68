"""Rules of HorizontalPodAutoscalers, which have two versions of different form."""

from __future__ import annotations

import json
from typing import Any

from support.api_rules.registry import rule
from support.api_rules.talk import TABLE, Talk

_APPLY = "application/apply-patch+yaml"
_PREFIX = "autoscaling.alpha.kubernetes.io"
_PODS_METRIC = {
    "type": "Pods",
    "pods": {
        "metric": {"name": "requests"},
        "target": {"type": "AverageValue", "averageValue": "10"},
    },
}
_OBJECT_METRIC = {
    "type": "Object",
    "object": {
        "metric": {"name": "load", "selector": {"matchLabels": {"a": "b"}}},
        "describedObject": {"apiVersion": "v1", "kind": "Service", "name": "s"},
        "target": {"type": "AverageValue", "averageValue": "1500m"},
    },
}


def _cpu(percent: int) -> dict[str, Any]:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def _scaler(version: str, name: str, **spec: Any) -> dict[str, Any]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
    return {
        "apiVersion": f"autoscaling/{version}",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": {"scaleTargetRef": target, "maxReplicas": 5, **spec},
    }


def _paths(api: Talk) -> tuple[str, str]:
    """The collections of a new namespace in v1 and v2."""
    namespace = api.namespace().removeprefix("/api/v1")
    return tuple(
        f"/apis/autoscaling/{version}{namespace}/horizontalpodautoscalers"
        for version in ("v1", "v2")
    )  # pyright: ignore[reportReturnType]


@rule("a HorizontalPodAutoscaler of v1 is one of v2 with a metric of the CPU, 80 % if none is said")
def scaler_of_v1(api: Talk) -> None:
    first, second = _paths(api)
    made = api.post(first, _scaler("v1", "a", targetCPUUtilizationPercentage=50)).ok(201)
    assert made["apiVersion"] == "autoscaling/v1"
    assert made["spec"]["minReplicas"] == 1
    seen = api.get(f"{second}/a").ok()
    assert seen["apiVersion"] == "autoscaling/v2"
    assert seen["spec"]["metrics"] == [_cpu(50)]
    assert "targetCPUUtilizationPercentage" not in seen["spec"]
    bare = api.post(first, _scaler("v1", "b")).ok(201)
    assert bare["spec"]["targetCPUUtilizationPercentage"] == 80
    assert bare["status"] == {"currentReplicas": 0, "desiredReplicas": 0}
    both = api.get(first).ok()["items"]
    assert [each["metadata"]["name"] for each in both] == ["a", "b"]


@rule("what v1 has no field for travels in annotations, and comes back from them")
def scaler_round_trip(api: Talk) -> None:
    first, second = _paths(api)
    rules = {"policies": [{"type": "Pods", "value": 2, "periodSeconds": 30}]}
    metrics = [_PODS_METRIC, _cpu(40), _OBJECT_METRIC]
    wish = _scaler("v2", "a", metrics=metrics, behavior={"scaleUp": rules})
    made = api.post(second, wish).ok(201)
    assert made["spec"]["behavior"]["scaleUp"]["selectPolicy"] == "Max"
    seen = api.get(f"{first}/a").ok()
    said = seen["metadata"]["annotations"]
    assert seen["spec"]["targetCPUUtilizationPercentage"] == 40
    assert json.loads(said[f"{_PREFIX}/metrics"]) == [
        {"type": "Pods", "pods": {"metricName": "requests", "targetAverageValue": "10"}},
        {
            "type": "Object",
            "object": {
                "target": {"apiVersion": "v1", "kind": "Service", "name": "s"},
                "metricName": "load",
                "targetValue": "0",
                "selector": {"matchLabels": {"a": "b"}},
                "averageValue": "1500m",
            },
        },
    ]
    behavior = json.loads(said[f"{_PREFIX}/behavior"])
    assert behavior["ScaleUp"] == {
        "StabilizationWindowSeconds": 0,
        "SelectPolicy": "Max",
        "Policies": [{"Type": "Pods", "Value": 2, "PeriodSeconds": 30}],
        "Tolerance": None,
    }
    assert behavior["ScaleDown"]["StabilizationWindowSeconds"] is None
    seen["spec"]["maxReplicas"] = 9
    api.put(f"{first}/a", seen).ok()
    after = api.get(f"{second}/a").ok()
    assert "annotations" not in after["metadata"]
    assert after["spec"]["behavior"] == made["spec"]["behavior"]
    assert after["spec"]["metrics"] == [_PODS_METRIC, _OBJECT_METRIC, _cpu(40)]
    assert after["spec"]["maxReplicas"] == 9


@rule(
    "a writer of v1 keeps the status, of which v1 shows parts; annotations that say none set none"
)
def scaler_status(api: Talk) -> None:
    first, second = _paths(api)
    wish = _scaler("v1", "a")
    wish["metadata"]["annotations"] = {f"{_PREFIX}/conditions": '[{"type":"X","status":"True"}]'}
    api.post(first, wish).ok(201)
    assert "conditions" not in api.get(f"{second}/a").ok()["status"]
    condition = {
        "type": "AbleToScale",
        "status": "True",
        "reason": "R",
        "message": "m",
        "lastTransitionTime": "2026-01-02T03:04:05Z",
    }
    current = {"averageUtilization": 33, "averageValue": "5m"}
    metric = {"type": "Resource", "resource": {"name": "cpu", "current": current}}
    status = {
        "currentReplicas": 2,
        "desiredReplicas": 3,
        "conditions": [condition],
        "currentMetrics": [metric],
    }
    api.patch(f"{second}/a/status", {"status": status}).ok()
    seen = api.get(f"{first}/a").ok()
    assert seen["status"] == {
        "currentReplicas": 2,
        "desiredReplicas": 3,
        "currentCPUUtilizationPercentage": 33,
    }
    api.put(f"{first}/a", _scaler("v1", "a", minReplicas=2)).ok()
    assert api.get(f"{second}/a").ok()["status"] == status
    api.patch(f"{first}/a/status", {"status": {"currentReplicas": 4}}).ok()
    after = api.get(f"{second}/a").ok()["status"]
    assert after["conditions"] == [condition] and after["currentReplicas"] == 4


@rule("a HorizontalPodAutoscaler's faults are told by the paths of v2, in both versions")
def scaler_faults(api: Talk) -> None:
    for path, version in zip(_paths(api), ("v1", "v2"), strict=True):
        wish = _scaler(version, "a", maxReplicas=0, minReplicas=0)
        wish["spec"]["scaleTargetRef"] = {"kind": "Deployment", "name": "a/b", "apiVersion": "v1"}
        said = api.post(path, wish).refused(422, "Invalid")
        assert [(each["field"], each["message"]) for each in said["details"]["causes"]] == [
            ("spec.minReplicas", "Invalid value: 0: must be greater than or equal to 1"),
            ("spec.maxReplicas", "Required value: must be set and greater than 0"),
            ("spec.scaleTargetRef.name", "Invalid value: \"a/b\": may not contain '/'"),
            (
                "spec.scaleTargetRef.apiVersion",
                'Invalid value: "v1": apiVersion must specify API group',
            ),
            (
                "spec.metrics",
                "Forbidden: must specify at least one Object or External metric to support "
                "scaling to zero replicas",
            ),
        ]


@rule("metrics and behavior of a HorizontalPodAutoscaler are checked whole")
def scaler_metrics(api: Talk) -> None:
    _, path = _paths(api)
    metrics = [
        {"type": "Pods", "resource": {"name": "", "target": {"type": "Utilization"}}},
        {"type": "Odd"},
        {
            "type": "External",
            "external": {
                "metric": {"name": "a/b"},
                "target": {"type": "Value", "value": "-1", "averageValue": "0"},
            },
        },
        {
            "type": "ContainerResource",
            "containerResource": {
                "name": "own",
                "container": "A",
                "target": {"type": "Utilization", "averageUtilization": 0},
            },
        },
    ]
    policy = {"type": "Odd", "value": 0, "periodSeconds": 1801}
    rules: dict[str, Any] = {
        "stabilizationWindowSeconds": 3601,
        "selectPolicy": "X",
        "policies": [policy],
    }
    behavior: dict[str, Any] = {"scaleUp": rules, "scaleDown": {"policies": [], "tolerance": "-1"}}
    wish = _scaler("v2", "a", metrics=metrics, behavior=behavior)
    said = api.post(path, wish).refused(422, "Invalid")
    found = [f"{each['field']} {each['message']}" for each in said["details"]["causes"]]
    kinds = '"ContainerResource", "External", "Object", "Pods", "Resource"'
    odd = f'spec.metrics[1].type Unsupported value: "Odd": supported values: {kinds}'
    up, down = "spec.behavior.scaleUp", "spec.behavior.scaleDown"
    for sentence in (
        "spec.metrics[0].resource.name Required value: must specify a resource name",
        "spec.metrics[0].resource.target.averageUtilization Required value: must set either a "
        "target raw value or a target utilization",
        "spec.metrics[0].pods Required value: must populate information for the given metric source",
        odd,
        "spec.metrics[2].external.metric.name Invalid value: \"a/b\": may not contain '/'",
        'spec.metrics[2].external.target.value Invalid value: "-1": must be positive',
        'spec.metrics[2].external.target.averageValue Invalid value: "0": must be positive',
        "spec.metrics[2].external.target.value Forbidden: may not set both a target value for "
        "metric and a per-pod target",
        "spec.metrics[3].containerResource.target.averageUtilization Invalid value: 0: must be "
        "greater than 0",
        f"{up}.stabilizationWindowSeconds Invalid value: 3601: must be less than or equal to 3600",
        f'{up}.selectPolicy Unsupported value: "X": supported values: "Disabled", "Max", "Min"',
        f'{up}.policies[0].type Unsupported value: "Odd": supported values: "Percent", "Pods"',
        f"{up}.policies[0].value Invalid value: 0: must be greater than zero",
        f"{up}.policies[0].periodSeconds Invalid value: 1801: must be less than or equal to 1800",
        f"{down}.policies Required value: must specify at least one Policy",
        f'{down}.tolerance Invalid value: "-1": must be greater than or equal to 0',
    ):
        assert sentence in found, (sentence, found)
    container = [each for each in found if "containerResource" in each]
    assert len(container) == 4 and found.count(odd) == 2, found


@rule("the Table of HorizontalPodAutoscalers is the same in both versions")
def scaler_table(api: Talk) -> None:
    first, second = _paths(api)
    metrics = [_cpu(50), _PODS_METRIC, _OBJECT_METRIC]
    api.post(second, _scaler("v2", "a", metrics=metrics)).ok(201)
    for path, shown in (
        (first, "<unknown>/10, <unknown>/1500m (avg) + 1 more..."),
        (second, "cpu: <unknown>/50%, <unknown>/10 + 1 more..."),
    ):
        table = api.call("GET", path, accept=TABLE).ok()
        names = [column["name"] for column in table["columnDefinitions"]]
        assert names == ["Name", "Reference", "Targets", "MinPods", "MaxPods", "Replicas", "Age"]
        cells = table["rows"][0]["cells"][:-1]
        assert cells[:2] == ["a", "Deployment/d"] and cells[3:] == ["1", 5, 0]
        assert cells[2] in (shown, "cpu: <unknown>/50%, <unknown>/10 + 1 more..."), cells


@rule("appliers of either version of a HorizontalPodAutoscaler meet no conflict with themselves")
def scaler_applied(api: Talk) -> None:
    first, second = _paths(api)
    for path, version, most in ((second, "v2", 5), (first, "v1", 6), (second, "v2", 7)):
        wish = _scaler(version, "a", maxReplicas=most)
        answer = api.patch(f"{path}/a", wish, kind=_APPLY, fieldManager="m")
        assert answer.status in (200, 201), answer.raw
    done = api.get(f"{second}/a").ok()
    assert done["spec"]["maxReplicas"] == 7 and done["spec"]["metrics"] == [_cpu(80)]
    managers = done["metadata"]["managedFields"]
    assert [(each["manager"], each["apiVersion"]) for each in managers] == [("m", "autoscaling/v2")]


@rule("of a group's versions the newest stable one is preferred")
def preferred_versions(api: Talk) -> None:
    group = api.get("/apis/autoscaling").ok()
    assert group["preferredVersion"]["version"] == "v2"
    assert [each["version"] for each in group["versions"]] == ["v2", "v1"]
