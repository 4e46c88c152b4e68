"""Checks of what claims were given: allocation, reservations, what drivers say of the devices.

Source: pkg/apis/resource/validation/validation.go `validateResourceClaimStatusUpdate`, 1.36.
"""

from __future__ import annotations

import ipaddress

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.quantity import parse
from mizzen.kinds.core.placement_rules import check_node_selector
from mizzen.kinds.names import invalid_value
from mizzen.kinds.reading import entries, part
from mizzen.kinds.resource.claim_rules import check_references, request_names
from mizzen.kinds.resource.rules import (
    check_binding,
    check_driver,
    check_name,
    check_opaque,
    check_pool,
    check_qualified,
    check_raw,
    check_toleration,
    check_uid,
    check_unique,
    forbidden,
    required,
)

DeviceShare = tuple[str, str, str, str | None]  # driver, pool, device, share


def check_claim_status(new: Obj, old: Obj | None) -> list[Cause]:
    """Causes to refuse a status; an allocation that is already there may only be taken back."""
    status: Obj = part(new, "status")
    before: Obj = (old or {}).get("status") or {}
    causes: list[Cause] = []
    allocation, earlier = status.get("allocation"), before.get("allocation")
    if allocation is not None and earlier is not None:
        if allocation != earlier:
            message = "Invalid value: {...}: field is immutable"
            causes.append(Cause("status.allocation", message))
    elif allocation is not None:
        causes += _check_allocation(allocation, "status.allocation", request_names(new["spec"]))
    causes += _check_reserved(new, status, before)
    return causes + _check_devices(entries(status, "devices"), allocation)


def _check_reserved(claim: Obj, status: Obj, before: Obj) -> list[Cause]:
    path = "status.reservedFor"
    reserved = entries(status, "reservedFor")
    causes = [
        required(f"{path}[{index}].{field}")
        for index, consumer in enumerate(reserved)
        for field in ("resource", "name", "uid")
        if not consumer[field]
    ]
    if reserved and status.get("allocation") is None:
        message = "may not be specified when `allocated` is not set"
        return [*causes, forbidden(path, message)]
    added = [c for c in reserved if c not in entries(before, "reservedFor")]
    if added and claim["metadata"].get("deletionTimestamp"):
        message = (
            "new entries may not be added while `deallocationRequested` or `deletionTimestamp` "
            "are set"
        )
        causes.append(forbidden(path, message))
    return causes


def _check_allocation(allocation: Obj, path: str, names: set[str]) -> list[Cause]:
    causes: list[Cause] = []
    results = entries(allocation, "devices.results")
    for index, result in enumerate(results):
        causes += _check_result(result, f"{path}.devices.results[{index}]", names)
    for index, config in enumerate(entries(allocation, "devices.config")):
        here = f"{path}.devices.config[{index}]"
        causes += check_references(entries(config, "requests"), f"{here}.requests", names)
        causes += check_opaque(config, here)
    selector = allocation.get("nodeSelector")
    if selector is not None:
        causes += check_node_selector(selector, f"{path}.nodeSelector")
    return causes


def _check_result(result: Obj, path: str, names: set[str]) -> list[Cause]:
    causes = check_references([result["request"]], f"{path}.request", names)
    causes += check_driver(result["driver"], f"{path}.driver")
    causes += check_pool(result["pool"], f"{path}.pool")
    causes += check_name(result["device"], f"{path}.device")
    causes += check_binding(result, path)
    if result.get("shareID") is not None:
        causes += check_uid(result["shareID"], f"{path}.shareID")
    for index, toleration in enumerate(entries(result, "tolerations")):
        causes += check_toleration(toleration, f"{path}.tolerations[{index}]")
    for name, value in part(result, "consumedCapacity").items():
        here = f"{path}.consumedCapacity[{name}]"
        causes += check_qualified(name, here)
        if parse(value) < 0:
            causes.append(invalid_value(here, value, "must be greater than or equal to 0"))
    return causes


def _share(device: Obj) -> DeviceShare:
    return (device["driver"], device["pool"], device["device"], device.get("shareID"))


def _check_devices(devices: list[Obj], allocation: Obj | None) -> list[Cause]:
    """A driver may describe allocated devices only, each once."""
    given = {_share(result) for result in entries(allocation or {}, "devices.results")}
    causes = check_unique(
        ["/".join(part for part in _share(d) if part) for d in devices],
        lambda index: f"status.devices[{index}]",
    )
    for index, device in enumerate(devices):
        path = f"status.devices[{index}]"
        causes += check_driver(device["driver"], f"{path}.driver")
        causes += check_pool(device["pool"], f"{path}.pool")
        causes += check_name(device["device"], f"{path}.device")
        if device.get("shareID") is not None:
            causes += check_uid(device["shareID"], f"{path}.shareID")
        if _share(device) not in given:
            named = "/".join(part for part in _share(device) if part)
            causes.append(invalid_value(path, named, "must be an allocated device in the claim"))
        if device.get("data"):
            causes += check_raw(device["data"], f"{path}.data")
        causes += _check_addresses(part(device, "networkData"), f"{path}.networkData")
    return causes


def _check_addresses(data: Obj, path: str) -> list[Cause]:
    """Addresses are written as the interface has them: canonical, with a prefix length."""
    causes: list[Cause] = []
    ips: list[str] = data.get("ips") or []
    for index, text in enumerate(ips):
        here = f"{path}.ips[{index}]"
        try:
            canonical = str(ipaddress.ip_interface(text)) if "/" in text else ""
        except ValueError:
            canonical = ""
        if not canonical:
            message = "must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)"
            causes.append(invalid_value(here, text, message))
        elif canonical != text:
            message = f'must be in canonical form ("{canonical}")'
            causes.append(invalid_value(here, text, message))
    return causes + check_unique(ips, lambda i: f"{path}.ips[{i}]")
