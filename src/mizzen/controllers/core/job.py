"""batch/v1 Job: pods until so many have succeeded.

Source: kube-controller-manager `pkg/controller/job`, KEP-2307 (exact counting by finalizer),
KEP-2214 (Indexed). Left out: podFailurePolicy, successPolicy, backoffLimitPerIndex.
"""

from __future__ import annotations

from dataclasses import dataclass

from mizzen.base.clock import parse_rfc3339, rfc3339
from mizzen.base.objects import (
    Key,
    Obj,
    condition,
    has_condition,
    is_terminating,
    name_of,
    namespace_of,
    uid_of,
    with_condition,
)
from mizzen.base.operations import Delete, Patch
from mizzen.base.reading import entries, field, part
from mizzen.base.resources import DEVICE_CLASSES, JOBS, PODS, RESOURCE_CLAIMS
from mizzen.controllers.core import job_indexes
from mizzen.controllers.core.actions import (
    Action,
    Controller,
    EmitEvent,
    RequeueAfter,
    Watch,
    owners,
)
from mizzen.controllers.core.extended_resources import classes_by_resource, drop_unused_claims
from mizzen.controllers.core.job_pods import TRACKING, create_pod, index_of, is_indexed
from mizzen.controllers.core.pods import is_active, is_finished, phase_of, terminations_of
from mizzen.controllers.core.view import View

NS = 1_000_000_000
PODS_PER_RECONCILE_MAX = 100
FIRST_BACKOFF_S, BACKOFF_S_MAX = 10.0, 360.0


@dataclass(frozen=True, slots=True)
class Tally:
    """What has come of the job's pods, those counted by this reconcile included."""

    active: list[Obj]
    uncounted: list[Obj]  # finished or gone for good, to be counted now
    succeeded: int
    failed: int
    done_indexes: frozenset[int]

    def is_enough(self, job: Obj) -> bool:
        completions = job["spec"].get("completions")
        if completions is None:  # a work queue: one success ends it when all have stopped
            return self.succeeded > 0 and not self.active
        return self.succeeded >= int(completions)


def reconcile(view: View, key: Key, now_ns: int) -> list[Action]:
    """What the Job named by `key` needs now."""
    job = view.get(JOBS, key)
    if job is None or is_terminating(job):
        return _untrack(_pods_left_by(view, key, job))
    pods = view.owned(PODS, job)
    actions = drop_unused_claims(view, job, pods)
    if is_over(job):
        return actions + _expire(job, now_ns) + _stop(pods) + _untrack(pods)
    tally = count(job, pods)
    verdict = _verdict(job, tally, pods, now_ns)
    if verdict is not None:
        kind, reason, text = verdict
        done = _condition(kind, True, reason, text, now_ns)
        event = EmitEvent(job, "Normal" if kind == "Complete" else "Warning", reason, text)
        status = _write_status(job, tally, pods, [done], now_ns)
        return [*actions, *_stop(pods), *_untrack(tally.uncounted), *status, event]
    actions += _keep_running(view, job, tally, now_ns)
    conditions = _suspension(job, now_ns)
    actions += _untrack(tally.uncounted)
    return actions + _write_status(job, tally, pods, conditions, now_ns)


def is_over(job: Obj) -> bool:
    return has_condition(job, "Complete") or has_condition(job, "Failed")


def count(job: Obj, pods: list[Obj]) -> Tally:
    """Adds the pods that ended since the last count; each has the finalizer until then.

    A pod that failed because somebody deleted it is no failure of the job.
    """
    uncounted = [pod for pod in pods if _is_tracked(pod) and _has_ended(pod)]
    lost = [pod for pod in uncounted if phase_of(pod) == "Failed" and not is_terminating(pod)]
    won = [pod for pod in uncounted if phase_of(pod) == "Succeeded"]
    done = job_indexes.parse(str(field(job, "status", "completedIndexes") or ""))
    status = part(job, "status")
    succeeded = int(status.get("succeeded") or 0) + len(won)
    if is_indexed(job):
        done |= {index_of(pod) for pod in won}
        succeeded = len(done)
    return Tally(
        active=[pod for pod in pods if is_active(pod)],
        uncounted=uncounted,
        succeeded=succeeded,
        failed=int(status.get("failed") or 0) + len(lost),
        done_indexes=frozenset(done),
    )


