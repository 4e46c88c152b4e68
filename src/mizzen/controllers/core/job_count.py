"""Counts a Job's pods: active, succeeded, failed, and the back-off that follows.

A pod that ended keeps a finalizer until it is counted, so that nobody's deletion can lose its
result. With backoffLimitPerIndex the failures of an index are written on its pods: its last one
is held by another finalizer until the next carries them on.
Source: kube-controller-manager `pkg/controller/job`, KEP-2307, KEP-3850, KEP-3939.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from mizzen.base.clock import parse_rfc3339
from mizzen.base.indexes import Indexes
from mizzen.base.objects import (
    Obj,
    condition,
    has_condition,
    is_terminating,
    name_of,
    namespace_of,
    uid_of,
)
from mizzen.base.operations import Patch
from mizzen.base.reading import entries, part, text
from mizzen.base.resources import PODS
from mizzen.controllers.core.job_pods import (
    HELD,
    TRACKING,
    Failures,
    completions_of,
    failures_before,
    has_limit_per_index,
    index_of,
    is_indexed,
)
from mizzen.controllers.core.job_policy import FAIL_INDEX, IGNORE, match_failure
from mizzen.controllers.core.pods import is_active, is_finished, phase_of

NS = 1_000_000_000
FIRST_BACKOFF_S, BACKOFF_S_MAX = 10.0, 360.0
_DOUBLINGS_MAX = 10
COUNTED_PER_PLAN = 300  # a plan has a bound; what is beyond follows in the next


@dataclass(frozen=True, slots=True)
class Tally:
    """The counts of the job's pods, those counted by this reconcile included."""

    active: list[Obj]
    stopping: list[Obj]  # asked to end, and not ended yet
    uncounted: list[Obj]  # ended, and not counted before
    lost: list[Obj]  # of the uncounted: failures of the job
    succeeded: int
    failed: int
    done: Indexes
    failed_indexes: Indexes
    failures: dict[int, Failures]  # by index, where backoffLimitPerIndex counts them
    running: frozenset[int]  # indexes of the active pods
    is_partial: bool  # more have ended than are counted now


def count(job: Obj, pods: list[Obj]) -> Tally:
    """Adds the pods that ended since the last count; each has the finalizer until then."""
    status = part(job, "status")
    ended = [pod for pod in pods if is_tracked(pod) and has_ended(pod)]
    uncounted = _next_to_count(ended, pods)
    won = [pod for pod in uncounted if phase_of(pod) == "Succeeded"]
    lost = [pod for pod in uncounted if _is_failure(job, pod)]
    succeeded = int(status.get("succeeded") or 0) + len(won)
    done = failed_indexes = Indexes()
    failures: dict[int, Failures] = {}
    if is_indexed(job):
        now_done = Indexes.of(index_of(pod) for pod in won if index_of(pod) >= 0)
        done = (_stored(status, "completedIndexes") | now_done).below(completions_of(job))
        succeeded = len(done)
    if has_limit_per_index(job):
        failures = _failures(job, pods)
        now_failed = Indexes.of(
            index_of(pod) for pod in lost if index_of(pod) >= 0 and _fails_index(job, pod)
        )
        known = _stored(status, "failedIndexes") | now_failed
        failed_indexes = known.below(completions_of(job)) - done
    active = [pod for pod in pods if is_active(pod)]
    return Tally(
        active=active,
        stopping=[pod for pod in pods if is_terminating(pod) and not has_ended(pod)],
        uncounted=uncounted,
        lost=lost,
        succeeded=succeeded,
        failed=int(status.get("failed") or 0) + len(lost),
        done=done,
        failed_indexes=failed_indexes,
        failures=failures,
        running=frozenset(index_of(pod) for pod in active),
        is_partial=len(uncounted) < len(ended),
    )


def _next_to_count(ended: list[Obj], pods: list[Obj]) -> list[Obj]:
    """As many as a plan holds; those that may have to wait for their successor come last."""
    if len(ended) <= COUNTED_PER_PLAN:
        return ended
    running = {index_of(pod) for pod in pods if is_active(pod)}
    ended = sorted(
        ended, key=lambda pod: (phase_of(pod) != "Succeeded", index_of(pod) not in running)
    )
    return ended[:COUNTED_PER_PLAN]


def carries_on(job: Obj, tally: Tally, made: Container[int], pod: Obj) -> bool:
    """True if an ended pod must stay: its index failed and no pod has retried it yet.

    `made` are the indexes that get a pod by this very reconcile.
    """
    index = index_of(pod)
    return (
        has_limit_per_index(job)
        and tally.failures.get(index, Failures()) != Failures()
        and 0 <= index < completions_of(job)
        and index not in tally.done
        and index not in tally.failed_indexes
        and index not in tally.running
        and index not in made
    )


