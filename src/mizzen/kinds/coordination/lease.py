"""Lease: who holds something, and since when. Leader election and heartbeats."""

from __future__ import annotations

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import LEASES
from mizzen.kinds.columns import AGE, NAME, of
from mizzen.kinds.kind import Column, Kind
from mizzen.kinds.meta import root
from mizzen.kinds.reading import part
from mizzen.kinds.schema import INT32, MICRO_TIME, STR, package
from mizzen.kinds.treatment import accepted, acted

v1 = package("io.k8s.api.coordination.v1")


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    spec = part(new, "spec")
    if spec.get("preferredHolder") and not spec.get("strategy"):
        message = "Forbidden: must be empty if `strategy` is not set"
        return [Cause("spec.preferredHolder", message, "FieldValueForbidden")]
    return []


def _without_strategy(lease: Obj) -> None:
    """Upstream drops what its gate CoordinatedLeaderElection keeps from being used."""
    spec = part(lease, "spec")
    for name in ("strategy", "preferredHolder"):
        spec.pop(name, None)


KIND = Kind(
    resource=LEASES,
    generation=False,
    schema=root(
        LEASES,
        "Who holds something, and since when.",
        "io.k8s.api.coordination.v1.Lease",
        spec=v1(
            "LeaseSpec",
            "The lease.",
            holderIdentity=STR("Who holds it."),
            leaseDurationSeconds=INT32("How long it holds without renewal.", minimum=1),
            acquireTime=MICRO_TIME("Since when it is held."),
            renewTime=MICRO_TIME("When it was last renewed."),
            leaseTransitions=INT32("How often it changed hands.", minimum=0),
            strategy=STR("How the holder is chosen."),
            preferredHolder=STR("Who should hold it."),
        )("The lease.", default={}),
    ),
    complete=_without_strategy,
    validate=_validate,
    columns=(NAME, Column("Holder", of("spec.holderIdentity")), AGE),
)

SERVED_FIELDS = {
    "coordination.v1.Lease": acted("node controllers", "spec"),
    "coordination.v1.LeaseSpec": {
        **acted("node controllers compose client", "holderIdentity leaseDurationSeconds renewTime"),
        **accepted("acquireTime leaseTransitions strategy preferredHolder",
                    "for those who hold leases to agree upon"),
    },
}  # fmt: skip
