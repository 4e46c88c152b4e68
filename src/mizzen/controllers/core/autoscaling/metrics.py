"""Metrics of a HorizontalPodAutoscaler: which paths tell them, and what the answers mean.

Source: `metrics/client.go`; k8s.io/metrics v0.36, its clients of custom and external metrics.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from mizzen.base import quantity
from mizzen.base.clock import parse_rfc3339
from mizzen.base.objects import Obj, name_of
from mizzen.base.reading import entries, part, text
from mizzen.base.selectors import selector_text
from mizzen.controllers.core.autoscaling.replicas import PodMetric

NS = 1_000_000_000
WINDOW_NS = 60 * NS  # of custom metrics that name none
_RESOURCES = "/apis/metrics.k8s.io/v1beta1"
CUSTOM = "/apis/custom.metrics.k8s.io"  # what versions there are
_CUSTOM_VERSIONS = ("v1beta1", "v1beta2")
_EXTERNAL = "/apis/external.metrics.k8s.io/v1beta1"
_DURATION = re.compile(r"([0-9.]+)(h|ms|m|s)")
_UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def resource_path(namespace: str, selector: str) -> str:
    return f"{_RESOURCES}/namespaces/{namespace}/pods?labelSelector={quote(selector)}"


def custom_version(group: Obj) -> str:
    """The version in which custom metrics are asked for, by the APIGroup: the preferred one, or else
    the first that is known. Errors: ValueError where none is."""
    told = [part(group, "preferredVersion"), *entries(group, "versions")]
    for version in (text(each, "version") for each in told):
        if version in _CUSTOM_VERSIONS:
            return version
    raise ValueError("no known available metric versions found")


def pods_path(version: str, namespace: str, selector: str, metric: Obj) -> str:
    path = f"{CUSTOM}/{version}/namespaces/{namespace}/pods/*/{quote(text(metric, 'name'))}"
    return f"{path}?labelSelector={quote(selector)}{_of_metric(metric)}"


def object_path(version: str, namespace: str, resource: str, name: str, metric: Obj) -> str:
    """`resource`: plural with its group; "" for the namespace itself."""
    place = f"{resource}/{name}" if resource else "metrics"
    path = f"{CUSTOM}/{version}/namespaces/{namespace}/{place}/{quote(text(metric, 'name'))}"
    return f"{path}?{_of_metric(metric)}"


def external_path(namespace: str, metric: Obj) -> str:
    selector = quote(selector_text(part(metric, "selector")))
    return (
        f"{_EXTERNAL}/namespaces/{namespace}/{quote(text(metric, 'name'))}?labelSelector={selector}"
    )


def metric_of(path: str) -> str:
    """The name of the metric that one of these paths asks for."""
    return unquote(path.partition("?")[0].rpartition("/")[2])


def selector_words(metric: Obj) -> str:
    """A metric's selector as upstream's messages have it."""
    if "selector" not in metric:
        return "nil"
    selector = part(metric, "selector")
    labels = "".join(f"{k}: {v}," for k, v in sorted(part(selector, "matchLabels").items()))
    terms = "".join(
        f"LabelSelectorRequirement{{Key:{text(each, 'key')},Operator:{text(each, 'operator')},"
        f"Values:[{' '.join(each.get('values') or ())}],}},"
        for each in entries(selector, "matchExpressions")
    )
    return (
        f"&LabelSelector{{MatchLabels:map[string]string{{{labels}}},"
        f"MatchExpressions:[]LabelSelectorRequirement{{{terms}}},}}"
    )


def _of_metric(metric: Obj) -> str:
    selector = selector_text(part(metric, "selector"))
    return f"&metricLabelSelector={quote(selector)}" if selector else ""


def pods_usage(answer: Obj, resource: str, container: str) -> dict[str, PodMetric]:
    """By pod, from a PodMetricsList: of one container, or of all where all tell it."""
    found: dict[str, PodMetric] = {}
    for item in entries(answer, "items"):
        told = entries(item, "containers")
        if container:
            told = [each for each in told if each.get("name") == container]
        amounts = [part(each, "usage").get(resource) for each in told]
        if not amounts or None in amounts:
            continue
        value = sum(quantity.to_milli(each) for each in amounts if each is not None)
        window_ns = _duration_ns(text(item, "window"))
        found[name_of(item)] = PodMetric(value, parse_rfc3339(text(item, "timestamp")), window_ns)
    return found


def pods_values(answer: Obj) -> dict[str, PodMetric]:
    """By pod, from a MetricValueList."""
    return {
        text(item, "describedObject", "name"): PodMetric(
            quantity.to_milli(text(item, "value")),
            parse_rfc3339(text(item, "timestamp")),
            WINDOW_NS if (window_s := _window_s(item)) is None else window_s * NS,
        )
        for item in entries(answer, "items")
    }


def _window_s(item: Obj) -> int | None:
    found = item.get("windowSeconds", item.get("window"))  # the latter is v1beta1's
    return None if found is None else int(found)


def values(answer: Obj) -> list[int]:
    """Thousandths, from a list of custom or external metrics."""
    return [quantity.to_milli(text(item, "value")) for item in entries(answer, "items")]


def _duration_ns(written: str) -> int:
    return int(sum(float(n) * _UNITS_S[unit] for n, unit in _DURATION.findall(written)) * NS)