def is_tracked(pod: Obj) -> bool:
    """True if the pod is still to be counted."""
    return TRACKING in (pod["metadata"].get("finalizers") or ())


def is_held(pod: Obj) -> bool:
    """True if the pod is counted and stays because of what is written on it."""
    return HELD in (pod["metadata"].get("finalizers") or ())


def untrack(pod: Obj) -> Patch:
    """Takes both finalizers off."""
    kept = [name for name in pod["metadata"]["finalizers"] if name not in (TRACKING, HELD)]
    change: Obj = {"metadata": {"finalizers": kept or None}}
    return Patch(PODS, namespace_of(pod), name_of(pod), change, uid=uid_of(pod))


def has_ended(pod: Obj) -> bool:
    """Finished, or deleted for good and only held by our finalizer."""
    is_last_call = is_terminating(pod) and not pod["metadata"].get("deletionGracePeriodSeconds")
    return is_finished(pod) or is_last_call


def _is_failure(job: Obj, pod: Obj) -> bool:
    """True if an ended pod counts as a failure of the job.

    A pod that failed because somebody deleted it does not, unless a rule says so. Of a job that
    is failing, whatever had to be ended counts.
    """
    if has_condition(job, "FailureTarget"):
        return phase_of(pod) != "Succeeded"
    if phase_of(pod) != "Failed":
        return False
    match = match_failure(job, pod)
    return match.action != IGNORE if match is not None else not is_terminating(pod)


# -- indexes ------------------------------------------------------------------------


def _stored(status: Obj, field: str) -> Indexes:
    """The indexes in the status; an invalid value counts as none."""
    try:
        return Indexes.parse(text(status, field))
    except ValueError:
        return Indexes()


def _failures(job: Obj, pods: list[Obj]) -> dict[int, Failures]:
    """The failure counts for the next pod of each index: the highest of its pods'."""
    found: dict[int, Failures] = {}
    for pod in pods:
        counted, ignored = failures_before(pod)
        if phase_of(pod) == "Failed" and is_tracked(pod):
            counts = _is_failure(job, pod)
            match = match_failure(job, pod)
            counted += counts
            ignored += match is not None and match.action == IGNORE
        known = found.get(index_of(pod), Failures())
        found[index_of(pod)] = Failures(max(known.counted, counted), max(known.ignored, ignored))
    return found


def _fails_index(job: Obj, pod: Obj) -> bool:
    match = match_failure(job, pod)
    if match is not None and match.action == FAIL_INDEX:
        return True
    return failures_before(pod).counted >= int(job["spec"]["backoffLimitPerIndex"])


# -- back-off -----------------------------------------------------------------------


def backoff_s(pods: list[Obj], job: Obj, now_ns: int) -> float:
    """Seconds to wait after the latest failure, doubled with each since the last success.

    Of pods that are no longer there nothing is known, as upstream knows nothing after a restart.
    """
    failures = [end_ns(pod) for pod in pods if _holds_back(job, pod)]
    if not failures:  # as with most jobs: then nobody need ask when the others ended
        return 0.0
    last_success = max((end_ns(p) for p in pods if phase_of(p) == "Succeeded"), default=0)
    failures = [end for end in failures if end > last_success]
    return _wait_s(len(failures), max(failures, default=0), now_ns)


def index_backoff_s(pods: list[Obj], failures: Failures, job: Obj, now_ns: int) -> float:
    """As `backoff_s` for the pods of one index, whose failures are counted on them."""
    ends = [end_ns(pod) for pod in pods if _holds_back(job, pod)]
    return _wait_s(failures.counted + failures.ignored, max(ends, default=0), now_ns)


def _holds_back(job: Obj, pod: Obj) -> bool:
    is_own = not is_terminating(pod) or match_failure(job, pod) is not None
    return phase_of(pod) == "Failed" and is_own


def _wait_s(failures: int, last_ns: int, now_ns: int) -> float:
    if not failures or not last_ns:
        return 0.0
    wait_s = min(BACKOFF_S_MAX, FIRST_BACKOFF_S * 2.0 ** min(failures - 1, _DOUBLINGS_MAX))
    return max(0.0, wait_s - (now_ns - last_ns) / NS)


def end_ns(pod: Obj) -> int:
    """The end of a finished pod: of its last container, else of its readiness; 0: unknown."""
    ends = [
        parse_rfc3339(finished)
        for container in entries(pod, "status", "containerStatuses")
        if (finished := text(container, "state", "terminated", "finishedAt"))
    ]
    ready = condition(pod, "Ready") or {}
    if not ends and ready.get("lastTransitionTime"):
        return parse_rfc3339(str(ready["lastTransitionTime"]))
    return max(ends, default=0)
