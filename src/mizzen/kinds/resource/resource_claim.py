"""ResourceClaim: devices wanted, and the devices given."""

from __future__ import annotations

from typing import Any

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import RESOURCE_CLAIMS
from mizzen.kinds.columns import AGE, NAME
from mizzen.kinds.kind import Column, Kind
from mizzen.kinds.meta import root
from mizzen.kinds.reading import entries, part
from mizzen.kinds.resource.claim_rules import (
    check_claim_spec,
    check_driver,
    check_spec_frozen,
    default_claim_spec,
    required,
)
from mizzen.kinds.resource.devices import (
    ALLOCATION,
    CLAIM_SPEC,
    CONSUMER,
    DEVICE_STATUS,
    RESERVED_MAX,
)
from mizzen.kinds.schema import array, package

v1 = package("io.k8s.api.resource.v1")


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    if old is not None:
        return check_spec_frozen(new, old)
    return check_claim_spec(new["spec"], "spec")


def _validate_status(new: Obj, old: Obj | None) -> list[Cause]:
    """Source: `validateResourceClaimStatusUpdate`."""
    status: Obj = part(new, "status")
    before: Obj = (old or {}).get("status") or {}
    causes: list[Cause] = []
    allocation, earlier = status.get("allocation"), before.get("allocation")
    reserved = entries(status, "reservedFor")
    if allocation is not None:
        for index, result in enumerate(entries(allocation["devices"], "results")):
            path = f"status.allocation.devices.results[{index}]"
            causes += check_driver(result["driver"], f"{path}.driver")
            causes += [required(f"{path}.{n}") for n in ("pool", "device") if not result[n]]
        if earlier is not None and allocation != earlier:
            message = "Invalid value: {...}: field is immutable"
            causes.append(Cause("status.allocation", message))
    elif reserved:
        message = "Forbidden: may not be specified when `allocated` is not set"
        causes.append(Cause("status.reservedFor", message, "FieldValueForbidden"))
    added = {c["uid"] for c in reserved} - {c["uid"] for c in entries(before, "reservedFor")}
    if added and new["metadata"].get("deletionTimestamp"):
        message = "Forbidden: new entries may not be added while `deletionTimestamp` is set"
        causes.append(Cause("status.reservedFor", message, "FieldValueForbidden"))
    return causes + _check_devices(entries(status, "devices"), allocation)


def _check_devices(devices: list[Obj], allocation: Any) -> list[Cause]:
    """A driver may describe allocated devices only."""
    given = {
        (r["driver"], r["pool"], r["device"], r.get("shareID"))
        for r in entries(allocation, "devices.results")
    }
    return [
        Cause(f"status.devices[{index}]", "Invalid value: {...}: must be an allocated device in the claim")
        for index, d in enumerate(devices)
        if (d["driver"], d["pool"], d["device"], d.get("shareID")) not in given
    ]  # fmt: skip


def state(claim: Obj, now_ns: int) -> str:
    """What kubectl shows: "deleted,allocated,reserved" or "pending"."""
    words: list[str] = []
    status = part(claim, "status")
    if claim["metadata"].get("deletionTimestamp"):
        words.append("deleted")
    if "allocation" not in status:
        if not claim["metadata"].get("deletionTimestamp"):
            words.append("pending")
    else:
        words.append("allocated")
        if status.get("reservedFor"):
            words.append("reserved")
    return ",".join(words)


KIND = Kind(
    resource=RESOURCE_CLAIMS,
    generation=False,
    schema=root(
        RESOURCE_CLAIMS,
        "Devices wanted, and the devices given.",
        "io.k8s.api.resource.v1.ResourceClaim",
        spec=CLAIM_SPEC("What is wanted; cannot change.", required=True),
        status=v1(
            "ResourceClaimStatus",
            "What was given.",
            allocation=ALLOCATION("The devices; set by the scheduler."),
            reservedFor=array(CONSUMER, key="uid")(
                "Who may use them now.", max_items=RESERVED_MAX, unique=True
            ),
            devices=array(DEVICE_STATUS, keys=("driver", "device", "pool", "shareID"))(
                "What the drivers say of them.", unique=True
            ),
        ),
    ),
    default=lambda claim: default_claim_spec(part(claim, "spec")),
    validate=_validate,
    validate_status=_validate_status,
    subresources=frozenset({"status"}),
    columns=(NAME, Column("State", state, description="pending, allocated, reserved."), AGE),
)
