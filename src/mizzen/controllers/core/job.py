"""batch/v1 Job: pods until so many have succeeded.

Source: kube-controller-manager `pkg/controller/job`, KEP-2307 (exact counting by finalizer),
KEP-2214 (Indexed), KEP-3329, 3850, 3939, 3998 and 4368 (failure policy, limit per index,
replacement, success policy, managedBy).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from mizzen.base.clock import parse_rfc3339, rfc3339
from mizzen.base.indexes import Indexes
from mizzen.base.names import JOB_CONTROLLER
from mizzen.base.objects import (
    Key,
    Obj,
    condition,
    has_condition,
    is_terminating,
    name_of,
    namespace_of,
    uid_of,
)
from mizzen.base.operations import Delete, Patch
from mizzen.base.reading import entries
from mizzen.base.resources import DEVICE_CLASSES, JOBS, PODS, RESOURCE_CLAIMS
from mizzen.controllers.core.actions import (
    Action,
    Controller,
    EmitEvent,
    RequeueAfter,
    Watch,
    owners,
)
from mizzen.controllers.core.adoption import (
    ORPHANS,
    claim,
    dependents,
    selected_by,
    selector_of,
    unchanged,
)
from mizzen.controllers.core.extended_resources import classes_by_resource, drop_unused_claims
from mizzen.controllers.core.job_count import (
    COUNTED_PER_PLAN,
    NS,
    Tally,
    backoff_s,
    carries_on,
    count,
    end_ns,
    has_ended,
    index_backoff_s,
    is_held,
    is_tracked,
    untrack,
)
from mizzen.controllers.core.job_pods import (
    FAILURE_COUNT,
    HELD,
    IGNORED_FAILURE_COUNT,
    TRACKING,
    Failures,
    completions_of,
    create_pod,
    has_limit_per_index,
    index_of,
    is_indexed,
    pod_name,
)
from mizzen.controllers.core.job_policy import FAIL_JOB, match_failure, match_success
from mizzen.controllers.core.job_status import (
    TARGETS,
    job_condition,
    report_stuck,
    seconds_to_deadline,
    suspension,
    waiting,
    write_status,
)
from mizzen.controllers.core.pods import failure_message, is_active, phase_of
from mizzen.controllers.core.view import View

PODS_PER_RECONCILE_MAX = 100
STOPPED_PER_PLAN = 300  # their leaving brings the next turn


class Verdict(NamedTuple):
    """The end of the job: condition (Complete or Failed), reason and message."""

    kind: str
    reason: str
    text: str


class Start(NamedTuple):
    """Pods to be made now, by index, and how long others have to wait (0: none)."""

    indexes: list[int]
    wait_s: float = 0.0


def reconcile(view: View, key: Key, now_ns: int) -> list[Action]:
    """The actions that the Job named by `key` needs now."""
    job = view.get(JOBS, key)
    if job is not None and job["spec"].get("managedBy", JOB_CONTROLLER) != JOB_CONTROLLER:
        return []
    if job is None:
        return []
    if is_terminating(job):
        return _untrack(view.owned(PODS, job))
    if is_over(job):
        pods = view.owned(PODS, job)
        actions = drop_unused_claims(view, job, pods)
        return actions + _expire(job, now_ns) + _stop(pods) + _untrack(pods)
    selector = selector_of(job)
    if selector is None:
        pods = view.owned(PODS, job)
    else:
        pods, claims = claim(view, PODS, job, selector, finalizer=TRACKING)
        if claims:  # first of all: what is adopted is counted, and each pod written once in a plan
            return [unchanged(JOBS, job), *claims]
    actions = drop_unused_claims(view, job, pods)
    tally = count(job, pods)
    verdict = _target(job) or _verdict(job, tally, pods, now_ns)
    if verdict is not None:
        return actions + _end(job, tally, pods, verdict, now_ns)
    return actions + _run(view, job, tally, pods, now_ns)


def is_over(job: Obj) -> bool:
    return has_condition(job, "Complete") or has_condition(job, "Failed")


# -- how it ends --------------------------------------------------------------------


def _target(job: Obj) -> Verdict | None:
    """The verdict that stands already, while the last pods end."""
    for kind, target in TARGETS.items():
        found = condition(job, target)
        if found is not None and found["status"] == "True":
            return Verdict(kind, str(found.get("reason")), str(found.get("message") or ""))
    return None


def _verdict(job: Obj, tally: Tally, pods: list[Obj], now_ns: int) -> Verdict | None:
    """The verdict, when the job is over now; the order is upstream's."""
    for pod in tally.uncounted:
        match = match_failure(job, pod) if phase_of(pod) == "Failed" else None
        if match is not None and match.action == FAIL_JOB:
            return Verdict("Failed", "PodFailurePolicy", match.message)
    return (
        _exceeded(job, tally)
        or _indexes_failed(job, tally)
        or _succeeded(job, tally)
        or _late(job, now_ns)
    )