def _verdict(job: Obj, tally: Tally, pods: list[Obj], now_ns: int) -> tuple[str, str, str] | None:
    """Condition, reason and message when the job is over now."""
    if tally.is_enough(job):
        return "Complete", "CompletionsReached", f"{tally.succeeded} pods succeeded"
    limit = int(job["spec"].get("backoffLimit", 6))
    restarts = sum(
        int(container.get("restartCount") or 0)
        for pod in tally.active
        for container in entries(pod, "status", "containerStatuses")
    )
    if tally.failed > limit or (restarts > 0 and restarts + tally.failed > limit):
        text = f"{tally.failed + restarts} failures exceed spec.backoffLimit: {limit}"
        return "Failed", "BackoffLimitExceeded", text
    left_s = _seconds_to_deadline(job, now_ns)
    if left_s is not None and left_s <= 0:
        seconds = job["spec"]["activeDeadlineSeconds"]
        text = f"the job ran longer than spec.activeDeadlineSeconds: {seconds}"
        return "Failed", "DeadlineExceeded", text
    return None


def _keep_running(view: View, job: Obj, tally: Tally, now_ns: int) -> list[Action]:
    """As many active pods as parallelism and what is left to do allow."""
    if job["spec"].get("suspend"):
        return _stop(tally.active)
    actions: list[Action] = []
    left_s = _seconds_to_deadline(job, now_ns)
    if left_s is not None:
        actions.append(RequeueAfter(left_s))
    wanted = _wanted_active(job, tally)
    if len(tally.active) > wanted:
        extra = sorted(tally.active, key=lambda pod: phase_of(pod) == "Running")
        return actions + _stop(extra[: len(tally.active) - wanted])
    missing = min(wanted - len(tally.active), PODS_PER_RECONCILE_MAX)
    pods = view.owned(PODS, job)
    wait_s = _backoff_s(tally, pods, now_ns)
    if missing <= 0 or wait_s > 0:
        return [*actions, RequeueAfter(wait_s)] if missing > 0 else actions
    classes = classes_by_resource(view)
    indexes = _free_indexes(job, tally)
    known = [name_of(pod) for pod in pods]
    for ordinal in range(missing):
        index = indexes[ordinal] if is_indexed(job) else 0
        seed = f"{tally.succeeded}/{tally.failed}/{known}/{ordinal}"
        actions += create_pod(job, classes, index, seed, now_ns)
    return actions


def _wanted_active(job: Obj, tally: Tally) -> int:
    parallelism = int(job["spec"].get("parallelism", 1))
    completions = job["spec"].get("completions")
    if completions is None:
        return len(tally.active) if tally.succeeded else parallelism
    return min(parallelism, int(completions) - tally.succeeded)


def _free_indexes(job: Obj, tally: Tally) -> list[int]:
    taken = tally.done_indexes | {index_of(pod) for pod in tally.active}
    return [i for i in range(int(job["spec"].get("completions") or 0)) if i not in taken]


def _backoff_s(tally: Tally, pods: list[Obj], now_ns: int) -> float:
    """Seconds to wait after the latest failure, doubled with each."""
    ends = [
        parse_rfc3339(str(end["finishedAt"]))
        for pod in pods
        if phase_of(pod) == "Failed"
        for end in terminations_of(pod)
        if end.get("finishedAt")
    ]
    if not ends or not tally.failed:
        return 0.0
    wait_s = min(BACKOFF_S_MAX, FIRST_BACKOFF_S * 2.0 ** min(tally.failed - 1, 10))
    return max(0.0, wait_s - (now_ns - max(ends)) / NS)


def _stop(pods: list[Obj]) -> list[Action]:
    return [
        Delete(PODS, namespace_of(pod), name_of(pod), uid=uid_of(pod))
        for pod in pods
        if is_active(pod)
    ]


def _untrack(pods: list[Obj]) -> list[Action]:
    """Takes the finalizer off; what it protected is counted in the same plan or moot."""
    return [
        Patch(PODS, namespace_of(pod), name_of(pod), _without_tracking(pod), uid=uid_of(pod))
        for pod in pods
        if _is_tracked(pod)
    ]


def _without_tracking(pod: Obj) -> Obj:
    kept = [name for name in pod["metadata"]["finalizers"] if name != TRACKING]
    return {"metadata": {"finalizers": kept or None}}


