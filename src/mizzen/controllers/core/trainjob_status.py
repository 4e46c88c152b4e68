"""Builds a TrainJob's status: conditions, counts, progress.

Source: Kubeflow Trainer v2 TrainJobStatus; conditions Suspended, Complete, Failed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

from mizzen.base.clock import parse_rfc3339, rfc3339
from mizzen.base.names import COMPLETION_INDEX, PROGRESS, WAITING
from mizzen.base.objects import (
    Obj,
    annotations_of,
    condition,
    has_condition,
    name_of,
    namespace_of,
    uid_of,
    with_condition,
)
from mizzen.base.operations import Operation, Patch
from mizzen.base.reading import entries, part
from mizzen.base.resources import TRAIN_JOBS
from mizzen.controllers.core.actions import Action, RequeueAfter
from mizzen.controllers.core.pods import is_active, phase_of, status_of
from mizzen.controllers.core.training_runtime import NODE

NS = 1_000_000_000
# lastUpdatedTime holds whole seconds: two apart are at least one second apart.
PROGRESS_SECONDS_MIN = 2
NOT_MADE = "CannotBeMade"  # reason of WAITING: the API server refuses what the job asks for
MESSAGE_CHARS_MAX = 4096


def job_condition(kind: str, status: bool, reason: str, message: str, now_ns: int) -> Obj:
    return {
        "type": kind,
        "status": "True" if status else "False",
        "reason": reason,
        "message": message[-MESSAGE_CHARS_MAX:],
        "lastTransitionTime": rfc3339(now_ns),
    }


def write_status(
    job: Obj, pods: Sequence[Obj], conditions: Sequence[Obj], now_ns: int
) -> list[Action]:
    """The status write that is due, if any.

    Progress alone is written at most once a second; anything else at once, progress included.
    """
    old = status_of(job)
    merged: list[Obj] = list(old.get("conditions") or ())
    for new in conditions:
        before = condition(job, new["type"])
        if before is None or _differs(before, new):
            merged = with_condition(merged, new)
    wanted: Obj = {"jobsStatus": [_counts(job, pods)]}
    if merged:
        wanted["conditions"] = merged
    progress = _progress(pods)
    before = dict(old.get("trainerStatus") or {})
    before.pop("lastUpdatedTime", None)
    is_progress_new = progress is not None and before != progress
    is_rest_new = any(old.get(field) != value for field, value in wanted.items())
    if not is_rest_new and not is_progress_new:
        return []
    if is_progress_new and not is_rest_new:
        wait = _wait_s(old, now_ns)
        if wait > 0:
            return [RequeueAfter(wait)]
    if progress is not None and is_progress_new:
        wanted["trainerStatus"] = {**progress, "lastUpdatedTime": rfc3339(now_ns)}
    change: Obj = {"status": wanted}
    return [
        Patch(
            TRAIN_JOBS,
            namespace_of(job),
            name_of(job),
            change,
            "status",
            # Conditions are a list and written whole: never over somebody else's.
            resource_version=job["metadata"].get("resourceVersion") or "",
            uid=uid_of(job),
        )
    ]


def waiting_condition(job: Obj, pods: Sequence[Obj], min_nodes: int, now_ns: int) -> Obj | None:
    """The change, if any, of what a job says for want of workers: which pod waits, and for what."""
    enough = sum(has_condition(pod, "Ready") for pod in pods) >= min_nodes
    reason, text = ("", "") if enough else _trouble(pods)
    before = condition(job, WAITING)
    if not reason:
        if before is None or before["status"] == "False":
            return None
        if not enough:  # that nothing could be made is over once something is
            is_over = before["reason"] == NOT_MADE and pods
            return job_condition(WAITING, False, "Made", "", now_ns) if is_over else None
        return job_condition(WAITING, False, "Running", "enough workers run", now_ns)
    new = job_condition(WAITING, True, reason, text, now_ns)
    return new if before is None or _differs(before, new) else None


def report_stuck(job: Obj, reason: str, text: str, now_ns: int) -> list[Operation]:
    """Sets the job's condition for why no pods are made."""
    if any(counts.get("ready") for counts in entries(job, "status", "jobsStatus")):
        return []  # it runs; that no more are made is told as an Event
    new = job_condition(WAITING, True, NOT_MADE, f"{reason}: {text}", now_ns)
    before = condition(job, WAITING)
    if before is not None and not _differs(before, new):
        return []
    merged = with_condition(entries(job, "status", "conditions"), new)
    change: Obj = {"status": {"conditions": merged}}
    version = str(job["metadata"].get("resourceVersion") or "")
    name, uid = name_of(job), uid_of(job)
    return [Patch(TRAIN_JOBS, namespace_of(job), name, change, "status", version, uid)]


