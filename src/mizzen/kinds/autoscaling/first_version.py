"""HorizontalPodAutoscaler of autoscaling/v1: the share of the CPU alone has a field of its own, all
else of the stored version travels in annotations, so that a client of v1 loses nothing.

Source: pkg/apis/autoscaling/v1/conversion.go and annotations.go, Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any, cast

import orjson

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import FIRST_HORIZONTAL_POD_AUTOSCALERS, HORIZONTAL_POD_AUTOSCALERS
from mizzen.kinds.autoscaling import autoscaler_rules
from mizzen.kinds.autoscaling.horizontal_pod_autoscaler import (
    COLUMNS,
    CPU_PERCENT_DEFAULT,
    cpu_metric,
)
from mizzen.kinds.conversion import Conversion
from mizzen.kinds.decoding import decode
from mizzen.kinds.kind import Cell, Column
from mizzen.kinds.reading import entries, get, part
from mizzen.kinds.schema import Schema, array
from mizzen.kinds.upstream import upstream_kind, upstream_type

_PREFIX = "autoscaling.alpha.kubernetes.io"
_METRICS = f"{_PREFIX}/metrics"
_CURRENT = f"{_PREFIX}/current-metrics"
_CONDITIONS = f"{_PREFIX}/conditions"
_BEHAVIOR = f"{_PREFIX}/behavior"
_OF_STATUS = (_CURRENT, _CONDITIONS)
_TRAVELLING = frozenset(
    (
        _METRICS,
        _BEHAVIOR,
        *_OF_STATUS,
        f"{_PREFIX}/scale-down-tolerance",
        f"{_PREFIX}/scale-up-tolerance",
    )
)

# Where v1 has each part of a metric that v2 has at the path on the right, by the metric's source;
# in the order in which upstream writes them.
_Paths = Mapping[str, str]
_SELECTED = {"selector": "metric.selector"}
_TARGETS: Mapping[str, _Paths] = {
    "object": {
        "target": "describedObject", "metricName": "metric.name", "targetValue": "target.value",
        **_SELECTED, "averageValue": "target.averageValue",
    },
    "pods": {
        "metricName": "metric.name", "targetAverageValue": "target.averageValue", **_SELECTED,
    },
    "resource": {
        "name": "name", "targetAverageUtilization": "target.averageUtilization",
        "targetAverageValue": "target.averageValue",
    },
    "containerResource": {
        "name": "name", "targetAverageUtilization": "target.averageUtilization",
        "targetAverageValue": "target.averageValue", "container": "container",
    },
    "external": {
        "metricName": "metric.name", "metricSelector": "metric.selector",
        "targetValue": "target.value", "targetAverageValue": "target.averageValue",
    },
}  # fmt: skip
_FOUND: Mapping[str, _Paths] = {
    "object": {
        "target": "describedObject", "metricName": "metric.name", "currentValue": "current.value",
        **_SELECTED, "averageValue": "current.averageValue",
    },
    "pods": {
        "metricName": "metric.name", "currentAverageValue": "current.averageValue", **_SELECTED,
    },
    "resource": {
        "name": "name", "currentAverageUtilization": "current.averageUtilization",
        "currentAverageValue": "current.averageValue",
    },
    "containerResource": {
        "name": "name", "currentAverageUtilization": "current.averageUtilization",
        "currentAverageValue": "current.averageValue", "container": "container",
    },
    "external": {
        "metricName": "metric.name", "metricSelector": "metric.selector",
        "currentValue": "current.value", "currentAverageValue": "current.averageValue",
    },
}  # fmt: skip
# Amounts that v1 cannot leave out.
_ALWAYS = frozenset(
    (
        ("object", "targetValue"),
        ("object", "currentValue"),
        ("pods", "targetAverageValue"),
        ("pods", "currentAverageValue"),
        ("resource", "currentAverageValue"),
        ("containerResource", "currentAverageValue"),
        ("external", "currentValue"),
    )
)


# -- from the stored version ----------------------------------------------------------
def from_stored(obj: Obj) -> Obj:
    """The object in v1; the one given stays as it is."""
    metadata, spec, status = part(obj, "metadata"), part(obj, "spec"), part(obj, "status")
    annotations = _without_travelling(metadata)
    metrics = entries(spec, "metrics")
    others = [metric for metric in metrics if _cpu_percent(metric) is None]
    if others:
        annotations[_METRICS] = _json([_flat(each, _TARGETS) for each in others])
    if found := entries(status, "currentMetrics"):
        annotations[_CURRENT] = _json([_flat(each, _FOUND) for each in found])
    if "behavior" in spec:
        annotations[_BEHAVIOR] = _json(_go_form(spec["behavior"]))
    if conditions := entries(status, "conditions"):
        annotations[_CONDITIONS] = _json(conditions)
    kept = ("scaleTargetRef", "minReplicas", "maxReplicas")
    made_spec = {name: spec[name] for name in kept if name in spec}
    shares = [share for metric in metrics if (share := _cpu_percent(metric)) is not None]
    if shares:
        made_spec["targetCPUUtilizationPercentage"] = shares[0]
    made = {**obj, "metadata": _annotated(metadata, annotations), "spec": made_spec}
    if "status" in obj:
        made["status"] = _status_from_stored(status)
    return made


def _status_from_stored(status: Obj) -> Obj:
    left_out = ("currentMetrics", "conditions")
    made = {name: value for name, value in status.items() if name not in left_out}
    made.setdefault("currentReplicas", 0)
    for metric in entries(status, "currentMetrics"):
        resource = part(metric, "resource")
        share = get(resource, "current.averageUtilization")
        if resource.get("name") == "cpu" and share is not None:
            made["currentCPUUtilizationPercentage"] = share
    return made


def _cpu_percent(metric: Obj) -> int | None:
    """The share that v1 has a field for, None for all other metrics."""
    resource = part(metric, "resource")
    if metric.get("type") != "Resource" or resource.get("name") != "cpu":
        return None
    return get(resource, "target.averageUtilization")


def _flat(metric: Obj, sources: Mapping[str, _Paths]) -> Obj:
    made: Obj = {"type": metric.get("type", "")}
    for name, paths in sources.items():
        if name not in metric:
            continue
        made[name] = {}
        for mine, path in paths.items():
            value = get(metric[name], path)
            if value is None and (name, mine) in _ALWAYS:
                value = "0"
            if value is not None:
                made[name][mine] = value
    return made


def _go_form(behavior: Obj) -> Obj:
    """As Go writes it: a type of its own without names for JSON, with null for what is not said."""
    made: Obj = {}
    for name in ("scaleUp", "scaleDown"):
        rules = behavior.get(name)
        made[_title(name)] = None if rules is None else _go_rules(rules)
    return made


def _go_rules(rules: Obj) -> Obj:
    names = ("stabilizationWindowSeconds", "selectPolicy", "policies", "tolerance")
    made = {_title(name): rules.get(name) for name in names}
    if policies := rules.get("policies"):
        order = ("type", "value", "periodSeconds")
        made["Policies"] = [{_title(n): policy.get(n) for n in order} for policy in policies]
    return made


# -- to the stored version ------------------------------------------------------------
def to_stored(obj: Obj) -> Obj:
    """The object in the stored version; the one given stays as it is. Annotations that cannot be
    read count as none."""
    metadata, spec, status = part(obj, "metadata"), part(obj, "spec"), part(obj, "status")
    said = part(metadata, "annotations")
    made_spec = {n: v for n, v in spec.items() if n != "targetCPUUtilizationPercentage"}
    percent = spec.get("targetCPUUtilizationPercentage")
    metrics: list[Obj] = _read(said.get(_METRICS), "[]MetricSpec", _nested_targets) or []
    if percent is not None:
        metrics = [*metrics, cpu_metric(percent)]
    made_spec["metrics"] = metrics or [cpu_metric(CPU_PERCENT_DEFAULT)]
    if behavior := _read(said.get(_BEHAVIOR), "HorizontalPodAutoscalerBehavior", _camel):
        made_spec["behavior"] = behavior
    annotations = _without_travelling(metadata)
    made = {**obj, "metadata": _annotated(metadata, annotations), "spec": made_spec}
    if "status" in obj or any(name in said for name in _OF_STATUS):
        made["status"] = _status_to_stored(status, said)
    return made


def _status_to_stored(status: Obj, said: Obj) -> Obj:
    left_out = "currentCPUUtilizationPercentage"
    made = {name: value for name, value in status.items() if name != left_out}
    share = status.get(left_out)
    if share is not None:
        current = {"averageUtilization": share}
        made["currentMetrics"] = [
            {"type": "Resource", "resource": {"name": "cpu", "current": current}}
        ]
    if found := _read(said.get(_CURRENT), "[]MetricStatus", _nested_found):
        made["currentMetrics"] = found
    if conditions := _read(said.get(_CONDITIONS), "[]HorizontalPodAutoscalerCondition", _same):
        made["conditions"] = conditions
    return made


def _read(text: Any, type_name: str, form: Callable[[Any], Any]) -> Any:
    """What an annotation says in the stored version, None for none or one that cannot be read."""
    if not isinstance(text, str):
        return None
    try:
        decoded = decode(_schema(type_name), form(orjson.loads(text)))
    except (ValueError, TypeError, AttributeError, KeyError):
        return None
    return None if decoded.causes else decoded.object


@cache
def _schema(type_name: str) -> Schema:
    found = upstream_type(f"io.k8s.api.autoscaling.v2.{type_name.removeprefix('[]')}")
    return array(found) if type_name.startswith("[]") else found


def _same(value: Any) -> Any:
    return value


def _nested_targets(metrics: Any) -> Any:
    return [_nested(metric, _TARGETS, _target_type) for metric in metrics]


def _nested_found(metrics: Any) -> Any:
    return [_nested(metric, _FOUND, None) for metric in metrics]


def _nested(
    metric: Obj, sources: Mapping[str, _Paths], typed: Callable[[str, Obj], str] | None
) -> Obj:
    made: Obj = {"type": metric.get("type", "")}
    for name, paths in sources.items():
        if metric.get(name) is None:
            continue
        source: Obj = {}
        for mine, path in paths.items():
            value = metric[name].get(mine)
            if value is not None:
                first, _, rest = path.partition(".")
                if rest:
                    source.setdefault(first, {})[rest] = value
                else:
                    source[first] = value
        if typed is not None:
            target = source.setdefault("target", {})
            target["type"] = typed(name, target)
            # v1 cannot leave out the value of an object's metric, and zero would be refused.
            if name == "object" and "averageValue" in target and target.get("value") == "0":
                del target["value"]
        made[name] = source
    return made


def _target_type(source: str, target: Obj) -> str:
    if source in ("resource", "containerResource"):
        return "Utilization" if "averageUtilization" in target else "AverageValue"
    if source == "object":
        return "AverageValue" if "averageValue" in target else "Value"
    return "Value" if source == "external" and "value" in target else "AverageValue"


def _camel(value: Any) -> Any:
    """Go's names of fields as JSON has them; Go reads both."""
    if isinstance(value, dict):
        named = cast("Obj", value).items()
        return {name[:1].lower() + name[1:]: _camel(child) for name, child in named}
    return [_camel(each) for each in cast("list[Any]", value)] if isinstance(value, list) else value


