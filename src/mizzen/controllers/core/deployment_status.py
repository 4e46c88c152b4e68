"""What a Deployment says of its rollout: counts, and the conditions Available and Progressing.

Source: kube-controller-manager `pkg/controller/deployment`, sync.go and progress.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mizzen.base.clock import parse_rfc3339, rfc3339
from mizzen.base.objects import Obj, name_of
from mizzen.base.reading import entries, number, part, text
from mizzen.controllers.core.deployment_sets import INT32_MAX, OwnedSet, max_unavailable
from mizzen.controllers.core.replica_set import REPLICA_FAILURE

_NS = 1_000_000_000
AVAILABLE, PROGRESSING = "Available", "Progressing"
NEW_SET_CREATED, NEW_SET_FOUND = "NewReplicaSetCreated", "FoundNewReplicaSet"
NEW_SET_AVAILABLE, SET_UPDATED = "NewReplicaSetAvailable", "ReplicaSetUpdated"
SET_CREATE_ERROR, TIMED_OUT = "ReplicaSetCreateError", "ProgressDeadlineExceeded"
PAUSED, RESUMED = "DeploymentPaused", "DeploymentResumed"


def has_deadline(deployment: Obj) -> bool:
    seconds = part(deployment, "spec").get("progressDeadlineSeconds")
    return seconds is not None and seconds != INT32_MAX


# -- conditions -------------------------------------------------------------------------


def find(conditions: Iterable[Obj], kind: str) -> Obj | None:
    return next((each for each in conditions if each.get("type") == kind), None)


def without(conditions: Iterable[Obj], kind: str) -> list[Obj]:
    return [each for each in conditions if each.get("type") != kind]


def deployment_condition(kind: str, status: str, reason: str, message: str, now_ns: int) -> Obj:
    now = rfc3339(now_ns)
    return {
        "type": kind,
        "status": status,
        "lastUpdateTime": now,
        "lastTransitionTime": now,
        "reason": reason,
        "message": message,
    }


def with_new(conditions: Sequence[Obj], new: Obj) -> list[Obj]:
    """The conditions with `new`, unless it says what is said already."""
    before = find(conditions, new["type"])
    if before is not None and before.get("status") == new["status"]:
        if before.get("reason") == new["reason"]:
            return list(conditions)
        new = {**new, "lastTransitionTime": before.get("lastTransitionTime")}
    return [*without(conditions, new["type"]), new]


def on_pause(deployment: Obj, conditions: Sequence[Obj], now_ns: int) -> list[Obj]:
    """Pausing and resuming begin the time anew in which there must be progress."""
    before = find(conditions, PROGRESSING)
    if not has_deadline(deployment) or (before is not None and before.get("reason") == TIMED_OUT):
        return list(conditions)
    was_paused = before is not None and before.get("reason") == PAUSED
    is_paused = bool(part(deployment, "spec").get("paused"))
    if is_paused == was_paused:
        return list(conditions)
    reason, message = (
        (PAUSED, "Deployment is paused") if is_paused else (RESUMED, "Deployment is resumed")
    )
    new = deployment_condition(PROGRESSING, "Unknown", reason, message, now_ns)
    return with_new(conditions, new)


# -- counts -----------------------------------------------------------------------------


def counts(
    deployment: Obj,
    new: OwnedSet | None,
    old: Sequence[OwnedSet],
    conditions: Sequence[Obj],
    now_ns: int,
) -> Obj:
    """The status by what the sets say of themselves, with the condition Available."""
    sets = [*old, *([new] if new is not None else [])]
    available = _sum(sets, "availableReplicas")
    unavailable = max(0, sum(one.replicas for one in sets) - available)
    wanted = number(deployment, "spec", "replicas")
    if available >= wanted - max_unavailable(deployment):
        told = ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    else:
        lacks = "Deployment does not have minimum availability."
        told = ("False", "MinimumReplicasUnavailable", lacks)
    condition = deployment_condition(AVAILABLE, *told, now_ns)
    return {
        "observedGeneration": number(deployment, "metadata", "generation"),
        "replicas": _sum(sets, "replicas"),
        "updatedReplicas": _sum([new] if new is not None else [], "replicas"),
        "readyReplicas": _sum(sets, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": unavailable,
        "terminatingReplicas": _terminating(sets),
        "conditions": with_new(conditions, condition),
    }


def _sum(sets: Iterable[OwnedSet], field: str) -> int:
    return sum(number(one.obj, "status", field) for one in sets)


def _terminating(sets: Iterable[OwnedSet]) -> int | None:
    """None where a set that was looked at does not say."""
    total = 0
    for one in sets:
        status = part(one.obj, "status")
        if "terminatingReplicas" in status:
            total += int(status["terminatingReplicas"])
        elif status.get("observedGeneration"):
            return None
    return total


# -- progress ---------------------------------------------------------------------------


def is_complete(deployment: Obj, status: Obj) -> bool:
    """True once all replicas are of the new set and available, and no others are there."""
    wanted = number(deployment, "spec", "replicas")
    is_observed = number(status, "observedGeneration") >= number(
        deployment, "metadata", "generation"
    )
    fields = ("updatedReplicas", "replicas", "availableReplicas")
    return is_observed and all(number(status, field) == wanted for field in fields)


def with_progress(
    deployment: Obj, new: OwnedSet | None, old: Sequence[OwnedSet], status: Obj, now_ns: int
) -> Obj:
    """The status with the conditions Progressing and ReplicaFailure of a rollout."""
    conditions: list[Obj] = status["conditions"]
    if not has_deadline(deployment):
        conditions = without(conditions, PROGRESSING)
    before = find(entries(deployment, "status", "conditions"), PROGRESSING)
    was_complete = (
        number(status, "replicas") == number(status, "updatedReplicas")
        and before is not None
        and before.get("reason") == NEW_SET_AVAILABLE
    )
    if has_deadline(deployment) and not was_complete:
        conditions = _progress(deployment, new, status, conditions, now_ns)
    failure = _failure([*([new] if new is not None else []), *old])
    if failure is None:
        conditions = without(conditions, REPLICA_FAILURE)
    else:
        conditions = with_new(conditions, failure)
    return {**status, "conditions": conditions}


def _progress(
    deployment: Obj, new: OwnedSet | None, status: Obj, conditions: list[Obj], now_ns: int
) -> list[Obj]:
    who = f'ReplicaSet "{new.name}"' if new is not None else f'Deployment "{name_of(deployment)}"'

    def told(truth: str, reason: str, what: str) -> Obj:
        return deployment_condition(PROGRESSING, truth, reason, f"{who} {what}.", now_ns)

    if is_complete(deployment, status):
        return with_new(conditions, told("True", NEW_SET_AVAILABLE, "has successfully progressed"))
    if _progresses(part(deployment, "status"), status):
        condition = told("True", SET_UPDATED, "is progressing")
        before = find(conditions, PROGRESSING)
        if before is not None and before.get("status") == "True":
            condition["lastTransitionTime"] = before.get("lastTransitionTime")
        return [*without(conditions, PROGRESSING), condition]
    if _is_late(deployment, conditions, now_ns):
        return with_new(conditions, told("False", TIMED_OUT, "has timed out progressing"))
    return conditions


def _progresses(before: Obj, after: Obj) -> bool:
    """True if new pods came, became ready or available, or old ones went."""

    def old_pods(status: Obj) -> int:
        return number(status, "replicas") - number(status, "updatedReplicas")

    grows = ("updatedReplicas", "readyReplicas", "availableReplicas")
    return old_pods(after) < old_pods(before) or any(
        number(after, field) > number(before, field) for field in grows
    )


def _is_late(deployment: Obj, conditions: list[Obj], now_ns: int) -> bool:
    condition = find(conditions, PROGRESSING)
    if condition is None or condition.get("reason") == NEW_SET_AVAILABLE:
        return False
    if condition.get("reason") == TIMED_OUT:
        return True
    return _deadline_ns(deployment, condition) < now_ns


def _deadline_ns(deployment: Obj, condition: Obj) -> int:
    since = text(condition, "lastUpdateTime") or text(condition, "lastTransitionTime")
    began_ns = parse_rfc3339(since) if since else 0
    return began_ns + number(deployment, "spec", "progressDeadlineSeconds") * _NS


def seconds_to_check(deployment: Obj, status: Obj, now_ns: int) -> float | None:
    """Seconds until it may be late; None where it is not waited for."""
    condition = find(status["conditions"], PROGRESSING)
    if not has_deadline(deployment) or condition is None:
        return None
    if is_complete(deployment, status) or condition.get("reason") == TIMED_OUT:
        return None
    left_s = (_deadline_ns(deployment, condition) - now_ns) / _NS
    return max(left_s, 0.0) + 1.0


def _failure(sets: Iterable[OwnedSet]) -> Obj | None:
    """The first set's failure to make or delete pods, as the Deployment's condition."""
    for one in sets:
        found = find(entries(one.obj, "status", "conditions"), REPLICA_FAILURE)
        if found is not None:
            return {**found, "lastUpdateTime": found.get("lastTransitionTime")}
    return None
