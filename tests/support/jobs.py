"""A Job in a `controlled.Cluster`: tests play its scheduler and its agent."""

from __future__ import annotations

from typing import Any

from mizzen.base.clock import rfc3339
from mizzen.base.names import COMPLETION_INDEX
from mizzen.base.objects import Obj
from mizzen.base.resources import JOBS, PODS
from support.controlled import Cluster


def start(cluster: Cluster, **spec: Any) -> None:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c"}]}}
    metadata = {"name": "j", "namespace": "default"}
    defaults = {"completions": 1, "parallelism": 1, "backoffLimit": 6}
    if "podFailurePolicy" in spec:
        defaults["podReplacementPolicy"] = "Failed"
    if "backoffLimitPerIndex" in spec:
        defaults["backoffLimit"] = 2**31 - 1
    cluster.add(JOBS, {"metadata": metadata, "spec": {"template": template, **defaults, **spec}})
    cluster.settle("j")


def active(cluster: Cluster) -> list[str]:
    return [
        pod["metadata"]["name"]
        for pod in cluster.all(PODS)
        if (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
        and not pod["metadata"].get("deletionTimestamp")
    ]


def end(cluster: Cluster, name: str, phase: str = "Succeeded") -> None:
    cluster.change(PODS, name, {"spec": {"nodeName": "n"}, "status": {"phase": phase}})
    cluster.settle("j")


def fail(cluster: Cluster, name: str, code: int = 1, container: str = "c", **status: Any) -> None:
    """The pod fails now, its container with this exit code."""
    ended = {"terminated": {"exitCode": code, "finishedAt": rfc3339(cluster.now)}}
    status["containerStatuses"] = [{"name": container, "state": ended}]
    cluster.change(PODS, name, {"status": status})
    end(cluster, name, "Failed")


def of_index(cluster: Cluster, index: int) -> list[str]:
    """The active pods of an index."""
    pods = [cluster.get(PODS, name) for name in active(cluster)]
    found = [p for p in pods if p["metadata"]["annotations"][COMPLETION_INDEX] == str(index)]
    return [pod["metadata"]["name"] for pod in found]


def stopped(cluster: Cluster) -> None:
    """The agent has ended every pod that is to go."""
    for pod in cluster.all(PODS):
        if pod["metadata"].get("deletionTimestamp"):
            gone = {"metadata": {"deletionGracePeriodSeconds": 0}}
            cluster.change(PODS, pod["metadata"]["name"], gone)
    cluster.settle("j")


def status(cluster: Cluster) -> Obj:
    return cluster.get(JOBS, "j")["status"]


def over(cluster: Cluster, kind: str = "Complete") -> str | None:
    """The reason of a condition that holds."""
    found = [c for c in status(cluster).get("conditions", []) if c["type"] == kind]
    return found[0]["reason"] if found and found[0]["status"] == "True" else None
