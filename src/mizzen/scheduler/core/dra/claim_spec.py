"""ResourceClaims, DeviceClasses and allocations as they stand, read into values.

With `defaults` a request says what the API server would fill in (ExactCount, one device); without,
it is taken as written, as upstream's allocator does.
Source: k8s.io/api/resource/v1 ResourceClaim and DeviceClass, v0.36.
"""

from __future__ import annotations

from typing import Any

from mizzen.base.objects import Obj
from mizzen.scheduler.core.dra import quantity
from mizzen.scheduler.core.dra.model import (
    Allocation,
    ClaimRequest,
    Constraint,
    DeviceClass,
    DeviceId,
    DeviceRequest,
    DeviceResult,
    DistinctAttribute,
    MatchAttribute,
    SubRequest,
)
from mizzen.scheduler.core.dra.wire import (
    flag,
    name_of,
    number,
    objects,
    part,
    read_selector,
    read_tolerations,
    required,
    strings,
    text,
)


def read_request(spec: Obj, *, defaults: bool = True) -> ClaimRequest:
    """A claim's `spec`. Errors: KeyError, TypeError, ValueError when it is not one."""
    devices = part(spec, "devices")
    return ClaimRequest(
        requests=tuple(_request(entry, defaults) for entry in objects(devices, "requests")),
        constraints=tuple(_constraint(entry) for entry in objects(devices, "constraints")),
        config=_configs(devices),
    )


def _configs(obj: Obj) -> tuple[Obj, ...]:
    """Configuration of drivers, carried along as it is; only its frame must be right."""
    found = objects(obj, "config")
    for entry in found:
        text(part(entry, "opaque"), "driver")
        strings(entry, "requests")
    return tuple(found)


def _request(entry: Obj, defaults: bool) -> DeviceRequest:
    name = name_of(entry)
    subs = objects(entry, "firstAvailable")
    if subs:
        listed = tuple(_sub_request(f"{name}/{name_of(s)}", s, defaults) for s in subs)
        return DeviceRequest(name, listed, is_list=True)
    if entry.get("exactly") is None:
        return DeviceRequest(name, ())
    return DeviceRequest(name, (_sub_request(name, part(entry, "exactly"), defaults),))


def _sub_request(name: str, body: Obj, defaults: bool) -> SubRequest:
    mode = text(body, "allocationMode") or ("ExactCount" if defaults else "")
    count = number(body, "count")
    wanted = body.get("capacity")
    return SubRequest(
        name=name,
        device_class=text(body, "deviceClassName"),
        selectors=_expressions(body),
        count=count or (1 if defaults and mode == "ExactCount" else 0),
        all_devices=mode == "All",
        tolerations=read_tolerations(objects(body, "tolerations")),
        capacity=None if wanted is None else _amounts(part(body, "capacity")),
        admin=flag(body, "adminAccess"),
        strange_mode=None if mode in ("ExactCount", "All") else mode,
    )


def _amounts(capacity: Obj) -> tuple[tuple[str, quantity.Quantity], ...]:
    return tuple((n, quantity.parse(q)) for n, q in part(capacity, "requests").items())


def _expressions(body: Obj) -> tuple[str | None, ...]:
    return tuple(
        None if selector.get("cel") is None else text(part(selector, "cel"), "expression")
        for selector in objects(body, "selectors")
    )


def _constraint(entry: Obj) -> Constraint:
    requests = strings(entry, "requests")
    if entry.get("matchAttribute") is not None:
        return MatchAttribute(text(entry, "matchAttribute"), requests)
    if entry.get("distinctAttribute") is not None:
        return DistinctAttribute(text(entry, "distinctAttribute"), requests)
    return None


def read_class(obj: Obj) -> DeviceClass:
    """A DeviceClass. Errors: as above."""
    spec = part(obj, "spec")
    return DeviceClass(
        name=name_of(part(obj, "metadata")),
        selectors=_expressions(spec),
        config=_configs(spec),
        extended_resource=text(spec, "extendedResourceName"),
    )


def read_allocation(allocation: Obj) -> Allocation:
    """`status.allocation` of a claim."""
    devices = part(allocation, "devices")
    selector = part(allocation, "nodeSelector")
    return Allocation(
        results=tuple(_result(entry) for entry in objects(devices, "results")),
        selector=read_selector(selector) if selector else None,
        config=_configs(devices),
    )


def _result(entry: dict[str, Any]) -> DeviceResult:
    share = text(entry, "shareID")
    consumed = part(entry, "consumedCapacity")
    return DeviceResult(
        request=required(entry, "request"),
        id=DeviceId(*(required(entry, name) for name in ("driver", "pool", "device"))),
        admin=bool(flag(entry, "adminAccess")),
        tolerations=read_tolerations(objects(entry, "tolerations")),
        bindings=strings(entry, "bindingConditions"),
        binding_failures=strings(entry, "bindingFailureConditions"),
        shared=bool(share),
        share=share,
        consumed=tuple((n, quantity.parse(q)) for n, q in consumed.items()),
    )