def _exceeded(job: Obj, tally: Tally) -> Verdict | None:
    limit = int(job["spec"].get("backoffLimit", 6))
    restarts = sum(
        int(container.get("restartCount") or 0)
        for pod in tally.active
        for container in entries(pod, "status", "containerStatuses")
    )
    if tally.failed > limit or (restarts > 0 and restarts + tally.failed > limit):
        text = f"{tally.failed + restarts} failures exceed spec.backoffLimit: {limit}"
        return Verdict("Failed", "BackoffLimitExceeded", text)
    return None


def _indexes_failed(job: Obj, tally: Tally) -> Verdict | None:
    failed, most = len(tally.failed_indexes), job["spec"].get("maxFailedIndexes")
    if most is not None and failed > int(most):
        text = f"{failed} failed indexes exceed spec.maxFailedIndexes: {most}"
        return Verdict("Failed", "MaxFailedIndexesExceeded", text)
    if failed and failed + len(tally.done) >= completions_of(job):
        text = str(tally.failed_indexes)
        if len(text) > 200:
            text = f"{text[:200]}… ({failed} in all)"
        return Verdict("Failed", "FailedIndexes", f"failed indexes: {text}")
    return None


def _succeeded(job: Obj, tally: Tally) -> Verdict | None:
    matched = match_success(job, tally.done)
    if matched:
        return Verdict("Complete", "SuccessPolicy", matched)
    completions = job["spec"].get("completions")
    if completions is None:  # a work queue: one success ends it when all have stopped
        is_enough = tally.succeeded > 0 and not tally.active
    else:
        is_enough = tally.succeeded >= int(completions)
    text = f"{tally.succeeded} pods succeeded"
    return Verdict("Complete", "CompletionsReached", text) if is_enough else None


def _late(job: Obj, now_ns: int) -> Verdict | None:
    left_s = seconds_to_deadline(job, now_ns)
    if left_s is None or left_s > 0:
        return None
    seconds = job["spec"]["activeDeadlineSeconds"]
    text = f"the job ran longer than spec.activeDeadlineSeconds: {seconds}"
    return Verdict("Failed", "DeadlineExceeded", text)


def _end(job: Obj, tally: Tally, pods: list[Obj], verdict: Verdict, now_ns: int) -> list[Action]:
    """Writes the job's end and stops its pods; the job has ended once no pod runs."""
    kind, reason, text = verdict
    kinds = [TARGETS[kind]]
    if all(has_ended(pod) for pod in pods) and not tally.is_partial:
        kinds.append(kind)
    conditions = [
        job_condition(each, True, reason, text, now_ns)
        for each in kinds
        if not has_condition(job, each)
    ]
    conditions += waiting(job, "", "", now_ns)
    actions = [*_stop(pods), *_untrack(tally.uncounted)]
    actions += write_status(job, tally, pods, conditions, now_ns)
    if kind in kinds:
        type_ = "Normal" if kind == "Complete" else "Warning"
        actions.append(EmitEvent(job, type_, reason, text))
    return actions


