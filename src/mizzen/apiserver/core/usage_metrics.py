"""NodeMetrics and PodMetrics (metrics.k8s.io/v1beta1) of the Summaries that nodes tell."""

from __future__ import annotations

from mizzen.base.objects import Obj, labels_of
from mizzen.base.reading import entries, number, part, text
from mizzen.base.resources import NODE_METRICS, POD_METRICS, Resource

WINDOW = "500ms"


def node_metrics(node: Obj, summary: Obj) -> Obj:
    found = part(summary, "node")
    return {**_head(NODE_METRICS, node, found), "usage": _usage(found)}


def pod_metrics(pod: Obj, told: Obj) -> Obj:
    """`told` is what a Summary says of the pod."""
    containers = entries(told, "containers")
    used = [{"name": each["name"], "usage": _usage(each)} for each in containers]
    first = containers[0] if containers else {}
    return {**_head(POD_METRICS, pod, first), "containers": used}


def uid_of_told(told: Obj) -> str:
    return text(told, "podRef", "uid")


def _head(resource: Resource, obj: Obj, found: Obj) -> Obj:
    time = text(found, "cpu", "time")
    metadata: Obj = {"name": obj["metadata"]["name"], "creationTimestamp": time or None}
    if obj["metadata"].get("namespace"):
        metadata["namespace"] = obj["metadata"]["namespace"]
    if labels_of(obj):
        metadata["labels"] = labels_of(obj)
    return {
        "kind": resource.kind,
        "apiVersion": resource.api_version,
        "metadata": metadata,
        "timestamp": time or None,
        "window": WINDOW,
    }


def _usage(found: Obj) -> Obj:
    cpu = number(found, "cpu", "usageNanoCores")
    memory = number(found, "memory", "workingSetBytes")
    return {"cpu": f"{cpu}n" if cpu else "0", "memory": f"{memory >> 10}Ki" if memory else "0"}
