"""HorizontalPodAutoscaler: how many replicas something scalable has, by what its pods use.

Source: pkg/apis/autoscaling/v2/defaults.go; printers/internalversion, Kubernetes 1.36.
"""

from __future__ import annotations

from typing import Any

from mizzen.base.objects import Obj
from mizzen.base.resources import HORIZONTAL_POD_AUTOSCALERS
from mizzen.kinds.autoscaling import autoscaler_rules
from mizzen.kinds.columns import AGE, NAME, UNKNOWN, Column, of
from mizzen.kinds.reading import entries, get, part
from mizzen.kinds.treatment import acted, holding
from mizzen.kinds.upstream import upstream_kind

CPU_PERCENT_DEFAULT = 80
_SHOWN_METRICS_MAX = 2
_PERIOD_S = 15


def cpu_metric(percent: int) -> Obj:
    """The metric that asks for this mean share of the CPU that pods request."""
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def _policy(kind: str, value: int) -> Obj:
    return {"type": kind, "value": value, "periodSeconds": _PERIOD_S}


def _rules(given: Obj | None, defaults: Obj) -> Obj:
    stated = {name: value for name, value in (given or {}).items() if value is not None}
    return {**defaults, **stated}


def default(obj: Obj) -> None:
    """Defaults that depend on other fields, in place."""
    spec = obj["spec"]
    spec.setdefault("minReplicas", 1)
    if not spec.get("metrics"):
        spec["metrics"] = [cpu_metric(CPU_PERCENT_DEFAULT)]
    behavior = spec.get("behavior")
    if behavior is None:
        return
    up = [_policy("Pods", 4), _policy("Percent", 100)]
    behavior["scaleUp"] = _rules(
        behavior.get("scaleUp"),
        {"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": up},
    )
    down = {"selectPolicy": "Max", "policies": [_policy("Percent", 100)]}
    behavior["scaleDown"] = _rules(behavior.get("scaleDown"), down)


# -- columns --------------------------------------------------------------------------
def _reference(obj: Obj, now_ns: int) -> str:
    target = part(obj, "spec.scaleTargetRef")
    return f"{target['kind']}/{target['name']}"


def _targets(obj: Obj, now_ns: int) -> str:
    metrics, found = entries(obj, "spec.metrics"), entries(obj, "status.currentMetrics")
    if not metrics:
        return "<none>"
    shown = [
        _target(metric, found[index] if index < len(found) else {})
        for index, metric in enumerate(metrics)
    ]
    text = ", ".join(shown[:_SHOWN_METRICS_MAX])
    more = len(shown) - _SHOWN_METRICS_MAX
    return f"{text} + {more} more..." if more > 0 else text


def _target(metric: Obj, found: Obj) -> str:
    name = metric["type"][:1].lower() + metric["type"][1:]  # Resource: its facts lie at `resource`
    source = metric.get(name)
    if source is None:
        return "<unknown type>"
    target, now = part(source, "target"), part(found, f"{name}.current")
    if name in ("resource", "containerResource"):
        if "averageValue" in target:
            return f"{source['name']}: {_amount(now, 'averageValue')}/{target['averageValue']}"
        share, wanted = now.get("averageUtilization"), target.get("averageUtilization")
        shown = UNKNOWN if share is None else f"{share}%"
        return f"{source['name']}: {shown}/{'<auto>' if wanted is None else f'{wanted}%'}"
    if "averageValue" in target:
        text = f"{_amount(now, 'averageValue')}/{target['averageValue']}"
        return text if name == "pods" else f"{text} (avg)"
    return f"{_amount(now, 'value')}/{target.get('value', '<nil>')}"


def _amount(now: Obj, name: str) -> Any:
    return now.get(name, UNKNOWN)


COLUMNS = (
    NAME,
    Column("Reference", _reference),
    Column("Targets", _targets),
    Column("MinPods", lambda obj, now: str(part(obj, "spec").get("minReplicas", "<unset>"))),
    Column("MaxPods", of("spec.maxReplicas", 0)),
    Column("Replicas", lambda obj, now: get(obj, "status.currentReplicas") or 0),
    AGE,
)

KIND = upstream_kind(
    HORIZONTAL_POD_AUTOSCALERS,
    "How many replicas something scalable has, by what its pods use.",
    default=default,
    validate=autoscaler_rules.check,
    validate_status=autoscaler_rules.check_status,
    columns=COLUMNS,
)

_V2 = "autoscaling.v2"
SERVED_FIELDS = {
    f"{_V2}.{name}": acted("controllers", fields)
    for name, fields in {
        "HorizontalPodAutoscalerSpec": "behavior maxReplicas metrics minReplicas scaleTargetRef",
        "CrossVersionObjectReference": "apiVersion kind name",
        "HorizontalPodAutoscalerBehavior": "scaleDown scaleUp",
        "HPAScalingRules": "policies selectPolicy stabilizationWindowSeconds tolerance",
        "HPAScalingPolicy": "periodSeconds type value",
        "MetricSpec": "containerResource external object pods resource type",
        "ContainerResourceMetricSource": "container name target",
        "ExternalMetricSource": "metric target",
        "ObjectMetricSource": "describedObject metric target",
        "PodsMetricSource": "metric target",
        "ResourceMetricSource": "name target",
        "MetricIdentifier": "name selector",
        "MetricTarget": "averageUtilization averageValue type value",
    }.items()
} | {f"{_V2}.HorizontalPodAutoscaler": holding("spec")}
