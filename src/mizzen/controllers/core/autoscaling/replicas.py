"""Replicas that one metric asks for, from what pods use and what they should.

Amounts are thousandths, as upstream's. Source: `replica_calculator.go`, `metrics/utilization.go`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import NamedTuple

from mizzen.base import quantity
from mizzen.base.clock import parse_rfc3339
from mizzen.base.objects import Obj, condition, has_condition, is_terminating, name_of
from mizzen.base.reading import entries, part, text

REPLICAS_MAX = (1 << 31) - 1
NS = 1_000_000_000
CPU = "cpu"
CPU_INITIALIZATION_NS = 300 * NS  # in which samples of a pod's start count for nothing
INITIAL_READINESS_NS = 30 * NS


_Assume = Callable[[str], int]


class PodMetric(NamedTuple):
    """What one pod uses, over the window that ends at this moment."""

    value: int
    timestamp_ns: int
    window_ns: int


class Tolerances(NamedTuple):
    """The deviations from the target at which nothing changes."""

    up: float = 0.1
    down: float = 0.1

    def include(self, ratio: float) -> bool:
        return 1.0 - self.down <= ratio <= 1.0 + self.up


class Uncomputable(Exception):
    """A metric from which no number follows; the text is upstream's."""


class Asked(NamedTuple):
    """Replicas that a metric asks for. `usage` is the mean of pods, `percent` of their requests."""

    replicas: int
    usage: int
    percent: int = 0


@dataclass(slots=True)
class _Groups:
    ready: int = 0
    unready: set[str] = field(default_factory=set[str])
    missing: set[str] = field(default_factory=set[str])
    ignored: set[str] = field(default_factory=set[str])


def by_utilization(
    pods: Sequence[Obj], metrics: Mapping[str, PodMetric], current: int, percent: int,
    tolerances: Tolerances, resource: str, container: str, now_ns: int,
) -> Asked:  # fmt: skip
    """For a target in percent of what pods request. Errors: Uncomputable."""
    groups, used = _usable(pods, metrics, resource, now_ns)
    requests = {name_of(pod): _request(pod, resource, container) for pod in pods}
    ratio, usage, found = _utilization(used, requests, percent)
    counted = _completed(
        groups, used, ratio, lambda name: requests[name] * max(100, percent) // 100
    )
    if counted is None:
        return Asked(_plain(current, ratio, tolerances, groups.ready), usage, found)
    again, _, _ = _utilization(counted, requests, percent)
    return Asked(_damped(current, ratio, again, tolerances, len(counted)), usage, found)