def no_longer_waiting(job: Obj, why: str, now_ns: int) -> list[Obj]:
    """The end of WAITING, for a job that is over or suspended."""
    return [job_condition(WAITING, False, why, "", now_ns)] if has_condition(job, WAITING) else []


def _trouble(pods: Sequence[Obj]) -> tuple[str, str]:
    """Reason and message of the first rank that cannot run, ("", "") when none says so."""
    for pod in sorted(pods, key=lambda p: int(annotations_of(p).get(COMPLETION_INDEX) or 0)):
        scheduled = condition(pod, "PodScheduled") or {}
        if is_active(pod) and scheduled.get("status") == "False":
            return str(scheduled.get("reason")), f"pod {name_of(pod)}: {scheduled.get('message')}"
        for container in entries(pod, "status", "containerStatuses"):
            waiting = part(container, "state", "waiting")
            if waiting.get("message") and is_active(pod):
                return str(waiting["reason"]), f"pod {name_of(pod)}: {waiting['message']}"
    return "", ""


def _differs(before: Obj, new: Obj) -> bool:
    return any(before.get(field) != new[field] for field in ("status", "reason", "message"))


def _counts(job: Obj, pods: Sequence[Obj]) -> Obj:
    """Pods by what they do. How many ended how in a job that is over stays, though they may go."""
    phases = [phase_of(pod) for pod in pods]
    counts: Obj = {
        "name": NODE,
        "ready": sum(has_condition(pod, "Ready") for pod in pods),
        "succeeded": phases.count("Succeeded"),
        "failed": phases.count("Failed"),
        "active": sum(is_active(pod) for pod in pods),
        "suspended": 1 if job["spec"].get("suspend") else 0,
    }
    if has_condition(job, "Complete") or has_condition(job, "Failed"):
        known = entries(job, "status", "jobsStatus")
        old: Obj = next((c for c in known if c["name"] == NODE), Obj())
        for name in ("succeeded", "failed"):
            counts[name] = max(counts[name], int(old.get(name) or 0))
        counts["suspended"] = int(old.get("suspended") or 0)
    return counts


def _progress(pods: Sequence[Obj]) -> Obj | None:
    """trainerStatus without its time, from the lowest rank that reports any."""
    ranked = [pod for pod in pods if annotations_of(pod).get(PROGRESS)]
    ranked.sort(key=lambda pod: int(annotations_of(pod).get(COMPLETION_INDEX) or 0))
    for pod in ranked:
        try:
            report: Any = json.loads(annotations_of(pod)[PROGRESS])
            return _trainer_status(cast("Obj", report))
        except (ValueError, TypeError, KeyError, AttributeError):
            continue  # a worker's mistake must not stop its job; the next rank may do better
    return None


def _trainer_status(report: Obj) -> Obj:
    step, steps = int(report["step"]), int(report.get("steps") or 0)
    values: Obj = report.get("metrics") or {}
    metrics = [{"name": "step", "value": str(step)}]
    metrics += [{"name": str(name), "value": f"{value}"} for name, value in sorted(values.items())]
    status: Obj = {"metrics": metrics}
    if steps > 0:
        left = max(0, steps - step)
        status["progressPercentage"] = min(100, 100 * step // steps)
        seconds = float(report.get("stepSeconds") or 0)
        if seconds > 0 or left == 0:
            status["estimatedRemainingSeconds"] = round(left * seconds)
    return status


def _wait_s(old: Obj, now_ns: int) -> float:
    """Seconds until progress may be written again."""
    trainer: Obj = old.get("trainerStatus") or {}
    last = trainer.get("lastUpdatedTime")
    if not last:
        return 0.0
    passed_s = (now_ns - parse_rfc3339(str(last))) / NS
    # Told in the future: the clock has been set back since, and its hour is not waited for.
    return max(0.0, PROGRESS_SECONDS_MIN - passed_s) if passed_s >= 0 else 0.0
