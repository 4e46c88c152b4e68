"""Which devices a claim holds alone."""

from __future__ import annotations

from mizzen.base.objects import Obj

DeviceId = tuple[str, str, str]  # driver, pool, device


def devices_held(claim: Obj) -> frozenset[DeviceId]:
    """The devices of `status.allocation` that nobody else may hold.

    Not among them: devices looked after with admin access, and shares of a device (KEP-5018, 5075).
    """
    found: Obj = claim.get("status") or {}
    for field in ("allocation", "devices"):
        found = found.get(field) or {}
    return frozenset(
        (result["driver"], result["pool"], result["device"])
        for result in found.get("results") or ()
        if not result.get("adminAccess") and not result.get("shareID")
    )