def by_average(
    pods: Sequence[Obj], metrics: Mapping[str, PodMetric], current: int, target: int,
    tolerances: Tolerances, resource: str, now_ns: int,
) -> Asked:  # fmt: skip
    """For a target amount of each pod. Errors: Uncomputable."""
    groups, used = _usable(pods, metrics, resource, now_ns)
    usage = sum(used.values()) // len(used)
    ratio = usage / target
    counted = _completed(groups, used, ratio, lambda name: target)
    if counted is None:
        return Asked(_plain(current, ratio, tolerances, groups.ready), usage)
    again = (sum(counted.values()) // len(counted)) / target
    return Asked(_damped(current, ratio, again, tolerances, len(counted)), usage)


def by_value(
    pods: Sequence[Obj], value: int, current: int, target: int, tolerances: Tolerances
) -> Asked:
    """For a target of a value that is not pods' own. Errors: Uncomputable."""
    ratio = value / target
    if current == 0:
        return Asked(ceil(ratio), value)
    if tolerances.include(ratio):
        return Asked(current, value)
    if not pods:
        raise Uncomputable(
            "unable to calculate ready pods: no pods returned by selector while calculating "
            "replica count"
        )
    ready = sum(_phase(pod) == "Running" and has_condition(pod, "Ready") for pod in pods)
    return Asked(min(ceil(ratio * ready), REPLICAS_MAX), value)


def by_value_per_pod(value: int, replicas: int, target: int, tolerances: Tolerances) -> Asked:
    """For a target share of a value for each replica that there is."""
    wanted = replicas
    if not replicas or not tolerances.include(value / (target * replicas)):
        wanted = min(ceil(value / target), REPLICAS_MAX)
    return Asked(wanted, ceil(value / replicas) if replicas else value)


def _usable(
    pods: Sequence[Obj], metrics: Mapping[str, PodMetric], resource: str, now_ns: int
) -> tuple[_Groups, dict[str, int]]:
    if not pods:
        raise Uncomputable("no pods returned by selector while calculating replica count")
    groups = _grouped(pods, metrics, resource, now_ns)
    left_out = groups.ignored | groups.unready
    used = {name: each.value for name, each in metrics.items() if name not in left_out}
    if not used:
        raise Uncomputable("did not receive metrics for targeted pods (pods might be unready)")
    return groups, used


def _grouped(
    pods: Sequence[Obj], metrics: Mapping[str, PodMetric], resource: str, now_ns: int
) -> _Groups:
    groups = _Groups()
    for pod in pods:
        name = name_of(pod)
        if is_terminating(pod) or _phase(pod) == "Failed":
            groups.ignored.add(name)
        elif _phase(pod) == "Pending":
            groups.unready.add(name)
        elif name not in metrics:
            groups.missing.add(name)
        elif resource == CPU and _is_unready(pod, metrics[name], now_ns):
            groups.unready.add(name)
        else:
            groups.ready += 1
    return groups


def _is_unready(pod: Obj, metric: PodMetric, now_ns: int) -> bool:
    """True if a sample of CPU says nothing yet, or no longer."""
    ready, started = condition(pod, "Ready"), text(pod, "status", "startTime")
    if ready is None or not started:
        return True
    started_ns, is_false = parse_rfc3339(started), ready.get("status") == "False"
    changed = text(ready, "lastTransitionTime")
    changed_ns = parse_rfc3339(changed) if changed else 0
    if started_ns + CPU_INITIALIZATION_NS > now_ns:
        return is_false or metric.timestamp_ns < changed_ns + metric.window_ns
    return is_false and started_ns + INITIAL_READINESS_NS > changed_ns


def _completed(
    groups: _Groups, used: dict[str, int], ratio: float, assumed: _Assume
) -> dict[str, int] | None:
    """The amounts with what is assumed of pods without one; None where all have one."""
    rises = ratio > 1.0
    with_unready = bool(groups.unready) and rises
    if not with_unready and not groups.missing:
        return None
    counted = dict(used)
    if ratio != 1.0:
        counted |= {name: 0 if rises else assumed(name) for name in groups.missing}
    if with_unready:
        counted |= dict.fromkeys(groups.unready, 0)
    return counted


def _plain(current: int, ratio: float, tolerances: Tolerances, ready: int) -> int:
    return current if tolerances.include(ratio) else ceil(ratio * ready)


def _damped(current: int, before: float, after: float, tolerances: Tolerances, pods: int) -> int:
    """What pods without a metric are assumed to use does not turn the direction round."""
    if tolerances.include(after) or (before < 1.0 < after) or (after < 1.0 < before):
        return current
    wanted = ceil(after * pods)
    if (after < 1.0 and wanted > current) or (after > 1.0 and wanted < current):
        return current
    return wanted


def _utilization(
    used: Mapping[str, int], requests: Mapping[str, int], percent: int
) -> tuple[float, int, int]:
    """The ratio to the target, the mean amount, the percentage."""
    known = [name for name in used if name in requests]
    total, wanted = sum(used[name] for name in known), sum(requests[name] for name in known)
    if not wanted:
        raise Uncomputable("no metrics returned matched known pods")
    found = total * 100 // wanted
    return found / percent, total // len(known), found


def _request(pod: Obj, resource: str, container: str) -> int:
    """Errors: Uncomputable."""
    whole = part(pod, "spec", "resources", "requests")
    if whole and not container:
        if resource not in whole:
            said = f"missing pod-level request for {resource} in Pod {name_of(pod)}"
            raise Uncomputable(said)
        return quantity.to_milli(whole[resource])
    sidecars = [
        each
        for each in entries(pod, "spec", "initContainers")
        if each.get("restartPolicy") == "Always"
    ]
    total = 0
    for each in (*entries(pod, "spec", "containers"), *sidecars):
        if container not in ("", each["name"]):
            continue
        requests = part(each, "resources", "requests")
        if resource not in requests:
            raise Uncomputable(
                f"missing request for {resource} in container {each['name']} of Pod {name_of(pod)}"
            )
        total += quantity.to_milli(requests[resource])
        if container:
            return total
    if container:
        raise Uncomputable(f"container {container} not found in Pod {name_of(pod)}")
    return total


def _phase(pod: Obj) -> str:
    return text(pod, "status", "phase")
