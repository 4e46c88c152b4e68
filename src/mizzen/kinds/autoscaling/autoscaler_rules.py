"""The rules of HorizontalPodAutoscalers beyond their schema.

Source: pkg/apis/autoscaling/validation; registry/autoscaling/horizontalpodautoscaler, 1.36.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.quantity import parse
from mizzen.kinds.causes import forbidden, invalid, required, unsupported
from mizzen.kinds.core.resource_names import check_container_resource
from mizzen.kinds.names import dns_label, path_segment
from mizzen.kinds.reading import entries, get, part

PERIOD_MAX_S = 1800
STABILIZATION_MAX_S = 3600

# The field of a metric that each of its types fills, in the order in which upstream looks at them.
_SOURCES = {
    "Object": "object", "External": "external", "Pods": "pods", "Resource": "resource",
    "ContainerResource": "containerResource",
}  # fmt: skip
_TARGETS = ("Utilization", "Value", "AverageValue")
_ONLY = "must populate the given metric source only"
_BOTH = "may not set both a target raw value and a target utilization"


def check(new: Obj, old: Obj | None) -> list[Cause]:
    """Causes to refuse a create (old None) or an update, of the stored version."""
    spec, before = part(new, "spec"), part(old, "spec")
    fewest, most = spec.get("minReplicas"), spec["maxReplicas"]
    lower_bound = 0 if get(before, "minReplicas") == 0 else 1
    causes: list[Cause] = []
    if fewest is not None and fewest < lower_bound:
        what = f"must be greater than or equal to {lower_bound}"
        causes.append(invalid("spec.minReplicas", fewest, what))
    if most == 0:
        causes.append(required("spec.maxReplicas", "must be set and greater than 0"))
    elif most < 0:
        causes.append(invalid("spec.maxReplicas", most, "must be greater than or equal to 1"))
    if fewest is not None and most < fewest:
        what = "must be greater than or equal to `minReplicas`"
        causes.append(invalid("spec.maxReplicas", most, what))
    causes += _check_target(part(spec, "scaleTargetRef"), part(before, "scaleTargetRef"))
    causes += _check_metrics(spec, before)
    for name in ("scaleUp", "scaleDown"):
        rules = get(spec, f"behavior.{name}")
        if rules is not None:
            causes.extend(_check_rules(rules, f"spec.behavior.{name}"))
    return causes


def check_status(new: Obj, old: Obj | None) -> list[Cause]:
    """Causes to refuse an update of the status."""
    return [
        invalid(f"status.{name}", value, "must be greater than or equal to 0")
        for name in ("currentReplicas", "desiredReplicas")
        if (value := get(new, f"status.{name}") or 0) < 0
    ]


def _check_target(target: Obj, before: Obj) -> list[Cause]:
    version = target.get("apiVersion") or ""
    same = before and (before.get("apiVersion") or "", before["kind"]) == (version, target["kind"])
    causes = _check_reference(target, "spec.scaleTargetRef")
    if not same:
        is_core = target["kind"] == "ReplicationController"  # all of core that has a scale
        causes += _check_api_version(version, "spec.scaleTargetRef", may_be_core=is_core)
    return causes


def _check_reference(reference: Obj, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for name in ("kind", "name"):
        value = reference[name]
        if not value:
            causes.append(required(f"{path}.{name}"))
        elif problem := path_segment(value):
            causes.append(invalid(f"{path}.{name}", value, problem))
    return causes


def _check_api_version(version: str, path: str, *, may_be_core: bool) -> list[Cause]:
    if version.count("/") > 1:
        problem = f"unexpected GroupVersion string: {version}"
    elif not may_be_core and not version.rpartition("/")[0]:
        problem = "apiVersion must specify API group"
    else:
        return []
    return [invalid(f"{path}.apiVersion", version, problem)]


# -- metrics --------------------------------------------------------------------------
def _check_metrics(spec: Obj, before: Obj) -> list[Cause]:
    metrics = entries(spec, "metrics")
    were_wrong = any(_check_described(each, "") for each in entries(before, "metrics"))
    causes: list[Cause] = []
    for index, metric in enumerate(metrics):
        path = f"spec.metrics[{index}]"
        causes += _check_metric(metric, path)
        if not were_wrong:
            causes += _check_described(metric, path)
    types = {metric["type"] for metric in metrics}
    if spec.get("minReplicas") == 0 and not types & {"Object", "External"}:
        what = "must specify at least one Object or External metric to support scaling to zero"
        causes.append(forbidden("spec.metrics", f"{what} replicas"))
    return causes


def _check_described(metric: Obj, path: str) -> list[Cause]:
    if "object" not in metric:
        return []
    version = get(metric, "object.describedObject.apiVersion") or ""
    return _check_api_version(version, f"{path}.object.describedObject", may_be_core=True)


def _check_metric(metric: Obj, path: str) -> Iterator[Cause]:
    kind = metric["type"]
    if not kind:
        yield required(f"{path}.type", "must specify a metric source type")
    if kind not in _SOURCES:
        yield unsupported(f"{path}.type", kind, sorted(_SOURCES))
    given = [name for name in _SOURCES.values() if name in metric]
    if given:
        yield from _check_source(given[0], metric[given[0]], f"{path}.{given[0]}")
    expected = _SOURCES.get(kind, "")
    if expected and expected not in metric:
        what = "must populate information for the given metric source"
        yield required(f"{path}.{expected}", what)
    if not expected:
        yield unsupported(f"{path}.type", kind, sorted(_SOURCES))
    if len(given) != 1:
        yield from (forbidden(f"{path}.{name}", _ONLY) for name in given if name != expected)


def _check_source(name: str, source: Obj, path: str) -> Iterator[Cause]:
    target, at = part(source, "target"), f"{path}.target"
    if name == "object":
        yield from _check_reference(part(source, "describedObject"), f"{path}.describedObject")
    if name in ("resource", "containerResource"):
        yield from _check_resource(name, source, path)
    else:
        yield from _check_identifier(part(source, "metric"), f"{path}.metric")
    yield from _check_amounts(target, at)
    if name == "object" and not target.keys() & {"value", "averageValue"}:
        yield required(f"{at}.averageValue", "must set either a target value or averageValue")
    elif name == "external":
        if not target.keys() & {"value", "averageValue"}:
            what = "must set either a target value for metric or a per-pod target"
            yield required(f"{at}.averageValue", what)
        if target.keys() >= {"value", "averageValue"}:
            what = "may not set both a target value for metric and a per-pod target"
            yield forbidden(f"{at}.value", what)
    elif name == "pods" and "averageValue" not in target:
        yield required(f"{at}.averageValue", "must specify a positive target averageValue")
    elif name in ("resource", "containerResource"):
        if not target.keys() & {"averageUtilization", "averageValue"}:
            what = "must set either a target raw value or a target utilization"
            yield required(f"{at}.averageUtilization", what)
        if target.keys() >= {"averageUtilization", "averageValue"}:
            yield forbidden(f"{at}.averageValue", _BOTH)


def _check_resource(name: str, source: Obj, path: str) -> Iterator[Cause]:
    resource = source["name"]
    if not resource:
        yield required(f"{path}.name", "must specify a resource name")
    if name == "resource":
        return
    if resource:
        yield from check_container_resource(resource, f"{path}.name")
    container = source["container"]
    if not container:
        yield required(f"{path}.container", "must specify a container")
    elif problem := dns_label(container):
        yield invalid(f"{path}.container", container, problem)


def _check_identifier(metric: Obj, path: str) -> Iterator[Cause]:
    name = metric.get("name") or ""
    if not name:
        yield required(f"{path}.name", "must specify a metric name")
    elif problem := path_segment(name):
        yield invalid(f"{path}.name", name, problem)


def _check_amounts(target: Obj, path: str) -> Iterator[Cause]:
    kind = target.get("type") or ""
    if not kind:
        yield required(f"{path}.type", "must specify a metric target type")
    if kind not in _TARGETS:
        what = "must be either Utilization, Value, or AverageValue"
        yield invalid(f"{path}.type", kind, what)
    for name in ("value", "averageValue"):
        if name in target and parse(target[name]) <= 0:
            yield invalid(f"{path}.{name}", target[name], "must be positive")
    share = target.get("averageUtilization")
    if share is not None and share < 1:
        yield invalid(f"{path}.averageUtilization", share, "must be greater than 0")


# -- behavior -------------------------------------------------------------------------
def _check_rules(rules: Obj, path: str) -> Iterator[Cause]:
    window = rules.get("stabilizationWindowSeconds")
    if window is not None:
        yield from _check_seconds(window, f"{path}.stabilizationWindowSeconds")
    chosen = rules.get("selectPolicy")
    if chosen is not None and chosen not in ("Max", "Min", "Disabled"):
        yield unsupported(f"{path}.selectPolicy", chosen, ("Disabled", "Max", "Min"))
    policies = entries(rules, "policies")
    if not policies:
        yield required(f"{path}.policies", "must specify at least one Policy")
    for index, policy in enumerate(policies):
        yield from _check_policy(policy, f"{path}.policies[{index}]")
    tolerance: Any = rules.get("tolerance")
    if tolerance is not None and parse(tolerance) < 0:
        what = "must be greater than or equal to 0"
        yield invalid(f"{path}.tolerance", tolerance, what)


def _check_seconds(window: int, path: str) -> Iterator[Cause]:
    if window < 0:
        yield invalid(path, window, "must be greater than or equal to zero")
    if window > STABILIZATION_MAX_S:
        yield invalid(path, window, f"must be less than or equal to {STABILIZATION_MAX_S}")


def _check_policy(policy: Obj, path: str) -> Iterator[Cause]:
    if policy["type"] not in ("Pods", "Percent"):
        yield unsupported(f"{path}.type", policy["type"], ("Percent", "Pods"))
    if policy["value"] <= 0:
        yield invalid(f"{path}.value", policy["value"], "must be greater than zero")
    period = policy["periodSeconds"]
    if period <= 0:
        yield invalid(f"{path}.periodSeconds", period, "must be greater than zero")
    if period > PERIOD_MAX_S:
        what = f"must be less than or equal to {PERIOD_MAX_S}"
        yield invalid(f"{path}.periodSeconds", period, what)
