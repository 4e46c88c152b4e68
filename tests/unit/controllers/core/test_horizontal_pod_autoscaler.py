"""Autoscalers ask for the target's Scale and for metrics, and scale by them."""

from __future__ import annotations

from typing import Any

from mizzen.base.clock import rfc3339
from mizzen.base.errors import ApiError, NotFound
from mizzen.base.objects import Key, Obj
from mizzen.base.operations import Patch
from mizzen.base.resources import HORIZONTAL_POD_AUTOSCALERS, PODS
from mizzen.controllers.core.actions import Action, Ask, EmitEvent, RequeueAfter
from mizzen.controllers.core.horizontal_pod_autoscaler import Autoscaler
from mizzen.controllers.core.view import View

NS = 1_000_000_000
NOW = 1_800_000_000 * NS
SCALE = "/apis/apps/v1/namespaces/d/deployments/web/scale"
USAGE = "/apis/metrics.k8s.io/v1beta1/namespaces/d/pods?labelSelector=app%3Dweb"
EXTERNAL = "/apis/external.metrics.k8s.io/v1beta1/namespaces/d/queue?labelSelector=q%3Da"
CPU: Obj = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
}
QUEUE: Obj = {
    "type": "External",
    "external": {"metric": {"name": "queue", "selector": {"matchLabels": {"q": "a"}}},
                 "target": {"type": "AverageValue", "averageValue": "30"}},
}  # fmt: skip


def hpa(*metrics: Obj, **spec: Any) -> Obj:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    whole = {"scaleTargetRef": target, "maxReplicas": 10, "minReplicas": 1,
             "metrics": list(metrics), **spec}  # fmt: skip
    return {"metadata": {"name": "h", "namespace": "d", "uid": "u"}, "spec": whole}


def pod(name: str) -> Obj:
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": rfc3339(NOW - 500 * NS)}
    return {
        "metadata": {"name": name, "namespace": "d", "uid": name, "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "1"}}}]},
        "status": {"phase": "Running", "startTime": rfc3339(NOW - 600 * NS),
                   "conditions": [ready]},
    }  # fmt: skip


def answers(replicas: int = 2, cpu: str = "900m", selector: str = "app=web") -> dict[str, Any]:
    items = [
        {"metadata": {"name": name}, "timestamp": rfc3339(NOW), "window": "15s",
         "containers": [{"name": "c", "usage": {"cpu": cpu}}]}
        for name in ("a", "b")
    ]  # fmt: skip
    return {
        "/apis/apps/v1": {"resources": [
            {"name": "deployments/scale", "kind": "Scale", "namespaced": True},
            {"name": "deployments", "kind": "Deployment", "namespaced": True},
        ]},
        SCALE: {"spec": {"replicas": replicas},
                "status": {"replicas": replicas, "selector": selector}},
        USAGE: {"items": items},
        EXTERNAL: {"items": [{"value": "100"}, {"value": "20"}]},
    }  # fmt: skip


def run(made: Obj, known: dict[str, Any], scaler: Autoscaler | None = None,
        now_ns: int = NOW, *others: Obj) -> list[Action]:  # fmt: skip
    view = View.of([
        (HORIZONTAL_POD_AUTOSCALERS, made), *((HORIZONTAL_POD_AUTOSCALERS, o) for o in others),
        (PODS, pod("a")), (PODS, pod("b")),
    ])  # fmt: skip
    given: dict[str, Obj | ApiError] = {}
    scaler = scaler or Autoscaler()
    key = Key("d", made["metadata"]["name"])
    while True:
        try:
            return scaler.decide(view, key, now_ns, given)
        except Ask as question:
            given[question.path] = known.get(question.path) or NotFound("not found")


def patches(actions: list[Action]) -> tuple[Obj, Obj]:
    """That of the Scale and that of the status."""
    found = {each.subresource: each.patch for each in actions if isinstance(each, Patch)}
    return found.get("scale", {}), found.get("status", {}).get("status", {})


def conditions(status: Obj) -> dict[str, tuple[str, str]]:
    return {each["type"]: (each["status"], each["reason"]) for each in status["conditions"]}


def test_it_scales_by_what_pods_use() -> None:
    actions = run(hpa(CPU), answers())
    scale, status = patches(actions)
    assert scale == {"spec": {"replicas": 4}}
    assert (status["currentReplicas"], status["desiredReplicas"]) == (2, 4)
    assert status["currentMetrics"] == [
        {"type": "Resource", "resource": {"name": "cpu", "current": {
            "averageValue": "900m", "averageUtilization": 90}}}
    ]  # fmt: skip
    assert conditions(status) == {
        "AbleToScale": ("True", "SucceededRescale"),
        "ScalingActive": ("True", "ValidMetricFound"),
        "ScalingLimited": ("False", "DesiredWithinRange"),
    }
    told = [each.message for each in actions if isinstance(each, EmitEvent)]
    assert told == [
        "New size: 4; reason: cpu resource utilization (percentage of request) above target"
    ]


def test_nothing_is_written_where_nothing_changes() -> None:
    scaler = Autoscaler()
    _, status = patches(run(hpa(CPU), answers(cpu="500m"), scaler))
    assert conditions(status)["AbleToScale"] == ("True", "ReadyForNewScale")
    same = {**hpa(CPU), "status": status}
    assert run(same, answers(cpu="500m"), scaler, NOW + 15 * NS) == [RequeueAfter(15.0)]
    assert run(same, {}, scaler, NOW + 16 * NS) == [RequeueAfter(14.0)]


def test_the_metric_that_asks_for_most_counts() -> None:
    scale, status = patches(run(hpa(CPU, QUEUE), answers(cpu="500m")))
    assert scale == {"spec": {"replicas": 4}}
    current = status["currentMetrics"][1]["external"]["current"]
    assert current == {"averageValue": "60"}


def test_a_metric_that_fails_does_not_scale_down() -> None:
    known = answers(cpu="100m")
    del known[EXTERNAL]
    actions = run(hpa(CPU, QUEUE), known)
    scale, status = patches(actions)
    assert scale == {}
    assert conditions(status)["ScalingActive"] == ("False", "FailedGetExternalMetric")
    reasons = [each.reason for each in actions if isinstance(each, EmitEvent)]
    assert reasons == ["FailedGetExternalMetric", "FailedComputeMetricsReplicas"]


def test_a_target_that_is_not_there_is_told() -> None:
    known = answers()
    del known[SCALE]
    actions = run(hpa(CPU), known)
    _, status = patches(actions)
    assert conditions(status) == {"AbleToScale": ("False", "FailedGetScale")}


def test_bounds_come_before_metrics() -> None:
    assert patches(run(hpa(CPU, maxReplicas=1), answers()))[0] == {"spec": {"replicas": 1}}
    assert patches(run(hpa(CPU, minReplicas=3), answers()))[0] == {"spec": {"replicas": 3}}
    _, status = patches(run(hpa(CPU), answers(replicas=0)))
    assert conditions(status)["ScalingActive"] == ("False", "ScalingDisabled")


def test_two_that_select_the_same_pods_are_both_refused() -> None:
    scaler, other = Autoscaler(), hpa(CPU)
    other["metadata"] = {"name": "i", "namespace": "d", "uid": "v"}
    run(hpa(CPU), answers(), scaler, NOW, other)
    _, status = patches(run(other, answers(), scaler, NOW, hpa(CPU)))
    assert conditions(status)["ScalingActive"] == ("False", "AmbiguousSelector")
