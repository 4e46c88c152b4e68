"""policy/v1 PodDisruptionBudget: how many evictions are allowed now.

Source: kube-controller-manager `pkg/controller/disruption`.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from typing import Any, NamedTuple

from mizzen.base.clock import parse_rfc3339, rfc3339
from mizzen.base.objects import (
    Key,
    Obj,
    condition,
    controller_of,
    has_condition,
    is_terminating,
    key_of,
    labels_of,
    name_of,
    namespace_of,
    uid_of,
    with_condition,
)
from mizzen.base.operations import Patch
from mizzen.base.reading import entries, field, number, part, text
from mizzen.base.resources import (
    DEPLOYMENTS,
    JOBS,
    POD_DISRUPTION_BUDGETS,
    PODS,
    REPLICA_SETS,
    REPLICATION_CONTROLLERS,
    STATEFUL_SETS,
    Resource,
)
from mizzen.base.selectors import from_object
from mizzen.controllers.core.actions import Action, Controller, EmitEvent, RequeueAfter, Watch
from mizzen.controllers.core.view import Index, View

DELETION_S_MAX = 120.0  # within which an eviction must have become a deletion
NS = 1_000_000_000


def _namespace(obj: Obj) -> Iterator[str]:
    yield namespace_of(obj)


BUDGETS_IN = Index("disruption budgets by namespace", POD_DISRUPTION_BUDGETS, _namespace)
PODS_IN = Index("pods by namespace", PODS, _namespace)


class _Expected(NamedTuple):
    """Pods that there should be, and how many of them must be healthy."""

    pods: int
    healthy: int


class _Uncountable(Exception):
    """A pod whose controller has no scale."""


def reconcile(view: View, key: Key, now_ns: int) -> list[Action]:
    """Writes what the budget named by `key` allows."""
    budget = view.get(POD_DISRUPTION_BUDGETS, key)
    if budget is None or is_terminating(budget):
        return []
    pods = [pod for pod in view.find(PODS_IN, key.namespace) if covers(budget, pod)]
    actions: list[Action] = []
    if not pods:
        actions.append(EmitEvent(budget, "Normal", "NoPods", "No matching pods found"))
    try:
        expected = _expected(view, budget, pods)
    except _Uncountable as error:
        told = f"Failed to calculate the number of expected pods: {error}"
        failed = EmitEvent(budget, "Warning", "CalculateExpectedPodCountFailed", told)
        return [*actions, failed, *_fail(budget, str(error), now_ns)]
    disrupted, recheck_s = _disrupted(budget, pods, now_ns)
    healthy = sum(
        has_condition(pod, "Ready") and not is_terminating(pod) and name_of(pod) not in disrupted
        for pod in pods
    )
    allowed = max(0, healthy - expected.healthy) if expected.pods > 0 else 0
    wanted: Obj = {
        "observedGeneration": number(budget, "metadata", "generation"),
        "disruptedPods": disrupted,
        "disruptionsAllowed": allowed,
        "currentHealthy": healthy,
        "desiredHealthy": expected.healthy,
        "expectedPods": expected.pods,
    }
    actions += _write(budget, wanted, now_ns)
    return [*actions, RequeueAfter(recheck_s)] if recheck_s else actions


def covers(budget: Obj, pod: Obj) -> bool:
    selector = field(budget, "spec", "selector")
    if selector is None:
        return False
    wanted = from_object(selector)
    return wanted is None or wanted.matches(labels_of(pod))


def _expected(view: View, budget: Obj, pods: list[Obj]) -> _Expected:
    """Errors: _Uncountable."""
    spec = part(budget, "spec")
    most, least = spec.get("maxUnavailable"), spec.get("minAvailable")
    if most is not None:
        count = _scale(view, pods)
        return _Expected(count, max(0, count - _share(most, count)))
    if isinstance(least, int):
        return _Expected(len(pods), least)
    if least is None:
        return _Expected(0, 0)
    count = _scale(view, pods)
    return _Expected(count, _share(least, count))


def _share(value: Any, of: int) -> int:
    """A number, or a percentage of one, rounded up."""
    if isinstance(value, int):
        return value
    return ceil(int(str(value).rstrip("%")) * of / 100)


def _scale(view: View, pods: list[Obj]) -> int:
    """The replicas that the pods' controllers want, all together; pods without one do not count.

    Errors: _Uncountable."""
    scales: dict[str, int] = {}
    seen: set[str] = set()
    for pod in pods:
        reference = controller_of(pod)
        if reference is None or reference["uid"] in seen:
            continue
        seen.add(reference["uid"])
        found = _controller(view, pod, reference)
        above = controller_of(found) if found is not None else None
        if above is not None and above["kind"] == DEPLOYMENTS.kind:  # which knows how many it wants
            found = _controller(view, pod, above) or found
        replicas = None if found is None else field(found, "spec", "replicas")
        if found is not None and found["kind"] == JOBS.kind:
            replicas = number(found, "spec", "parallelism")
        if found is None or replicas is None:
            raise _Uncountable(f'found no controllers for pod "{name_of(pod)}"')
        scales[uid_of(found)] = int(replicas)
    return sum(scales.values())


def _controller(view: View, pod: Obj, reference: Obj) -> Obj | None:
    for resource in SCALED:
        if (resource.api_version, resource.kind) == (reference["apiVersion"], reference["kind"]):
            found = view.get(resource, Key(namespace_of(pod), str(reference["name"])))
            return found if found is not None and uid_of(found) == reference["uid"] else None
    return None


def _disrupted(budget: Obj, pods: list[Obj], now_ns: int) -> tuple[Obj, float]:
    """The evictions that are still to become deletions, and the seconds after which one has not."""
    known = part(budget, "status", "disruptedPods")
    left: Obj = {}
    soonest = 0.0
    for pod in pods:
        since = known.get(name_of(pod))
        if since is None or is_terminating(pod):
            continue
        wait_s = DELETION_S_MAX - (now_ns - parse_rfc3339(str(since))) / NS
        if wait_s > 0:
            left[name_of(pod)] = since
            soonest = min(soonest or wait_s, wait_s)
    return left, soonest


def _fail(budget: Obj, why: str, now_ns: int) -> list[Action]:
    """Nothing may be evicted while nobody knows how many there should be."""
    refused = _condition(budget, False, "SyncFailed", why, now_ns)
    known = condition(budget, "DisruptionAllowed") or {}
    if number(budget, "status", "disruptionsAllowed") == 0 and all(
        known.get(name) == refused[name] for name in ("status", "reason", "message")
    ):
        return []
    conditions = with_condition(entries(budget, "status", "conditions"), refused)
    return [_patch(budget, {"disruptionsAllowed": 0, "conditions": conditions})]


def _write(budget: Obj, wanted: Obj, now_ns: int) -> list[Action]:
    is_allowed = wanted["disruptionsAllowed"] > 0
    reason = "SufficientPods" if is_allowed else "InsufficientPods"
    status, known = part(budget, "status"), condition(budget, "DisruptionAllowed")
    is_told = known is not None and known.get("reason") == reason
    before = {**status, "disruptedPods": part(status, "disruptedPods")}
    if is_told and all(before.get(name) == value for name, value in wanted.items()):
        return []
    told = _condition(budget, is_allowed, reason, "", now_ns)
    gone = {
        name: None for name in part(status, "disruptedPods") if name not in wanted["disruptedPods"]
    }
    change = {
        **wanted,
        "disruptedPods": {**wanted["disruptedPods"], **gone} or None,
        "conditions": with_condition(entries(status, "conditions"), told),
    }
    return [_patch(budget, change)]


def _condition(budget: Obj, is_allowed: bool, reason: str, message: str, now_ns: int) -> Obj:
    return {
        "type": "DisruptionAllowed",
        "status": "True" if is_allowed else "False",
        "reason": reason,
        "message": message,
        "observedGeneration": number(budget, "metadata", "generation"),
        "lastTransitionTime": rfc3339(now_ns),
    }


def _patch(budget: Obj, status: Obj) -> Patch:
    version = text(budget, "metadata", "resourceVersion")
    return Patch(
        POD_DISRUPTION_BUDGETS, namespace_of(budget), name_of(budget), {"status": status}, "status",
        version, uid_of(budget),
    )  # fmt: skip


def _budgets_of(view: View, pod: Obj) -> list[Key]:
    budgets = view.find(BUDGETS_IN, namespace_of(pod))
    return [key_of(budget) for budget in budgets if covers(budget, pod)]


def _budgets_beside(view: View, owner: Obj) -> list[Key]:
    """A change of scale concerns whatever budgets the namespace has."""
    return view.find_keys(BUDGETS_IN, namespace_of(owner))


# Kinds whose pods are counted by their scale.
SCALED: tuple[Resource, ...] = (
    JOBS, DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS, REPLICATION_CONTROLLERS,
)  # fmt: skip
CONTROLLER = Controller(
    name="disruption",
    resource=POD_DISRUPTION_BUDGETS,
    reconcile=reconcile,
    watches=(Watch(PODS, _budgets_of), *(Watch(each, _budgets_beside) for each in SCALED)),
    # Pods are indexed when the first budget asks for them: most instances have none.
    indexes=(BUDGETS_IN,),
)
