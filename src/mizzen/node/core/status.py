"""A pod's `status` as it follows from the pod machine's state; nothing is stored twice.

Source: core/v1 PodStatus; conditions of others (PodScheduled, DisruptionTarget) are kept.
"""

from __future__ import annotations

from mizzen.base import names
from mizzen.base.clock import rfc3339
from mizzen.base.objects import Obj, annotations_of, has_condition, with_condition
from mizzen.base.operations import Patch
from mizzen.base.reading import entries
from mizzen.base.resources import PODS
from mizzen.node.core import probes as probing
from mizzen.node.core.events import Exited
from mizzen.node.core.pod import START_ERROR, Container, PodState, backoff_text, phase_of
from mizzen.node.core.pod_events import NO_DEBUGGERS

MESSAGE_CHARS_MAX = 4096


def status_of(state: PodState, host_ip: str, now: int, aside: str = "") -> Obj:
    """The whole status this agent answers for, conditions of others included.

    `aside`: why the agent cannot go on with the pod for now.
    """
    phase = phase_of(state)
    status: Obj = {
        "phase": phase,
        "hostIP": host_ip,
        "hostIPs": [{"ip": host_ip}],
        "podIP": state.ip,
        "podIPs": [{"ip": state.ip}],
        "startTime": rfc3339(state.began_at),
        "qosClass": _qos(state.pod),
        "observedGeneration": int(state.pod["metadata"].get("generation") or 0),
        "containerStatuses": [_container(state, c) for c in state.containers if not c.init],
        "conditions": _conditions(state, phase, now),
    }
    if debuggers := _debuggers(state.pod, now):
        status["ephemeralContainerStatuses"] = debuggers
    inits = [_container(state, c) for c in state.containers if c.init]
    if inits:
        status["initContainerStatuses"] = inits
    if state.verdict is not None:
        status["reason"], status["message"] = state.verdict[0], _cut(state.verdict[1])
    elif aside:
        status["reason"], status["message"] = names.FAILED_SYNC, _cut(aside)
    return status


def patch_of(state: PodState, host_ip: str, now: int, aside: str = "") -> Patch | None:
    """The write that makes the API agree with the state, None when it does already."""
    pod = state.pod
    wanted = status_of(state, host_ip, now, aside)
    old: Obj = pod.get("status") or {}
    changed: Obj = {k: v for k, v in wanted.items() if old.get(k) != v}
    for key in ("reason", "message"):
        if key in old and key not in wanted and phase_of(state) != "Pending":
            changed[key] = None
    current = annotations_of(pod)
    notes = {k: v for k, v in state.member.annotations.items() if current.get(k) != v}
    if not changed and not notes:
        return None
    patch: Obj = {"status": changed} if changed else {}
    if notes:
        patch["metadata"] = {"annotations": notes}
    metadata = pod["metadata"]
    return Patch(
        PODS,
        metadata.get("namespace") or "",
        metadata["name"],
        patch,
        subresource="status",
        # conditions are a list with several writers: whoever is stale reads again
        resource_version=str(metadata.get("resourceVersion") or "")
        if "conditions" in changed
        else "",
        uid=metadata.get("uid") or "",
    )


def _container(state: PodState, run: Container) -> Obj:
    entry: Obj = {
        "name": run.name,
        "image": run.spec.get("image") or "",
        "imageID": run.spec.get("image") or "",
        "restartCount": run.number,
        "ready": _is_ready(run),
        "started": run.phase == "running"
        and not run.is_post_starting
        and probing.is_started(run.probes),
        "state": _state(state, run),
        "lastState": {"terminated": _terminated(run, run.last)} if run.last is not None else {},
    }
    if run.id:
        entry["containerID"] = run.id
    return entry


def _debuggers(pod: Obj, now: int) -> list[Obj]:
    """Ephemeral containers are refused: each has ended when it was first seen."""
    known = {e["name"]: e for e in entries(pod, "status", "ephemeralContainerStatuses")}
    at = rfc3339(now)
    end: Obj = {"exitCode": 128, "reason": START_ERROR, "message": NO_DEBUGGERS}
    return [
        known.get(each["name"])
        or {
            "name": each["name"],
            "image": each.get("image") or "",
            "imageID": "",
            "restartCount": 0,
            "ready": False,
            "started": False,
            "state": {"terminated": {**end, "startedAt": at, "finishedAt": at}},
            "lastState": {},
        }
        for each in entries(pod, "spec", "ephemeralContainers")
    ]


