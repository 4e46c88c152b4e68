"""Builds a batch/v1 Job's status: conditions and counts.

Source: kube-controller-manager `pkg/controller/job`; JobStatus of batch/v1.
"""

from __future__ import annotations

from collections.abc import Sequence

from mizzen.base.clock import parse_rfc3339, rfc3339
from mizzen.base.names import WAITING
from mizzen.base.objects import (
    Obj,
    condition,
    has_condition,
    is_terminating,
    name_of,
    namespace_of,
    uid_of,
    with_condition,
)
from mizzen.base.operations import Operation, Patch
from mizzen.base.reading import entries, field, part
from mizzen.base.resources import JOBS
from mizzen.controllers.core.actions import Action
from mizzen.controllers.core.job_count import NS, Tally
from mizzen.controllers.core.job_pods import has_limit_per_index, is_indexed
from mizzen.controllers.core.pods import is_finished

MESSAGE_CHARS_MAX = 4096
TARGETS = {"Failed": "FailureTarget", "Complete": "SuccessCriteriaMet"}
_ZERO = {"active": 0, "ready": 0, "terminating": 0, "succeeded": 0, "failed": 0}


def write_status(
    job: Obj,
    tally: Tally,
    pods: list[Obj],
    conditions: Sequence[Obj],
    now_ns: int,
) -> list[Action]:
    """The status write that is due, if any."""
    added = {c["type"] for c in conditions if c["status"] == "True"}
    is_ending = bool(added & {*TARGETS, *TARGETS.values()})
    is_suspended = bool(job["spec"].get("suspend"))
    wanted: Obj = {
        "active": 0 if is_ending or is_suspended else len(tally.active),
        "ready": sum(has_condition(pod, "Ready") for pod in tally.active),
        "terminating": sum(is_terminating(pod) and not is_finished(pod) for pod in pods),
        "succeeded": tally.succeeded,
        "failed": tally.failed,
    }
    if is_indexed(job) and tally.done:
        wanted["completedIndexes"] = str(tally.done)
    if has_limit_per_index(job):
        wanted["failedIndexes"] = str(tally.failed_indexes)
    status = part(job, "status")
    if is_suspended:
        wanted["startTime"] = None
    elif not status.get("startTime"):
        wanted["startTime"] = rfc3339(now_ns)
    merged = entries(job, "status", "conditions")
    for new in conditions:
        merged = with_condition(merged, new)
    if "Complete" in added:
        wanted["completionTime"] = rfc3339(now_ns)
    if conditions:
        wanted["conditions"] = merged
    if all(status.get(name, _ZERO.get(name)) == value for name, value in wanted.items()):
        return []
    version = str(job["metadata"].get("resourceVersion") or "")
    change: Obj = {"status": wanted}
    return [Patch(JOBS, namespace_of(job), name_of(job), change, "status", version, uid_of(job))]


def job_condition(kind: str, status: bool, reason: str, text: str, now_ns: int) -> Obj:
    return {
        "type": kind,
        "status": "True" if status else "False",
        "reason": reason,
        "message": text,
        "lastProbeTime": rfc3339(now_ns),
        "lastTransitionTime": rfc3339(now_ns),
    }


def suspension(job: Obj, now_ns: int) -> list[Obj]:
    """The change of condition Suspended that is due."""
    is_suspended = bool(job["spec"].get("suspend"))
    if is_suspended == has_condition(job, "Suspended"):
        return []
    reason, text = (
        ("JobSuspended", "Job suspended") if is_suspended else ("JobResumed", "Job resumed")
    )
    return [job_condition("Suspended", is_suspended, reason, text, now_ns)]


def waiting(job: Obj, reason: str, text: str, now_ns: int) -> list[Obj]:
    """The change that is due of what the job says while it waits: no reason, nothing to wait for."""
    before = condition(job, WAITING)
    if not reason:
        is_over = before is None or before["status"] == "False"
        return [] if is_over else [job_condition(WAITING, False, "Running", "", now_ns)]
    new = job_condition(WAITING, True, reason, text, now_ns)
    keys = ("status", "reason", "message")
    return [] if before is not None and all(before.get(k) == new[k] for k in keys) else [new]


def report_stuck(job: Obj, reason: str, text: str, now_ns: int) -> list[Operation]:
    """Sets the job's condition for why no pods are made; the first pod made clears it."""
    conditions = entries(job, "status", "conditions")
    for new in waiting(job, reason, text[:MESSAGE_CHARS_MAX], now_ns):
        change: Obj = {"status": {"conditions": with_condition(conditions, new)}}
        version = str(job["metadata"].get("resourceVersion") or "")
        name, uid = name_of(job), uid_of(job)
        return [Patch(JOBS, namespace_of(job), name, change, "status", version, uid)]
    return []


def seconds_to_deadline(job: Obj, now_ns: int) -> float | None:
    """Seconds left of activeDeadlineSeconds; None without one, or while suspended."""
    seconds, began = job["spec"].get("activeDeadlineSeconds"), field(job, "status", "startTime")
    if seconds is None or job["spec"].get("suspend"):
        return None
    return float(seconds) - ((now_ns - parse_rfc3339(str(began))) / NS if began else 0.0)
