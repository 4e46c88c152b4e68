"""batch/v1 CronJob: a Job at each moment of a schedule.

Source: kube-controller-manager `pkg/controller/cronjob`. The name of a Job follows from its moment,
so none is made twice.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mizzen.base import cron
from mizzen.base.clock import parse_rfc3339, rfc3339
from mizzen.base.cron import Schedule
from mizzen.base.objects import (
    Key,
    Obj,
    has_condition,
    is_terminating,
    name_of,
    namespace_of,
    owner_reference,
    reference_to,
    uid_of,
)
from mizzen.base.operations import Create, Delete, Patch
from mizzen.base.reading import entries, field, part, text
from mizzen.base.resources import CRON_JOBS, JOBS
from mizzen.controllers.core.actions import (
    Action,
    Controller,
    EmitEvent,
    RequeueAfter,
    Watch,
    owners,
)
from mizzen.controllers.core.view import View

SCHEDULED_AT = "batch.kubernetes.io/cronjob-scheduled-timestamp"
MISSED_MAX = 100  # beyond, the clock or the object is suspected
REQUEUE_LATE_S = 0.1  # clocks are not that exact
DELETED_PER_PLAN = 100
NS = 1_000_000_000


class _Due(NamedTuple):
    """The latest moment that has no Job yet (None: there is none), and the next one."""

    moment_ns: int | None
    next_ns: int | None
    is_many: bool


def reconcile(view: View, key: Key, now_ns: int) -> list[Action]:
    """The actions that the CronJob named by `key` needs now."""
    cron_job = view.get(CRON_JOBS, key)
    if cron_job is None:
        return []
    jobs = view.owned(JOBS, cron_job)
    status, actions = _observe(cron_job, jobs)
    if not is_terminating(cron_job):
        actions += _trim_history(cron_job, jobs)
        actions += _schedule(view, cron_job, jobs, status, now_ns)
    return [*actions, *_write_status(cron_job, status)]


def _finished(job: Obj) -> str:
    return next((kind for kind in ("Complete", "Failed") if has_condition(job, kind)), "")


def _observe(cron_job: Obj, jobs: list[Obj]) -> tuple[Obj, list[Action]]:
    """The status as the Jobs show it, and what has happened to those that were active."""
    status = dict(part(cron_job, "status"))
    by_uid = {uid_of(job): job for job in jobs}
    actions: list[Action] = []
    for reference in entries(status, "active"):
        job, name = by_uid.get(str(reference.get("uid"))), reference.get("name")
        if job is None:
            told = f"Active job went missing: {name}"
            actions.append(EmitEvent(cron_job, "Normal", "MissingJob", told))
        elif how := _finished(job):
            told = f"Saw completed job: {name}, condition: {how}"
            actions.append(EmitEvent(cron_job, "Normal", "SawCompletedJob", told))
    active = [reference_to(job) for job in jobs if not _finished(job)]
    known = {reference.get("uid"): reference for reference in entries(status, "active")}
    # Of one that is in there already the reference stays: its version is that of when it was made.
    status["active"] = [known.get(reference["uid"], reference) for reference in active]
    ends = [text(job, "status", "completionTime") for job in jobs if _finished(job) == "Complete"]
    last = max([text(status, "lastSuccessfulTime"), *ends])
    if last:
        status["lastSuccessfulTime"] = last
    return status, actions


def _schedule(view: View, cron_job: Obj, jobs: list[Obj], status: Obj, now_ns: int) -> list[Action]:
    """Makes the Job that is due, if any; notes it in `status`."""
    spec = cron_job["spec"]
    try:
        zone = _zone(spec)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        zone_name = spec.get("timeZone")
        told = f'invalid timeZone: "{zone_name}": unknown time zone {zone_name}'
        return [EmitEvent(cron_job, "Warning", "UnknownTimeZone", told)]
    if spec.get("suspend"):
        return []
    try:
        schedule = cron.parse(str(spec["schedule"]))
    except ValueError as error:
        told = f'unparseable schedule: "{spec["schedule"]}" : {error}'
        return [EmitEvent(cron_job, "Warning", "UnparseableSchedule", told)]
    due = _due(cron_job, schedule, zone, now_ns)
    again: list[Action] = []
    if due.next_ns is not None:
        again.append(RequeueAfter((due.next_ns - now_ns) / NS + REQUEUE_LATE_S))
    if due.moment_ns is None:
        return again
    if due.is_many:
        told = (
            "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check "
            "clock skew"
        )
        again.append(EmitEvent(cron_job, "Warning", "TooManyMissedTimes", told))
    return [*_start(view, cron_job, jobs, status, due.moment_ns, zone, now_ns), *again]


def _start(
    view: View, cron_job: Obj, jobs: list[Obj], status: Obj, moment_ns: int,
    zone: ZoneInfo | None, now_ns: int,
) -> list[Action]:  # fmt: skip
    spec, name = cron_job["spec"], job_name(cron_job, moment_ns)
    deadline_s = spec.get("startingDeadlineSeconds")
    if deadline_s is not None and moment_ns + int(deadline_s) * NS < now_ns:
        shown = datetime.fromtimestamp(moment_ns // NS, UTC).strftime("%a, %d %b %Y %H:%M:%S UTC")
        told = f"Missed scheduled time to start a job: {shown}"
        return [EmitEvent(cron_job, "Warning", "MissSchedule", told)]
    there = view.get(JOBS, Key(namespace_of(cron_job), name))
    if there is not None:
        if there in jobs:  # made, and the status was not written
            status["lastScheduleTime"] = rfc3339(moment_ns)
        return []
    running = [job for job in jobs if not _finished(job)]
    if running and spec.get("concurrencyPolicy") == "Forbid":
        told = (
            "Not starting job because prior execution is running and concurrency policy is Forbid"
        )
        return [EmitEvent(cron_job, "Normal", "JobAlreadyActive", told)]
    actions: list[Action] = []
    if spec.get("concurrencyPolicy") == "Replace":
        for job in running:
            told = f"Deleted job {name_of(job)}"
            actions += [_delete(job), EmitEvent(cron_job, "Normal", "SuccessfulDelete", told)]
        status["active"] = []
    status["lastScheduleTime"] = rfc3339(moment_ns)
    told = f"Created job {name}"
    made = Create(JOBS, job_of(cron_job, name, moment_ns, zone))
    return [*actions, made, EmitEvent(cron_job, "Normal", "SuccessfulCreate", told)]


def _due(cron_job: Obj, schedule: Schedule, zone: ZoneInfo | None, now_ns: int) -> _Due:
    """Upstream's arithmetic: what was missed is estimated by the span between two moments."""
    last = text(cron_job, "status", "lastScheduleTime")
    created = text(cron_job, "metadata", "creationTimestamp")
    earliest = parse_rfc3339(last or created)
    from_deadline = earliest
    deadline_s = field(cron_job, "spec", "startingDeadlineSeconds")
    if deadline_s is not None:
        from_deadline = max(earliest, now_ns - int(deadline_s) * NS)
    first = schedule.next(from_deadline, zone)
    second = None if first is None else schedule.next(first, zone)
    if first is None or first > now_ns:
        return _Due(None, schedule.next(max(earliest, now_ns), zone), is_many=False)
    later = schedule.next(now_ns, zone)
    if second is None or second > now_ns:
        return _Due(first, later, is_many=False)
    span = max(second - first, NS)
    missed = (now_ns - first) // span + 1
    at = first + (missed - 2) * span
    latest: int | None = None
    while (following := schedule.next(at, zone)) is not None and following <= now_ns:
        latest = at = following
    return _Due(latest, later, is_many=missed > MISSED_MAX)