def _title(name: str) -> str:
    return name[0].upper() + name[1:]


# -- annotations ----------------------------------------------------------------------
def _without_travelling(metadata: Obj) -> Obj:
    said = part(metadata, "annotations")
    return {name: value for name, value in said.items() if name not in _TRAVELLING}


def _annotated(metadata: Obj, annotations: Obj) -> Obj:
    made = {name: value for name, value in metadata.items() if name != "annotations"}
    return {**made, "annotations": annotations} if annotations else made


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


# -- the kind -------------------------------------------------------------------------
def _default(obj: Obj) -> None:
    obj["spec"].setdefault("minReplicas", 1)


def _on_create(new: Obj) -> None:
    """A creator sets no status, in annotations neither."""
    _keep_status(new, {})


def _on_update(new: Obj, old: Obj) -> None:
    """A writer of the specification keeps the whole status."""
    _keep_status(new, part(old, "metadata.annotations"))


def _keep_status(new: Obj, said: Obj) -> None:
    metadata = new["metadata"]
    annotations = {n: v for n, v in part(metadata, "annotations").items() if n not in _OF_STATUS}
    annotations.update((name, said[name]) for name in _OF_STATUS if name in said)
    metadata.pop("annotations", None)
    if annotations:
        metadata["annotations"] = annotations


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    return autoscaler_rules.check(to_stored(new), None if old is None else to_stored(old))


def _of_stored(column: Column) -> Column:
    def cell(obj: Obj, now_ns: int) -> Cell:
        return column.cell(to_stored(obj), now_ns)

    return replace(column, cell=cell)


KIND = upstream_kind(
    FIRST_HORIZONTAL_POD_AUTOSCALERS,
    "How many replicas something scalable has, by the share of the CPU that its pods use.",
    conversion=Conversion(HORIZONTAL_POD_AUTOSCALERS, to_stored, from_stored),
    default=_default,
    on_create=_on_create,
    on_update=_on_update,
    validate=_validate,
    validate_status=autoscaler_rules.check_status,
    is_acted_upon=False,
    columns=tuple(map(_of_stored, COLUMNS)),
)
