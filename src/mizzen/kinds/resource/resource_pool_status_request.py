"""ResourcePoolStatusRequest: how full the pools of a driver are, answered once.

Source: resource.k8s.io/v1alpha3, Kubernetes 1.36 (gate DRAResourcePoolStatus).
"""

from __future__ import annotations

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import RESOURCE_POOL_STATUS_REQUESTS
from mizzen.kinds.columns import AGE, NAME, of
from mizzen.kinds.kind import Column, Kind
from mizzen.kinds.meta import CONDITIONS, root
from mizzen.kinds.metadata import immutable
from mizzen.kinds.resource.rules import check_driver, check_pool
from mizzen.kinds.schema import INT32, INT64, STR, Schema, array, package
from mizzen.kinds.subresource import STATUS_SUBRESOURCE
from mizzen.kinds.treatment import acted

v1alpha3 = package("io.k8s.api.resource.v1alpha3")

POOLS_MAX = 1000
POOLS_DEFAULT = 100


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    spec = new["spec"]
    if old is not None:
        return immutable(new, old, "spec")
    causes = check_driver(spec["driver"], "spec.driver")
    return causes + check_pool(spec["poolName"], "spec.poolName") if "poolName" in spec else causes


def _validate_status(new: Obj, old: Obj | None) -> list[Cause]:
    """An answer is given once. Whoever wants a newer one asks again with a new object."""
    answered = (old or {}).get("status")
    if answered and new.get("status") != answered:
        return [Cause("status", "Invalid value: {...}: field is immutable")]
    return []


def _count(description: str, *, least: int = 0) -> Schema:
    return INT32(description, minimum=least)


KIND = Kind(
    resource=RESOURCE_POOL_STATUS_REQUESTS,
    schema=root(
        RESOURCE_POOL_STATUS_REQUESTS,
        "Asks how full the pools of a driver are; answered once.",
        "io.k8s.api.resource.v1alpha3.ResourcePoolStatusRequest",
        spec=v1alpha3(
            "ResourcePoolStatusRequestSpec",
            "Which pools; cannot change.",
            driver=STR("The driver.", required=True),
            poolName=STR("One pool; absent: all of the driver."),
            limit=INT32(
                "Most pools in the answer.", minimum=1, maximum=POOLS_MAX, default=POOLS_DEFAULT
            ),
        )("Which pools; cannot change.", required=True),
        status=v1alpha3(
            "ResourcePoolStatusRequestStatus",
            "The answer.",
            poolCount=_count("Pools that match, those beyond the limit included."),
            pools=array(
                v1alpha3(
                    "PoolStatus",
                    "One pool.",
                    driver=STR("The driver.", required=True),
                    poolName=STR("The pool.", required=True),
                    generation=INT64("Its newest generation.", required=True, minimum=0),
                    resourceSliceCount=_count("Its slices, once all are there.", least=1),
                    totalDevices=_count("Devices in it."),
                    allocatedDevices=_count("Devices that claims hold."),
                    availableDevices=_count("Devices that may be allocated."),
                    unavailableDevices=_count("Devices that neither hold nor may be held."),
                    nodeName=STR("The node they are on, when it is one."),
                    validationError=STR("Why it cannot be used.", max_length=256),
                )
            )("The pools, by driver and name.", max_items=POOLS_MAX),
            conditions=CONDITIONS("Complete, Failed.", max_items=10),
        ),
    ),
    validate=_validate,
    validate_status=_validate_status,
    subresources=(STATUS_SUBRESOURCE,),
    columns=(
        NAME,
        Column("Driver", of("spec.driver")),
        Column("Pools", of("status.poolCount", "")),
        AGE,
    ),
)

SERVED_FIELDS = {
    "resource.v1alpha3.ResourcePoolStatusRequest": acted("controllers", "spec"),
    "resource.v1alpha3.ResourcePoolStatusRequestSpec": acted(
        "controllers", "driver poolName limit"
    ),
}