def _zone(spec: Obj) -> ZoneInfo | None:
    """Errors: ZoneInfoNotFoundError, ValueError, OSError."""
    name = spec.get("timeZone")
    return ZoneInfo(str(name)) if name else None


def job_name(cron_job: Obj, moment_ns: int) -> str:
    return f"{name_of(cron_job)}-{moment_ns // (60 * NS)}"


def job_of(cron_job: Obj, name: str, moment_ns: int, zone: ZoneInfo | None) -> Obj:
    """The Job of one moment."""
    template = part(cron_job, "spec", "jobTemplate")
    metadata = part(template, "metadata")
    shown = datetime.fromtimestamp(moment_ns // NS, zone or UTC).isoformat()
    annotations = {**part(metadata, "annotations"), SCHEDULED_AT: shown.replace("+00:00", "Z")}
    own: Obj = {
        "name": name,
        "namespace": namespace_of(cron_job),
        "annotations": annotations,
        "ownerReferences": [owner_reference(cron_job)],
    }
    if metadata.get("labels"):
        own["labels"] = dict(part(metadata, "labels"))
    return {"metadata": own, "spec": dict(part(template, "spec"))}


def _trim_history(cron_job: Obj, jobs: list[Obj]) -> list[Action]:
    """Deletes the oldest finished Jobs beyond the limits."""
    actions: list[Action] = []
    for how, limit in (
        ("Complete", "successfulJobsHistoryLimit"),
        ("Failed", "failedJobsHistoryLimit"),
    ):
        most = field(cron_job, "spec", limit)
        done = [job for job in jobs if _finished(job) == how and not is_terminating(job)]
        if most is None or len(done) <= int(most):
            continue
        done.sort(key=lambda job: (text(job, "status", "startTime") or "~", name_of(job)))
        actions += [_delete(job) for job in done[: len(done) - int(most)][:DELETED_PER_PLAN]]
    return actions


def _delete(job: Obj) -> Delete:
    namespace, name = namespace_of(job), name_of(job)
    return Delete(JOBS, namespace, name, uid=uid_of(job), propagation="Background")


def _write_status(cron_job: Obj, status: Obj) -> list[Action]:
    before = part(cron_job, "status")
    wanted = {**status, "active": status["active"] or None}
    if all(before.get(name) == value for name, value in wanted.items()):
        return []
    version = str(cron_job["metadata"].get("resourceVersion") or "")
    name, uid = name_of(cron_job), uid_of(cron_job)
    change: Obj = {"status": wanted}
    return [Patch(CRON_JOBS, namespace_of(cron_job), name, change, "status", version, uid)]


CONTROLLER = Controller(
    name="cron-job",
    resource=CRON_JOBS,
    reconcile=reconcile,
    watches=(Watch(JOBS, owners(CRON_JOBS)),),
)
