"""The columns of `kubectl get pods`. Source: pkg/printers/internalversion `printPod`."""

from __future__ import annotations

from typing import Any

from mizzen.base.objects import Obj
from mizzen.kinds.columns import NONE, since
from mizzen.kinds.reading import entries, part


def ready(pod: Obj, now_ns: int) -> str:
    """Ready containers of all, sidecars included: "1/2"."""
    spec, status = part(pod, "spec"), part(pod, "status")
    sidecars = {
        c.get("name") for c in entries(spec, "initContainers") if c.get("restartPolicy") == "Always"
    }
    total = len(entries(spec, "containers")) + len(sidecars)
    count = sum(
        1
        for s in entries(status, "containerStatuses")
        if s.get("ready") and "running" in part(s, "state")
    )
    count += sum(
        1
        for s in entries(status, "initContainerStatuses")
        if s.get("name") in sidecars and s.get("ready")
    )
    return f"{count}/{total}"


def restarts(pod: Obj, now_ns: int) -> str:
    """The restarts of all containers, and when the last one was: "3 (5m ago)"."""
    status = part(pod, "status")
    every: list[Any] = [
        *entries(status, "initContainerStatuses"),
        *entries(status, "containerStatuses"),
    ]
    count = sum(int(s.get("restartCount") or 0) for s in every)
    ended: list[str] = [
        finished for s in every if (finished := (part(s, "lastState.terminated")).get("finishedAt"))
    ]
    return f"{count} ({since(max(ended), now_ns)} ago)" if count and ended else str(count)


def status_word(pod: Obj, now_ns: int) -> str:
    """The most telling word: a container's reason before the pod's phase."""
    spec, status = part(pod, "spec"), part(pod, "status")
    reason = status.get("reason") or status.get("phase") or "Unknown"
    for condition in entries(status, "conditions"):
        gated = condition.get("type") == "PodScheduled"
        if gated and condition.get("reason") == "SchedulingGated":
            reason = "SchedulingGated"
    reason = _init_word(spec, status) or _container_word(status, reason)
    if pod["metadata"].get("deletionTimestamp"):
        if status.get("reason") == "NodeLost":
            return "Unknown"
        return reason if status.get("phase") in ("Succeeded", "Failed") else "Terminating"
    return reason


def _init_word(spec: Any, status: Any) -> str:
    """The status word for the init containers; "" when they are done."""
    containers = entries(spec, "initContainers")
    sidecars = {c.get("name") for c in containers if c.get("restartPolicy") == "Always"}
    for index, entry in enumerate(entries(status, "initContainerStatuses")):
        state = part(entry, "state")
        ended = state.get("terminated")
        if ended is not None and ended.get("exitCode") == 0:
            continue
        if entry.get("name") in sidecars and entry.get("started"):
            continue
        if ended is not None:
            return f"Init:{ended.get('reason') or _exit_word(ended)}"
        waiting = part(state, "waiting").get("reason") or ""
        if waiting and waiting != "PodInitializing":
            return f"Init:{waiting}"
        return f"Init:{index}/{len(containers)}"
    return ""


def _container_word(status: Any, reason: str) -> str:
    running = False
    for entry in reversed(entries(status, "containerStatuses")):
        state = part(entry, "state")
        waiting = part(state, "waiting").get("reason")
        ended = state.get("terminated")
        if waiting:
            reason = waiting
        elif ended is not None:
            reason = ended.get("reason") or _exit_word(ended)
        elif entry.get("ready") and "running" in state:
            running = True
    if reason == "Completed" and running:
        is_ready = any(
            c.get("type") == "Ready" and c.get("status") == "True"
            for c in entries(status, "conditions")
        )
        return "Running" if is_ready else "NotReady"
    return reason


def _exit_word(ended: Any) -> str:
    if ended.get("signal"):
        return f"Signal:{ended['signal']}"
    return f"ExitCode:{ended.get('exitCode')}"


def nominated(pod: Obj, now_ns: int) -> str:
    return part(pod, "status").get("nominatedNodeName") or NONE


def readiness_gates(pod: Obj, now_ns: int) -> str:
    """Readiness gates that hold, of all: "1/2"."""
    gates = [g.get("conditionType") for g in entries(pod, "spec.readinessGates")]
    if not gates:
        return NONE
    true = {c.get("type") for c in entries(pod, "status.conditions") if c.get("status") == "True"}
    return f"{sum(g in true for g in gates)}/{len(gates)}"
