"""The facts of a pod by which ReplicaSets, DaemonSets and their like decide, and who goes first.

Source: kube-controller-manager `pkg/controller/controller_utils.go` (ActivePodsWithRanks),
`pkg/api/v1/pod/util.go` (IsPodAvailable).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from heapq import nsmallest
from sys import intern
from typing import NamedTuple

from mizzen.base.clock import parse_rfc3339
from mizzen.base.objects import Key, Obj, annotations_of, condition, is_terminating, labels_of
from mizzen.base.reading import entries, text
from mizzen.base.resources import DAEMON_SETS, PODS, REPLICA_SETS, REPLICATION_CONTROLLERS
from mizzen.controllers.core.pods import phase_of
from mizzen.controllers.core.view import Digest

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_NS = 1_000_000_000
_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}
_COST_MAX = 2**31 - 1
Labels = tuple[tuple[str, str], ...]


class Replica(NamedTuple):
    """One pod: what of it matters to those who keep so many of it."""

    phase: str
    is_active: bool  # it runs or may yet run, and is not being deleted
    is_finished: bool
    is_terminating: bool
    is_ready: bool
    node: str  # "" before it is bound
    target: str  # of a pod that waits for a certain node: that node
    created_ns: int  # 0: unknown
    ready_ns: int  # since when it is ready; 0: it is not, or nobody said
    restarts: tuple[int, int]  # the most of its containers, of its sidecars
    cost: int
    labels: Labels

    def is_available(self, min_ready_s: int, now_ns: int) -> bool:
        if not self.is_ready or min_ready_s <= 0:
            return self.is_ready
        return self.ready_ns > 0 and self.ready_ns + min_ready_s * _NS <= now_ns


@lru_cache(1024)  # most pods of an owner have the same
def _shared(labels: Labels) -> Labels:
    return labels


def read_replica(pod: Obj) -> Replica:
    """The facts of one pod."""
    ready = condition(pod, "Ready") or {}
    is_ready = ready.get("status") == "True"
    since = ready.get("lastTransitionTime") if is_ready else None
    created = pod["metadata"].get("creationTimestamp")
    node = intern(text(pod, "spec", "nodeName"))
    phase, leaves = intern(phase_of(pod)), is_terminating(pod)
    has_ended = phase in ("Succeeded", "Failed")
    return Replica(
        phase,
        not leaves and not has_ended,
        has_ended,
        leaves,
        is_ready,
        node,
        "" if node else _target(pod),
        parse_rfc3339(str(created)) if created else 0,
        parse_rfc3339(str(since)) if since else 0,
        _restarts(pod),
        _cost(pod),
        _shared(tuple(sorted(labels_of(pod).items()))),
    )


REPLICAS = Digest(
    PODS,
    frozenset((REPLICA_SETS.kind, REPLICATION_CONTROLLERS.kind, DAEMON_SETS.kind)),
    read_replica,
)


def _target(pod: Obj) -> str:
    """The one node that the pod's affinity names. Source: daemon/util GetTargetNodeName."""
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    for term in entries(pod, "spec", "affinity", "nodeAffinity", required, "nodeSelectorTerms"):
        for field in entries(term, "matchFields"):
            names: list[str] = field.get("values") or []
            is_name = field.get("key") == "metadata.name" and field.get("operator") == "In"
            if is_name and len(names) == 1:
                return intern(names[0])
    return ""


def _restarts(pod: Obj) -> tuple[int, int]:
    regular = _most_restarts(entries(pod, "status", "containerStatuses"))
    started = entries(pod, "status", "initContainerStatuses")
    if not started:
        return regular, 0
    sidecars = {
        container.get("name")
        for container in entries(pod, "spec", "initContainers")
        if container.get("restartPolicy") == "Always"
    }
    return regular, _most_restarts(c for c in started if c.get("name") in sidecars)


def _most_restarts(statuses: Iterable[Obj]) -> int:
    return max((int(each.get("restartCount") or 0) for each in statuses), default=0)


def _cost(pod: Obj) -> int:
    """The annotated cost; 0 where there is none or it is no 32-bit number."""
    written = annotations_of(pod).get(DELETION_COST) or ""
    digits = written.removeprefix("-")
    is_plain = digits.isascii() and digits.isdigit() and (digits == "0" or digits[0] != "0")
    cost = int(written) if is_plain and len(digits) <= 10 and written != "-0" else 0
    return cost if -_COST_MAX - 1 <= cost <= _COST_MAX else 0


def first_to_go(
    active: Mapping[Key, Replica], count: int, on_node: Mapping[str, int], now_ns: int
) -> list[Key]:
    """The `count` pods that are missed least.

    Unbound, pending, not ready ones first; then those of the lowest cost, those beside most others
    (`on_node`: active pods of the same workload by node), those ready or made last. Times count by
    their order of magnitude, and the names decide between equals, so that which goes is no pattern.
    """
    if count >= len(active):
        return list(active)

    def rank(item: tuple[Key, Replica]) -> tuple[object, ...]:
        key, pod = item
        return (
            bool(pod.node),
            _PHASES.get(pod.phase, 0),
            pod.is_ready,
            pod.cost,
            -on_node.get(pod.node, 0),
            _magnitude(pod.ready_ns, now_ns) if pod.is_ready else 0,
            -pod.restarts[0],
            -pod.restarts[1],
            _magnitude(pod.created_ns, now_ns),
            key.name,
        )

    return [key for key, _ in nsmallest(count, active.items(), key=rank)]


def _magnitude(since_ns: int, now_ns: int) -> int:
    """The order of magnitude of an age, -2 for an unknown time: it goes first."""
    if not since_ns:
        return -2
    age_ns = now_ns - since_ns
    return int(math.log2(age_ns)) if age_ns > 0 else -1


def next_available_s(pods: Iterable[Replica], min_ready_s: int, now_ns: int) -> float | None:
    """Seconds until the next ready pod counts as available; None: none is about to."""
    if min_ready_s <= 0:
        return None
    waits = (
        (pod.ready_ns + min_ready_s * _NS - now_ns) / _NS
        for pod in pods
        if pod.is_ready and pod.ready_ns
    )
    return min((wait for wait in waits if wait > 0), default=None)