def _is_ready(run: Container) -> bool:
    if run.init:
        return run.succeeded
    is_up = run.phase == "running" and not run.is_post_starting
    return is_up and probing.is_ready(run.probes)


def _state(state: PodState, run: Container) -> Obj:
    if run.phase == "running":
        return {"running": {"startedAt": rfc3339(run.started_at)}}
    if run.ended is not None:
        return {"terminated": _terminated(run, run.ended)}
    if state.problem is not None and not state.prepared:
        return {"waiting": {"reason": state.problem[0], "message": _cut(state.problem[1])}}
    if run.phase == "waiting" and run.last is not None:
        return {
            "waiting": {"reason": "CrashLoopBackOff", "message": _cut(backoff_text(run, run.last))}
        }
    begun = any(not c.init for c in state.containers if c is run) and any(
        c.init and not c.succeeded for c in state.containers
    )
    return {"waiting": {"reason": "PodInitializing" if begun else "ContainerCreating"}}


def _terminated(run: Container, end: Exited) -> Obj:
    reason = end.reason or ("Completed" if end.code == 0 else "Error")
    entry: Obj = {
        "exitCode": end.code,
        "reason": reason,
        "startedAt": rfc3339(end.started),
        "finishedAt": rfc3339(end.at),
    }
    if end.signal:
        entry["signal"] = end.signal
    if end.message:
        entry["message"] = _cut(end.message)
    return entry


def _conditions(state: PodState, phase: str, now: int) -> list[Obj]:
    main = [c for c in state.containers if not c.init]
    waiting = [c.name for c in state.containers if c.init and not c.succeeded]
    unready = [c.name for c in main if not _is_ready(c)]
    done = "PodCompleted" if phase == "Succeeded" else ""
    ready_text = f"containers with unready status: {unready}" if unready else ""
    gates = [
        g["conditionType"]
        for g in state.pod["spec"].get("readinessGates") or ()
        if not has_condition(state.pod, g["conditionType"])
    ]
    gate_text = f"readiness gates not met: {gates}" if gates else ready_text
    init_text = f"containers with incomplete status: {waiting}" if waiting else ""
    found = [
        ("Initialized", not waiting, done or "ContainersNotInitialized", init_text),
        ("ContainersReady", not unready, done or "ContainersNotReady", ready_text),
        ("Ready", not unready and not gates, done or "ContainersNotReady", gate_text),
    ]
    if state.member.join_ready is not None:
        found.append((names.JOIN_READY, state.member.join_ready, "NotWaiting", ""))
    if state.member.durable_problem is not None:
        text = _cut(state.member.durable_problem)
        found.append((names.CHECKPOINTS_DURABLE, not text, names.CHECKPOINT_FAILED, text))
    conditions: list[Obj] = entries(state.pod, "status", "conditions")
    for kind, is_true, reason, message in found:
        entry: Obj = {"type": kind, "status": "True" if is_true else "False"}
        if not is_true:
            entry["reason"] = reason
            if message:
                entry["message"] = message
        entry["lastTransitionTime"] = rfc3339(now)
        conditions = with_condition(conditions, entry)
    return conditions


def _qos(pod: Obj) -> str:
    """Guaranteed, Burstable or BestEffort. Source: core/v1 PodQOSClass."""
    limited, any_request = True, False
    for container in pod["spec"]["containers"]:
        resources: Obj = container.get("resources") or {}
        limits: Obj = resources.get("limits") or {}
        requests: Obj = {**limits, **(resources.get("requests") or {})}
        for name in ("cpu", "memory"):
            any_request = any_request or name in requests
            limited = limited and name in limits and requests[name] == limits[name]
    if not any_request:
        return "BestEffort"
    return "Guaranteed" if limited else "Burstable"


def _cut(text: str) -> str:
    return text if len(text) <= MESSAGE_CHARS_MAX else text[-MESSAGE_CHARS_MAX:]
