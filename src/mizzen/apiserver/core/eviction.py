"""Whether a disruption budget lets a pod be evicted, in the words of upstream.

Source: pkg/registry/core/pod/storage/eviction.go, Kubernetes 1.36.
"""

from __future__ import annotations

from mizzen.base.clock import rfc3339
from mizzen.base.errors import Cause, TooManyRequests, invalid
from mizzen.base.objects import (
    Obj,
    condition,
    has_condition,
    is_terminating,
    labels_of,
    name_of,
    with_condition,
)
from mizzen.base.reading import entries, number, part, text
from mizzen.base.resources import Resource
from mizzen.base.selectors import from_object

BUDGETS = Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
DISRUPTED_PODS_MAX = 2000  # evictions that the controller has not seen yet
RETRY_AFTER_S = 10
_REFUSED = "Cannot evict pod as it would violate the pod's disruption budget."
_FREE_PHASES = ("Succeeded", "Failed", "Pending")


def is_free(pod: Obj) -> bool:
    """True if no budget minds: the pod is over, leaving, or does not run yet."""
    return text(pod, "status", "phase") in _FREE_PHASES or is_terminating(pod)


def covers(budget: Obj, pod: Obj) -> bool:
    selector = part(budget, "spec").get("selector")
    if selector is None:
        return False
    wanted = from_object(selector)
    return wanted is None or wanted.matches(labels_of(pod))


def minds(budget: Obj, pod: Obj) -> bool:
    """False of a pod that is not healthy where the budget lets such pods go."""
    if has_condition(pod, "Ready"):
        return True
    if text(budget, "spec", "unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return False
    healthy, desired = (
        number(budget, "status", name) for name in ("currentHealthy", "desiredHealthy")
    )
    return healthy < desired or desired <= 0


def disrupt(budget: Obj, pod: str, now_ns: int) -> Obj:
    """The budget with one disruption less. Errors: TooManyRequests, Invalid."""
    status, name = part(budget, "status"), name_of(budget)
    allowed = number(status, "disruptionsAllowed")
    if number(status, "observedGeneration") < number(budget, "metadata", "generation"):
        why = f"The disruption budget {name} is still being processed by the server."
        raise TooManyRequests(
            _REFUSED, causes=[Cause("", why, "DisruptionBudget")], retry_after_s=RETRY_AFTER_S
        )
    disrupted = part(status, "disruptedPods")
    if len(disrupted) > DISRUPTED_PODS_MAX:
        why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        raise invalid(BUDGETS.kind, BUDGETS.group, name, [Cause("status.disruptedPods", why)])
    if allowed <= 0:
        raise TooManyRequests(
            _REFUSED, causes=[Cause("", _why_not(budget, name), "DisruptionBudget")]
        )
    new = {
        **status,
        "disruptionsAllowed": allowed - 1,
        "disruptedPods": {**disrupted, pod: rfc3339(now_ns)},
    }
    if allowed == 1:
        refused: Obj = {
            "type": "DisruptionAllowed",
            "status": "False",
            "reason": "InsufficientPods",
            "message": "",
            "observedGeneration": number(status, "observedGeneration"),
            "lastTransitionTime": rfc3339(now_ns),
        }
        new["conditions"] = with_condition(entries(status, "conditions"), refused)
    return {**budget, "metadata": dict(budget["metadata"]), "status": new}


def _why_not(budget: Obj, name: str) -> str:
    status = part(budget, "status")
    found = condition(budget, "DisruptionAllowed") or {}
    refused = found.get("status") == "False" and bool(found.get("message"))
    healthy, desired = number(status, "currentHealthy"), number(status, "desiredHealthy")
    if refused and found.get("reason") == "SyncFailed":
        return (
            f"The disruption budget {name} does not allow evicting pods currently because it failed "
            f"sync: {found['message']}"
        )
    if healthy <= desired:
        return (
            f"The disruption budget {name} needs {desired} healthy pods and has {healthy} currently"
        )
    plain = f"The disruption budget {name} does not allow evicting pods currently"
    return f"{plain} ({found.get('reason')}): {found['message']}" if refused else plain


def marked(pod: Obj, now_ns: int) -> Obj:
    """The pod with the condition that says who disrupts it."""
    target: Obj = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
        "lastTransitionTime": rfc3339(now_ns),
    }
    status = part(pod, "status")
    conditions = with_condition(entries(status, "conditions"), target)
    return {
        **pod,
        "metadata": dict(pod["metadata"]),
        "status": {**status, "conditions": conditions},
    }
