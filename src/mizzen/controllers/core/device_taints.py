"""Ends pods whose devices have a NoExecute taint that their claims do not tolerate (any more).

Source: kube-controller-manager `pkg/controller/devicetainteviction`, KEP-5055.
"""

from __future__ import annotations

from collections.abc import Callable

from mizzen.base.objects import Key, Obj, key_of
from mizzen.base.resources import DEVICE_TAINT_RULES, PODS, RESOURCE_CLAIMS, RESOURCE_SLICES
from mizzen.controllers.core.actions import Action, Controller, RequeueAfter, Watch
from mizzen.controllers.core.device_evictions import (
    EVICTING,
    Eviction,
    claims_of_pod,
    eviction_of,
    pods_using,
    results_of,
    selects,
)
from mizzen.controllers.core.pods import IN_GROUP, evict_by_taint
from mizzen.controllers.core.view import View


def reconcile(view: View, key: Key, now_ns: int) -> list[Action]:
    """Ends the pods of the claim named by `key` once their time is up."""
    claim = view.get(RESOURCE_CLAIMS, key)
    eviction = eviction_of(view, claim) if claim is not None and results_of(claim) else None
    if claim is None or eviction is None:
        return []
    pods = pods_using(view, claim)
    if not pods:
        return []
    if eviction.due_ns > now_ns:
        return [RequeueAfter((eviction.due_ns - now_ns) / 1e9)]
    why = _why(claim, eviction)
    return [
        action
        for pod in pods
        for action in evict_by_taint(pod, "Device Taint manager", why, now_ns)
    ]


def _why(claim: Obj, eviction: Eviction) -> str:
    return (
        f'a device of ResourceClaim "{key_of(claim)}" has a NoExecute taint that the claim does '
        f"not tolerate: {eviction.reason}"
    )


def _claims_of_slice(view: View, item: Obj) -> list[Key]:
    """Keys of claims with a device that the slice taints, before or after the change."""
    tainted = set(EVICTING.values(item))
    if not tainted:
        return []
    return _holding(view, lambda d: f"{d['driver']}/{d['pool']}/{d['device']}" in tainted)


def _claims_of_rule(view: View, rule: Obj) -> list[Key]:
    return _holding(view, lambda device: selects(rule, device))


def _holding(view: View, is_meant: Callable[[Obj], bool]) -> list[Key]:
    claims = view.all(RESOURCE_CLAIMS).items()
    return [key for key, claim in claims if any(is_meant(d) for d in results_of(claim))]


CONTROLLER = Controller(
    name="device-taint-eviction",
    resource=RESOURCE_CLAIMS,
    reconcile=reconcile,
    watches=(
        Watch(RESOURCE_SLICES, _claims_of_slice),
        Watch(DEVICE_TAINT_RULES, _claims_of_rule),
        Watch(PODS, claims_of_pod),
    ),
    indexes=(IN_GROUP,),
)