def _has_ended(pod: Obj) -> bool:
    """Finished, or deleted for good and only held by our finalizer."""
    is_last_call = is_terminating(pod) and not pod["metadata"].get("deletionGracePeriodSeconds")
    return is_finished(pod) or is_last_call


def _is_tracked(pod: Obj) -> bool:
    return TRACKING in (pod["metadata"].get("finalizers") or ())


def _pods_left_by(view: View, key: Key, job: Obj | None) -> list[Obj]:
    if job is not None:
        return view.owned(PODS, job)
    return [pod for pod in view.in_namespace(PODS, key.namespace) if key in _job_of(view, pod)]


def _expire(job: Obj, now_ns: int) -> list[Action]:
    """Deletes a finished job when its ttl has passed."""
    ttl = job["spec"].get("ttlSecondsAfterFinished")
    if ttl is None:
        return []
    over = next(c for c in (condition(job, "Complete"), condition(job, "Failed")) if c)
    left_s = int(ttl) - (now_ns - parse_rfc3339(over["lastTransitionTime"])) / NS
    if left_s > 0:
        return [RequeueAfter(left_s)]
    return [Delete(JOBS, namespace_of(job), name_of(job), uid=uid_of(job))]


# -- status -----------------------------------------------------------------------


def _seconds_to_deadline(job: Obj, now_ns: int) -> float | None:
    seconds, began = job["spec"].get("activeDeadlineSeconds"), field(job, "status", "startTime")
    if seconds is None or job["spec"].get("suspend"):
        return None
    return float(seconds) - ((now_ns - parse_rfc3339(str(began))) / NS if began else 0.0)


def _suspension(job: Obj, now_ns: int) -> list[Obj]:
    is_suspended = bool(job["spec"].get("suspend"))
    if is_suspended == has_condition(job, "Suspended"):
        return []
    reason, text = (
        ("JobSuspended", "Job suspended") if is_suspended else ("JobResumed", "Job resumed")
    )
    return [_condition("Suspended", is_suspended, reason, text, now_ns)]


def _write_status(
    job: Obj, tally: Tally, pods: list[Obj], conditions: list[Obj], now_ns: int
) -> list[Action]:
    is_over_now = any(c["type"] in ("Complete", "Failed") for c in conditions)
    wanted: Obj = {
        "active": 0 if is_over_now or job["spec"].get("suspend") else len(tally.active),
        "ready": sum(has_condition(pod, "Ready") for pod in tally.active),
        "terminating": sum(is_terminating(pod) and not is_finished(pod) for pod in pods),
        "succeeded": tally.succeeded,
        "failed": tally.failed,
    }
    if is_indexed(job) and tally.done_indexes:
        wanted["completedIndexes"] = job_indexes.render(tally.done_indexes)
    status = part(job, "status")
    if job["spec"].get("suspend"):
        wanted["startTime"] = None
    elif not status.get("startTime"):
        wanted["startTime"] = rfc3339(now_ns)
    merged = entries(job, "status", "conditions")
    for new in conditions:
        merged = with_condition(merged, new)
        if new["type"] == "Complete":
            wanted["completionTime"] = rfc3339(now_ns)
    if conditions:
        wanted["conditions"] = merged
    defaults = {"active": 0, "ready": 0, "terminating": 0, "succeeded": 0, "failed": 0}
    if all(status.get(name, defaults.get(name)) == value for name, value in wanted.items()):
        return []
    version = str(job["metadata"].get("resourceVersion") or "")
    change: Obj = {"status": wanted}
    namespace, name = namespace_of(job), name_of(job)
    return [Patch(JOBS, namespace, name, change, "status", version, uid_of(job))]


def _condition(kind: str, status: bool, reason: str, text: str, now_ns: int) -> Obj:
    return {
        "type": kind,
        "status": "True" if status else "False",
        "reason": reason,
        "message": text,
        "lastProbeTime": rfc3339(now_ns),
        "lastTransitionTime": rfc3339(now_ns),
    }


_job_of = owners(JOBS)
CONTROLLER = Controller(
    name="job",
    resource=JOBS,
    reconcile=reconcile,
    watches=(Watch(PODS, _job_of), Watch(RESOURCE_CLAIMS, _job_of)),
    reads=(DEVICE_CLASSES,),
)
