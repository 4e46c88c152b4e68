"""Metrics of nodes and pods, of what a Summary tells."""

from __future__ import annotations

from typing import Any

from mizzen.apiserver.core.usage_metrics import node_metrics, pod_metrics

TIME = "2026-05-01T12:00:00Z"


def stats(cpu: int, memory: int) -> dict[str, Any]:
    return {
        "cpu": {"time": TIME, "usageNanoCores": cpu},
        "memory": {"workingSetBytes": memory},
    }


def test_a_node_uses_what_its_summary_says() -> None:
    made = node_metrics({"metadata": {"name": "n"}}, {"node": stats(250, 4096)})
    assert (made["kind"], made["apiVersion"]) == ("NodeMetrics", "metrics.k8s.io/v1beta1")
    assert made["usage"] == {"cpu": "250n", "memory": "4Ki"}
    assert (made["timestamp"], made["window"]) == (TIME, "500ms")


def test_a_pod_uses_what_its_containers_do() -> None:
    pod = {"metadata": {"name": "p", "namespace": "d", "labels": {"app": "x"}}}
    told = {"containers": [{"name": "a", **stats(7, 2048)}, {"name": "b", **stats(0, 0)}]}
    made = pod_metrics(pod, told)
    assert made["metadata"]["namespace"] == "d"
    assert made["metadata"]["labels"] == {"app": "x"}
    assert made["containers"] == [
        {"name": "a", "usage": {"cpu": "7n", "memory": "2Ki"}},
        {"name": "b", "usage": {"cpu": "0", "memory": "0"}},
    ]
