"""`mizzen ps`: everything that runs or waits, with the devices it holds, as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mizzen.base.clock import parse_rfc3339
from mizzen.base.names import JOB_CONTROLLER, SCHEDULING_GATED, WAITING
from mizzen.base.objects import (
    Obj,
    condition,
    controller_of,
    has_condition,
    is_terminating,
    name_of,
    namespace_of,
    uid_of,
)
from mizzen.base.reading import entries, number, part, text

Row = dict[str, Any]


def rows(
    train_jobs: Sequence[Obj],
    endpoints: Sequence[Obj],
    jobs: Sequence[Obj],
    pods: Sequence[Obj],
    claims: Sequence[Obj],
) -> list[Row]:
    """Each workload followed by its pods; pods without one last. Keys: kind, namespace, name,
    status, devices (list), detail, created (ns)."""
    devices = devices_by_pod(claims)
    by_owner: dict[str, list[Obj]] = {}
    for pod in pods:
        owner = controller_of(pod)
        by_owner.setdefault(owner["uid"] if owner else "", []).append(pod)
    found: list[Row] = []
    for kind, objects, describe in (
        ("trainjob", train_jobs, _train_job),
        ("modelendpoint", endpoints, _endpoint),
        ("job", jobs, _job),
    ):
        for obj in sorted(objects, key=_order):
            own = by_owner.pop(uid_of(obj), [])
            held = sorted({d for pod in own for d in devices.get(uid_of(pod), ())})
            status, detail = describe(obj)
            found.append(_row(kind, obj, status, detail, held))
            found += _pod_rows(own, devices)
    for left in by_owner.values():
        found += _pod_rows(left, devices)
    return found


def devices_by_pod(claims: Sequence[Obj]) -> dict[str, list[str]]:
    """Pod uid to the devices allocated for it, in order."""
    held: dict[str, list[str]] = {}
    for claim in claims:
        results = entries(claim, "status", "allocation", "devices", "results")
        names = [text(result, "device") for result in results]
        for consumer in entries(claim, "status", "reservedFor"):
            held.setdefault(text(consumer, "uid"), []).extend(names)
    return held


def pod_status(pod: Mapping[str, Any]) -> str:
    """One word, as kubectl's STATUS column: the phase, or the more telling reason."""
    if is_terminating(pod):
        return "Terminating"
    for container in entries(pod, "status", "containerStatuses"):
        waiting = text(container, "state", "waiting", "reason")
        if waiting:
            return waiting
    if text(pod, "status", "phase") == "Failed" and text(pod, "status", "reason"):
        return text(pod, "status", "reason")
    if text(condition(pod, "PodScheduled") or {}, "reason") == SCHEDULING_GATED:
        return SCHEDULING_GATED
    return text(pod, "status", "phase") or "Pending"


def _pod_rows(pods: Sequence[Obj], devices: Mapping[str, list[str]]) -> list[Row]:
    return [
        _row("pod", pod, pod_status(pod), _pod_detail(pod), devices.get(uid_of(pod), []))
        for pod in sorted(pods, key=_order)
    ]


def _pod_detail(pod: Obj) -> str:
    scheduled = condition(pod, "PodScheduled")
    if scheduled is not None and scheduled.get("status") == "False":
        return text(scheduled, "message")
    for container in entries(pod, "status", "containerStatuses"):
        waiting = text(container, "state", "waiting", "message")
        if waiting:
            return waiting
    return text(pod, "status", "message") or _last_words(pod)


def _last_words(pod: Obj) -> str:
    """How the containers of a pod that failed ended."""
    if text(pod, "status", "phase") != "Failed":
        return ""
    for container in entries(pod, "status", "containerStatuses"):
        ended = part(container, "state", "terminated")
        if number(ended, "exitCode"):
            return f"exit code {number(ended, 'exitCode')}: {text(ended, 'message')}".rstrip(": ")
    return ""


def _train_job(job: Obj) -> tuple[str, str]:
    detail = progress_text(job)
    for kind in ("Complete", "Failed", "Suspended"):
        if has_condition(job, kind):
            message = text(condition(job, kind) or {}, "message")
            return kind, detail if kind == "Complete" else message or detail
    if has_condition(job, WAITING):
        return "Pending", text(condition(job, WAITING) or {}, "message")
    ready = sum(number(entry, "ready") for entry in entries(job, "status", "jobsStatus"))
    return ("Running" if ready else "Pending"), detail


def progress_text(job: Mapping[str, Any]) -> str:
    """'step 24, loss 2.954, 80%' of a TrainJob's trainerStatus; "" before the first step."""
    trainer = part(job, "status", "trainerStatus")
    parts = [
        f"{text(metric, 'name')} {float(text(metric, 'value')):.4g}"
        for metric in entries(trainer, "metrics")
    ]
    if trainer.get("progressPercentage") is not None:
        parts.append(f"{number(trainer, 'progressPercentage')}%")
    return ", ".join(parts)


def _endpoint(endpoint: Obj) -> tuple[str, str]:
    ready = condition(endpoint, "Ready") or {}
    word = "Ready" if ready.get("status") == "True" else text(ready, "reason") or "Pending"
    count = (
        f"{number(endpoint, 'status', 'readyReplicas')}/{number(endpoint, 'status', 'replicas')} "
        "replicas"
    )
    demand = part(endpoint, "status", "demand")
    load = f", {number(demand, 'inFlight')} in flight, {number(demand, 'queued')} queued"
    return word, count + (load if demand else "")


def _job(job: Obj) -> tuple[str, str]:
    done = f"{number(job, 'status', 'succeeded')}/{number(job, 'spec', 'completions') or 1}"
    for kind in ("Complete", "Failed", "Suspended"):
        if has_condition(job, kind):
            return kind, done
    if number(job, "status", "active"):
        return "Running", done
    manager = text(job, "spec", "managedBy")
    if manager not in ("", JOB_CONTROLLER):
        return "Pending", f"{done}, run by {manager}"
    waiting = condition(job, WAITING) if has_condition(job, WAITING) else None
    return "Pending", f"{done}: {text(waiting, 'message')}" if waiting else done


def _row(kind: str, obj: Obj, status: str, detail: str, devices: Sequence[str]) -> Row:
    return {
        "kind": kind,
        "namespace": namespace_of(obj),
        "name": name_of(obj),
        "status": "Terminating" if is_terminating(obj) else status,
        "devices": list(devices),
        "detail": detail,
        "created": parse_rfc3339(obj["metadata"]["creationTimestamp"]),
    }


def _order(obj: Obj) -> tuple[str, str]:
    return namespace_of(obj), name_of(obj)