def _expire(job: Obj, now_ns: int) -> list[Action]:
    """Deletes a finished job when its ttl has passed."""
    ttl = job["spec"].get("ttlSecondsAfterFinished")
    if ttl is None:
        return []
    over = next(c for c in (condition(job, "Complete"), condition(job, "Failed")) if c)
    since = over.get("lastTransitionTime")
    if not since:  # somebody else wrote that it is over, and not since when
        return []
    left_s = int(ttl) - (now_ns - parse_rfc3339(str(since))) / NS
    if left_s > 0:
        return [RequeueAfter(left_s)]
    namespace, name = namespace_of(job), name_of(job)
    return [Delete(JOBS, namespace, name, uid=uid_of(job), propagation="Foreground")]


# -- while it runs ------------------------------------------------------------------


def _run(view: View, job: Obj, tally: Tally, pods: list[Obj], now_ns: int) -> list[Action]:
    """As many active pods as parallelism and what is left to do allow."""
    actions: list[Action] = []
    start = Start([])
    if job["spec"].get("suspend"):
        actions += _stop(tally.active)
    else:
        left_s = seconds_to_deadline(job, now_ns)
        actions += [] if left_s is None else [RequeueAfter(left_s)]
        surplus = _surplus(job, tally)
        actions += _stop(surplus)
        if not surplus and not tally.is_partial:
            start = _start(job, tally, pods, now_ns)
            actions += _create(view, job, tally, pods, start.indexes, now_ns)
    if start.wait_s > 0:
        actions.append(RequeueAfter(start.wait_s))
    actions += _settle(job, tally, pods, set(start.indexes))
    conditions = suspension(job, now_ns) + _backing_off(job, pods, start, now_ns)
    return actions + write_status(job, tally, pods, conditions, now_ns)


def _settle(job: Obj, tally: Tally, pods: list[Obj], made: set[int]) -> list[Action]:
    """Lets go of pods that are counted, but for those whose failures are still to be carried on."""
    waits = {id(pod) for pod in tally.uncounted if carries_on(job, tally, made, pod)}
    held = [_hold(pod, tally) for pod in tally.uncounted if id(pod) in waits]
    free = [pod for pod in tally.uncounted if id(pod) not in waits]
    free += [pod for pod in pods if is_held(pod) and not carries_on(job, tally, made, pod)]
    return [*held, *_untrack(free)]


def _hold(pod: Obj, tally: Tally) -> Patch:
    """Counted, its own failure is written on it, too."""
    failures = tally.failures[index_of(pod)]
    annotations = {
        FAILURE_COUNT: str(failures.counted),
        IGNORED_FAILURE_COUNT: str(failures.ignored),
    }
    finalizers = [name for name in pod["metadata"]["finalizers"] if name != TRACKING]
    change: Obj = {"metadata": {"annotations": annotations, "finalizers": [*finalizers, HELD]}}
    return Patch(PODS, namespace_of(pod), name_of(pod), change, uid=uid_of(pod))


def _surplus(job: Obj, tally: Tally) -> list[Obj]:
    """Active pods beyond what is wanted, those that run last; first those of no index."""
    stray: list[Obj] = []
    rest: list[Obj] = []
    most = completions_of(job)
    for pod in tally.active:
        fits = not is_indexed(job) or 0 <= index_of(pod) < most
        (rest if fits else stray).append(pod)
    extra = len(rest) - _wanted_active(job, tally)
    rest.sort(key=lambda pod: phase_of(pod) == "Running")
    return stray + rest[: max(extra, 0)]


def _wanted_active(job: Obj, tally: Tally) -> int:
    parallelism = int(job["spec"].get("parallelism", 1))
    if job["spec"].get("completions") is None:
        return len(tally.active) if tally.succeeded else parallelism
    left = completions_of(job) - tally.succeeded - len(tally.failed_indexes)
    return min(parallelism, left)


