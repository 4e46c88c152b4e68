"""Answers ResourcePoolStatusRequests: how full the pools of a driver are, once.

Source: kube-controller-manager `pkg/controller/resourcepoolstatusrequest`, DRAResourcePoolStatus,
1.36. Unlike there, a device that several hold counts once, one looked after with admin access not
at all, and free devices with a taint that keeps claims away are told as unavailable.
"""

from __future__ import annotations

from collections.abc import Iterable

from mizzen.base.clock import parse_rfc3339, rfc3339
from mizzen.base.objects import Key, Obj, name_of, uid_of
from mizzen.base.operations import Delete, Patch
from mizzen.base.reading import entries, part, text
from mizzen.base.resources import (
    DEVICE_TAINT_RULES,
    RESOURCE_CLAIMS,
    RESOURCE_POOL_STATUS_REQUESTS,
    RESOURCE_SLICES,
)
from mizzen.controllers.core.actions import Action, Controller, RequeueAfter
from mizzen.controllers.core.device_evictions import results_of, selects
from mizzen.controllers.core.view import View

ANSWERED_S = 3600.0  # after which an answer is thrown away
LIMIT_DEFAULT = 100
ERROR_BYTES_MAX = 256
_KEEPS_AWAY = ("NoSchedule", "NoExecute")


def reconcile(view: View, key: Key, now_ns: int) -> list[Action]:
    """Answers the request named by `key`, or throws an old answer away."""
    request = view.get(RESOURCE_POOL_STATUS_REQUESTS, key)
    if request is None:
        return []
    answered = entries(request, "status", "conditions")
    if answered:
        age_s = (now_ns - parse_rfc3339(answered[0]["lastTransitionTime"])) / 1e9
        if age_s < ANSWERED_S:
            return [RequeueAfter(ANSWERED_S - age_s)]
        return [Delete(RESOURCE_POOL_STATUS_REQUESTS, "", key.name, uid=uid_of(request))]
    driver, wanted = text(request, "spec", "driver"), text(request, "spec", "poolName")
    pools = _pools(view, driver, wanted)
    limit = int(part(request, "spec").get("limit") or LIMIT_DEFAULT)
    listed = [_status(view, driver, name, pools[name]) for name in sorted(pools)][:limit]
    incomplete = sum("validationError" in pool for pool in listed)
    message = f"Calculated status for {len(listed)} pools"
    complete: Obj = {
        "type": "Complete",
        "status": "True",
        "reason": "CalculationComplete",
        "message": f"{message} ({incomplete} incomplete)" if incomplete else message,
        "lastTransitionTime": rfc3339(now_ns),
    }
    status: Obj = {"poolCount": len(pools), "pools": listed, "conditions": [complete]}
    change: Obj = {"status": status}
    return [
        Patch(
            RESOURCE_POOL_STATUS_REQUESTS,
            "",
            name_of(request),
            change,
            "status",
            uid=uid_of(request),
        )
    ]


def _pools(view: View, driver: str, wanted: str) -> dict[str, list[Obj]]:
    """The driver's pools by name: the slices of the newest generation of each."""
    found: dict[str, list[Obj]] = {}
    for item in view.all(RESOURCE_SLICES).values():
        pool = text(item, "spec", "pool", "name")
        if text(item, "spec", "driver") == driver and wanted in ("", pool):
            found.setdefault(pool, []).append(item)
    for pool, slices in found.items():
        newest = max(_generation(item) for item in slices)
        found[pool] = [item for item in slices if _generation(item) == newest]
    return found


def _generation(item: Obj) -> int:
    return int(part(item, "spec", "pool").get("generation") or 0)


def _status(view: View, driver: str, pool: str, slices: list[Obj]) -> Obj:
    generation = _generation(slices[0])
    expected = int(part(slices[0], "spec", "pool").get("resourceSliceCount") or 0)
    status: Obj = {"driver": driver, "poolName": pool, "generation": generation}
    nodes = {text(item, "spec", "nodeName") for item in slices}
    if len(nodes) == 1 and "" not in nodes:
        status["nodeName"] = nodes.pop()
    if len(slices) < expected:
        error = (
            f"pool {driver}/{pool} is incomplete: observed {len(slices)}/{expected} slices at "
            f"generation {generation}"
        )
        return {**status, "validationError": error[:ERROR_BYTES_MAX]}
    devices = [device for item in slices for device in entries(item, "spec", "devices")]
    allocated = _allocated(view, driver, pool) & {str(device["name"]) for device in devices}
    kept = _kept_away(view, driver, pool, devices) - allocated
    return {
        **status,
        "resourceSliceCount": len(slices),
        "totalDevices": len(devices),
        "allocatedDevices": len(allocated),
        "availableDevices": len(devices) - len(allocated) - len(kept),
        "unavailableDevices": len(kept),
    }


def _allocated(view: View, driver: str, pool: str) -> set[str]:
    return {
        str(result["device"])
        for claim in view.all(RESOURCE_CLAIMS).values()
        for result in results_of(claim)
        if (result["driver"], result["pool"]) == (driver, pool) and not result.get("adminAccess")
    }


def _kept_away(view: View, driver: str, pool: str, devices: Iterable[Obj]) -> set[str]:
    """Devices with a taint of their driver or of a rule that claims have to tolerate."""
    rules = [
        rule
        for rule in view.all(DEVICE_TAINT_RULES).values()
        if text(rule, "spec", "taint", "effect") in _KEEPS_AWAY
    ]
    found: set[str] = set()
    for device in devices:
        place: Obj = {"driver": driver, "pool": pool, "device": device["name"]}
        tainted = any(t.get("effect") in _KEEPS_AWAY for t in device.get("taints") or ())
        if tainted or any(selects(rule, place) for rule in rules):
            found.add(str(device["name"]))
    return found


CONTROLLER = Controller(
    name="resource-pool-status",
    resource=RESOURCE_POOL_STATUS_REQUESTS,
    reconcile=reconcile,
    reads=(RESOURCE_SLICES, RESOURCE_CLAIMS, DEVICE_TAINT_RULES),
)
