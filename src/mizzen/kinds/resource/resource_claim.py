"""ResourceClaim: devices wanted, and the devices given."""

from __future__ import annotations

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import RESOURCE_CLAIMS
from mizzen.kinds.columns import AGE, NAME
from mizzen.kinds.kind import Column, Kind
from mizzen.kinds.meta import root
from mizzen.kinds.reading import part
from mizzen.kinds.resource.claim_rules import (
    check_claim_spec,
    check_spec_frozen,
    default_claim_spec,
)
from mizzen.kinds.resource.devices import (
    ALLOCATION,
    CLAIM_SPEC,
    CONSUMER,
    DEVICE_STATUS,
    RESERVED_MAX,
)
from mizzen.kinds.resource.result_rules import check_claim_status
from mizzen.kinds.schema import array, package
from mizzen.kinds.subresource import STATUS_SUBRESOURCE
from mizzen.kinds.treatment import acted

v1 = package("io.k8s.api.resource.v1")


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    if old is not None:
        return check_spec_frozen(new, old)
    return check_claim_spec(new["spec"], "spec")


def state(claim: Obj, now_ns: int) -> str:
    """The state that kubectl shows: "deleted,allocated,reserved" or "pending"."""
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
    validate_status=check_claim_status,
    subresources=(STATUS_SUBRESOURCE,),
    columns=(NAME, Column("State", state, description="pending, allocated, reserved."), AGE),
)

SERVED_FIELDS = {
    "resource.v1.ResourceClaim": acted("scheduler", "spec"),
}
