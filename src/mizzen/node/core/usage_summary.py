"""What a node and its pods use, as the kubelet's Summary tells it (stats/v1alpha1).

The runtimes here measure pods, not containers: what a pod uses stands at its first container.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from mizzen.base.clock import rfc3339
from mizzen.base.objects import Obj, name_of, namespace_of, uid_of
from mizzen.base.reading import entries


class Use(NamedTuple):
    """CPU time so far, and memory now."""

    cpu_ns: int
    memory_bytes: int


def summary(
    node: str, then: Use, now: Use, pods: Iterable[tuple[Obj, Use, Use]], span_ns: int, at_ns: int
) -> Obj:
    """The Summary; each pair of uses is `span_ns` apart, the later one at `at_ns`."""
    return {
        "node": {"nodeName": node, **_stats(then, now, span_ns, at_ns)},
        "pods": [_of_pod(pod, then, now, span_ns, at_ns) for pod, then, now in pods],
    }


def _of_pod(pod: Obj, then: Use, now: Use, span_ns: int, at_ns: int) -> Obj:
    reference = {"name": name_of(pod), "namespace": namespace_of(pod), "uid": uid_of(pod)}
    containers: list[Obj] = []
    for index, container in enumerate(entries(pod, "spec", "containers")):
        uses = (then, now) if index == 0 else (Use(0, 0), Use(0, 0))
        containers.append({"name": container["name"], **_stats(*uses, span_ns, at_ns)})
    return {"podRef": reference, "containers": containers}


def _stats(then: Use, now: Use, span_ns: int, at_ns: int) -> Obj:
    time = rfc3339(at_ns)
    rate = max(0, now.cpu_ns - then.cpu_ns) * 1_000_000_000 // max(span_ns, 1)
    return {
        "cpu": {"time": time, "usageNanoCores": rate, "usageCoreNanoSeconds": now.cpu_ns},
        "memory": {"time": time, "workingSetBytes": now.memory_bytes},
    }
