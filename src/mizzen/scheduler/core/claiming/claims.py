"""ResourceClaims read into the scheduler's values."""

from __future__ import annotations

from mizzen.base.objects import Obj, controller_of, is_terminating, key_of, uid_of
from mizzen.scheduler.core.claiming.binding_conditions import read_binding
from mizzen.scheduler.core.dra.claim_spec import read_allocation, read_request
from mizzen.scheduler.core.dra.wire import part
from mizzen.scheduler.core.types import Claim, Consumer

# -- claims and classes -----------------------------------------------------------------


def claim_view(claim: Obj) -> Claim:
    status = part(claim, "status")
    owner = controller_of(claim)
    given = part(status, "allocation")
    key, allocation = key_of(claim), read_allocation(given) if given else None
    return Claim(
        key=key,
        uid=uid_of(claim),
        resource_version=claim["metadata"].get("resourceVersion") or "",
        request=read_request(claim["spec"]),
        allocation=allocation,
        reserved_for=tuple(
            Consumer(e["name"], e["uid"], e.get("resource") or "pods", e.get("apiGroup") or "")
            for e in status.get("reservedFor") or ()
        ),
        owner_uid=owner["uid"] if owner else "",
        is_terminating=is_terminating(claim),
        finalizers=tuple(claim["metadata"].get("finalizers") or ()),
        binding=read_binding(key, status, allocation),
    )
