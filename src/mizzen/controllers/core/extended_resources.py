"""Extended resources as device claims: `mizzen.dev/cpu-core: 1` becomes a ResourceClaim.

Source: KEP-5004, DeviceClass `spec.extendedResourceName`. Upstream's scheduler makes such
claims itself; here the workload's controller does, so that claim and pod are one plan.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from mizzen.base import quantity
from mizzen.base.names import CLAIM_NAME_ANNOTATION
from mizzen.base.objects import Obj, is_terminating, name_of, namespace_of, owner_reference, uid_of
from mizzen.base.operations import Create, Delete
from mizzen.base.resources import DEVICE_CLASSES, PODS, RESOURCE_CLAIMS
from mizzen.controllers.core.actions import Action, RequeueAfter
from mizzen.controllers.core.view import View

CLAIM = "devices"  # the pod's own name for its claim
CLAIM_LAG_S = 1.0
CLAIMS_DROPPED_PER_PLAN = 200  # their going brings the next turn


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """So many devices of one class."""

    device_class: str
    count: int


def classes_by_resource(view: View) -> dict[str, str]:
    """DeviceClass names by the extended resource they stand for."""
    found: dict[str, str] = {}
    for key in sorted(view.all(DEVICE_CLASSES)):
        device_class = view.all(DEVICE_CLASSES)[key]
        spec: Obj = device_class.get("spec") or {}
        resource = spec.get("extendedResourceName")
        if resource:
            found.setdefault(str(resource), key.name)
    return found


def take_device_requests(
    container: Obj, classes: dict[str, str]
) -> tuple[Obj, list[DeviceRequest]]:
    """The container with its device resources replaced by the claim, and what they were."""
    resources: Obj = container.get("resources") or {}
    limits: dict[str, str] = resources.get("limits") or {}
    requests: dict[str, str] = resources.get("requests") or {}
    wanted = {name: value for name, value in {**requests, **limits}.items() if name in classes}
    device_requests = [
        DeviceRequest(classes[name], quantity.to_int(value))
        for name, value in sorted(wanted.items())
        if quantity.to_int(value) > 0
    ]
    if not wanted:
        return container, []
    kept: Obj = {
        field: {name: value for name, value in values.items() if name not in wanted}
        for field, values in (("limits", limits), ("requests", requests))
    }
    kept = {field: values for field, values in kept.items() if values}
    if device_requests:
        kept["claims"] = [*(resources.get("claims") or ()), {"name": CLAIM}]
    return {**container, "resources": kept}, device_requests


def claim_for(owner: Obj, pod_name: str, device_requests: list[DeviceRequest], now_ns: int) -> Obj:
    """A claim for one incarnation of a pod.

    It belongs to the workload, not the pod: claim and pod are made in one plan, when the pod
    has no uid yet. So each incarnation's claim has a name of its own, never to be used again.
    """
    seed = f"{uid_of(owner)}/{pod_name}/{now_ns}"
    suffix = hashlib.sha256(seed.encode()).hexdigest()[:8]
    return {
        "metadata": {
            "name": f"{pod_name}-{suffix}",
            "namespace": namespace_of(owner),
            "annotations": {CLAIM_NAME_ANNOTATION: CLAIM},
            "ownerReferences": [owner_reference(owner)],
        },
        "spec": {
            "devices": {
                "requests": [
                    {
                        "name": f"request-{index}",
                        "exactly": {
                            "deviceClassName": device_request.device_class,
                            "allocationMode": "ExactCount",
                            "count": device_request.count,
                        },
                    }
                    for index, device_request in enumerate(device_requests)
                ]
            }
        },
    }


def with_claim(
    owner: Obj, pod: Obj, device_requests: list[DeviceRequest], now_ns: int
) -> list[Action]:
    """The operations that make the pod, its claim first where it has one."""
    if not device_requests:
        return [Create(PODS, pod)]
    claim = claim_for(owner, name_of(pod), device_requests, now_ns)
    pod["spec"]["resourceClaims"] = [
        *(pod["spec"].get("resourceClaims") or ()),
        {"name": CLAIM, "resourceClaimName": name_of(claim)},
    ]
    return [Create(RESOURCE_CLAIMS, claim), Create(PODS, pod)]


def drop_unused_claims(view: View, owner: Obj, pods: list[Obj]) -> list[Action]:
    """Deletes claims of the owner whose pod is gone.

    A claim can show up in the cache before its pod does: then the answer waits a moment.
    """
    used = {
        str(entry.get("resourceClaimName"))
        for pod in pods
        for entry in pod["spec"].get("resourceClaims") or ()
    }
    actions: list[Action] = []
    for claim in view.owned(RESOURCE_CLAIMS, owner):
        if name_of(claim) in used or is_terminating(claim):
            continue
        if view.is_gone(PODS, "", named_by=claim):
            actions.append(
                Delete(RESOURCE_CLAIMS, namespace_of(claim), name_of(claim), uid=uid_of(claim))
            )
        else:
            actions.append(RequeueAfter(CLAIM_LAG_S))
    return actions[:CLAIMS_DROPPED_PER_PLAN]