def _start(job: Obj, tally: Tally, pods: list[Obj], now_ns: int) -> Start:
    """The pods to make now; each index, or else the whole job, backs off after failures."""
    in_the_way = tally.active
    if job["spec"].get("podReplacementPolicy") == "Failed":  # not before the old one has ended
        in_the_way = tally.active + tally.stopping
    missing = min(_wanted_active(job, tally) - len(in_the_way), PODS_PER_RECONCILE_MAX)
    if missing <= 0:
        return Start([])
    if not has_limit_per_index(job):
        wait_s = backoff_s(pods, job, now_ns)
        if wait_s > 0:
            return Start([], wait_s)
    if not is_indexed(job):
        return Start([0] * missing)
    taken = tally.done | tally.failed_indexes
    busy = Indexes.of(index_of(pod) for pod in in_the_way)
    free = (taken | busy).absent(completions_of(job))
    if not has_limit_per_index(job):
        return Start(list(islice(free, missing)))
    return _start_by_index(job, tally, pods, free, missing, now_ns)


def _start_by_index(
    job: Obj, tally: Tally, pods: list[Obj], free: Iterator[int], missing: int, now_ns: int
) -> Start:
    by_index: dict[int, list[Obj]] = {}
    for pod in pods:
        by_index.setdefault(index_of(pod), []).append(pod)
    found: list[int] = []
    waits_s: list[float] = []
    for index in free:  # only indexes that have pods wait, so this ends soon
        failures = tally.failures.get(index, Failures())
        wait_s = index_backoff_s(by_index.get(index, []), failures, job, now_ns)
        if wait_s > 0:
            waits_s.append(wait_s)
        else:
            found.append(index)
        if len(found) == missing:
            break
    return Start(found, min(waits_s, default=0.0))


def _create(
    view: View, job: Obj, tally: Tally, pods: list[Obj], indexes: Sequence[int], now_ns: int
) -> list[Action]:
    classes = classes_by_resource(view) if indexes else {}
    known = hashlib.sha256("/".join(name_of(pod) for pod in pods).encode()).hexdigest()
    actions: list[Action] = []
    given: set[str] = set()

    def is_taken(name: str) -> bool:
        return name in given or view.get(PODS, Key(namespace_of(job), name)) is not None

    for ordinal, index in enumerate(indexes):
        seed = f"{tally.succeeded}/{tally.failed}/{known}/{ordinal}"
        failures = tally.failures.get(index, Failures())
        name = pod_name(job, index, seed, is_taken)
        given.add(name)
        actions += create_pod(job, classes, index, failures, name, now_ns)
    return actions


def _backing_off(job: Obj, pods: list[Obj], start: Start, now_ns: int) -> list[Obj]:
    """The job's conditions while failures delay the next pods."""
    failed = [pod for pod in pods if phase_of(pod) == "Failed"]
    if start.wait_s <= 0 or not failed:
        return waiting(job, "", "", now_ns)
    again = rfc3339(now_ns + round(start.wait_s * NS) + NS // 2)  # a whole second, but for noise
    text = f"{failure_message(max(failed, key=end_ns))}; the next try is at {again}"
    return waiting(job, "BackOff", text, now_ns)


def _stop(pods: list[Obj]) -> list[Action]:
    running = (pod for pod in pods if is_active(pod))
    return [
        Delete(PODS, namespace_of(pod), name_of(pod), uid=uid_of(pod))
        for pod in islice(running, STOPPED_PER_PLAN)
    ]


def _untrack(pods: list[Obj]) -> list[Action]:
    """Takes the finalizer off; what it protected is counted in the same plan or moot."""
    tracked = (pod for pod in pods if is_tracked(pod) or is_held(pod))
    return [untrack(pod) for pod in islice(tracked, COUNTED_PER_PLAN)]


_job_of = owners(JOBS)
_BY_LABEL = selected_by(JOBS)
CONTROLLER = Controller(
    name="job",
    resource=JOBS,
    reconcile=reconcile,
    watches=(dependents(PODS, JOBS, _BY_LABEL), Watch(RESOURCE_CLAIMS, _job_of)),
    reads=(DEVICE_CLASSES,),
    indexes=(_BY_LABEL, ORPHANS[PODS]),
    report_stuck=report_stuck,
)
