"""ResourceClaims, DeviceClasses and ResourceSlices read into the scheduler's values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mizzen.base import names, quantity
from mizzen.base.objects import Obj, controller_of, is_terminating, key_of, uid_of
from mizzen.scheduler.core.types import (
    Allocation,
    AttributeValue,
    Claim,
    ClaimRequest,
    Consumer,
    Device,
    DeviceClass,
    DeviceId,
    DeviceRequest,
    DeviceResult,
    MatchAttribute,
    NodeScope,
    Pool,
    SubRequest,
)
from mizzen.scheduler.core.views import node_selector, part, taints, tolerations

_CORE = f"{names.CPU_DRIVER}/core"


# -- claims and classes -----------------------------------------------------------------


def claim_view(claim: Obj) -> Claim:
    status = part(claim, "status")
    owner = controller_of(claim)
    allocation = part(status, "allocation")
    return Claim(
        key=key_of(claim),
        uid=uid_of(claim),
        resource_version=claim["metadata"].get("resourceVersion") or "",
        request=claim_request(claim["spec"]),
        allocation=_allocation(allocation) if allocation else None,
        reserved_for=tuple(
            Consumer(e["name"], e["uid"])
            for e in status.get("reservedFor") or ()
            if e.get("resource", "pods") == "pods"
        ),
        owner_uid=owner["uid"] if owner else "",
        is_terminating=is_terminating(claim),
        finalizers=tuple(claim["metadata"].get("finalizers") or ()),
    )


def claim_request(spec: Obj) -> ClaimRequest:
    """A claim's `spec`, with the first part we cannot honour yet named in `unsupported`."""
    devices = part(spec, "devices")
    unsupported = ""
    requests: list[DeviceRequest] = []
    for entry in devices.get("requests") or ():
        name = entry["name"]
        subs = entry.get("firstAvailable")
        listed = [(f"{name}/{s['name']}", s) for s in subs] if subs else [(name, entry)]
        bodies = [(n, body if subs else part(body, "exactly")) for n, body in listed]
        for sub_name, body in bodies:
            for feature in ("adminAccess", "capacity"):
                if body.get(feature):
                    unsupported = unsupported or f"{feature} in request {sub_name}"
        requests.append(DeviceRequest(name, tuple(_sub_request(n, b) for n, b in bodies)))
    constraints: list[MatchAttribute] = []
    for entry in devices.get("constraints") or ():
        if entry.get("matchAttribute"):
            constraints.append(
                MatchAttribute(entry["matchAttribute"], tuple(entry.get("requests") or ()))
            )
        else:
            unsupported = unsupported or "constraint distinctAttribute"
    return ClaimRequest(
        requests=tuple(requests),
        constraints=tuple(constraints),
        config=tuple(devices.get("config") or ()),
        unsupported=unsupported,
    )


def _sub_request(name: str, body: Obj) -> SubRequest:
    return SubRequest(
        name=name,
        device_class=body.get("deviceClassName") or "",
        selectors=_expressions(body),
        count=int(body.get("count") or 1),
        all_devices=body.get("allocationMode") == "All",
        tolerations=tolerations(body.get("tolerations") or ()),
    )


def _expressions(body: Obj) -> tuple[str, ...]:
    selectors = body.get("selectors") or ()
    return tuple(s["cel"]["expression"] for s in selectors if s.get("cel"))


def _allocation(allocation: Obj) -> Allocation:
    devices = part(allocation, "devices")
    selector = part(allocation, "nodeSelector")
    return Allocation(
        results=tuple(
            DeviceResult(r["request"], DeviceId(r["driver"], r["pool"], r["device"]))
            for r in devices.get("results") or ()
        ),
        selector=node_selector(selector) if selector else None,
        config=tuple(devices.get("config") or ()),
    )


def device_class(obj: Obj) -> DeviceClass:
    spec = part(obj, "spec")
    return DeviceClass(
        name=obj["metadata"]["name"],
        selectors=_expressions(spec),
        config=tuple(spec.get("config") or ()),
        extended_resource=spec.get("extendedResourceName") or "",
    )


# -- slices -> pools ---------------------------------------------------------------------------


def pools(slices: Iterable[Obj]) -> tuple[Pool, ...]:
    """All pools by driver, then name: the newest generation of each, its slices by name.

    A pool is unusable (`problem`) while slices are missing or two devices share a name.
    Source: upstream structured allocator, `gatherPools` (see the scheduling fact sheet).
    """
    grouped: dict[tuple[str, str], list[Obj]] = {}
    for item in slices:
        spec: Obj = item["spec"]
        grouped.setdefault((spec["driver"], spec["pool"]["name"]), []).append(item)
    return tuple(_pool(driver, name, grouped[driver, name]) for driver, name in sorted(grouped))


def _pool(driver: str, name: str, slices: Sequence[Obj]) -> Pool:
    newest = max(int(s["spec"]["pool"].get("generation") or 0) for s in slices)
    current = sorted(
        (s for s in slices if int(s["spec"]["pool"].get("generation") or 0) == newest),
        key=lambda s: s["metadata"]["name"],
    )
    devices = [device for item in current for device in _devices(driver, name, item)]
    wanted = int(current[0]["spec"]["pool"].get("resourceSliceCount") or 1)
    problem = ""
    if len(current) < wanted:
        problem = f"{len(current)} of {wanted} slices of generation {newest} are there"
    elif len({device.id for device in devices}) < len(devices):
        problem = f"two devices of generation {newest} have the same name"
    return Pool(driver, name, newest, tuple(devices), problem)


def _devices(driver: str, pool: str, item: Obj) -> Iterable[Device]:
    spec: Obj = item["spec"]
    per_device = bool(spec.get("perDeviceNodeSelection"))
    shared = _scope(spec)
    counters = bool(spec.get("sharedCounters"))
    for entry in spec.get("devices") or ():
        attributes = {
            _qualified(driver, name): _attribute(value)
            for name, value in part(entry, "attributes").items()
        }
        capacity = {
            _qualified(driver, name): str(value["value"])
            for name, value in part(entry, "capacity").items()
        }
        core = attributes.get(_CORE)
        yield Device(
            id=DeviceId(driver, pool, entry["name"]),
            scope=_scope(entry) if per_device else shared,
            attributes=attributes,
            capacity=capacity,
            taints=taints(entry.get("taints") or ()),
            cpu_milli=_cpu_milli(driver, capacity),
            core=(driver, pool, core) if type(core) is int else None,
            unsupported=_unsupported(entry, counters),
        )


def _unsupported(entry: Obj, shares_counters: bool) -> str:
    """The feature that forbids handing this device out as a plain, exclusive one."""
    if shares_counters or entry.get("consumesCounters"):
        return "counters shared with other devices"
    for feature in ("allowMultipleAllocations", "bindingConditions", "bindsToNode"):
        if entry.get(feature):
            return feature
    return ""


def _cpu_milli(driver: str, capacity: Mapping[str, str]) -> int:
    text = capacity.get(f"{names.CPU_DRIVER}/cpu")
    return quantity.to_milli(text) if text and driver == names.CPU_DRIVER else 0


def _scope(spec: Mapping[str, Any]) -> NodeScope:
    selector = part(spec, "nodeSelector")
    return NodeScope(
        node=spec.get("nodeName") or "",
        selector=node_selector(selector) if selector else None,
        all_nodes=bool(spec.get("allNodes")),
    )


def _qualified(driver: str, name: str) -> str:
    """An unqualified attribute or capacity belongs to the driver's domain."""
    return name if "/" in name else f"{driver}/{name}"


def _attribute(value: Obj) -> AttributeValue:
    if "version" in value:
        return ("semver", str(value["version"]))
    for kind in ("string", "int", "bool"):
        if kind in value:
            return value[kind]
    return ""
