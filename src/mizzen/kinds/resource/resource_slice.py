"""ResourceSlice: a part of the devices of a pool, as their driver publishes them."""

from __future__ import annotations

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import RESOURCE_SLICES
from mizzen.kinds.columns import AGE, NAME, of
from mizzen.kinds.core.references import NODE_SELECTOR
from mizzen.kinds.kind import Column, Kind
from mizzen.kinds.meta import root
from mizzen.kinds.metadata import immutable
from mizzen.kinds.reading import entries, part
from mizzen.kinds.resource.device_rules import (
    PLACES,
    check_counter_set,
    check_device,
    check_place,
    is_rich,
)
from mizzen.kinds.resource.devices import COUNTER_SET, DEVICE, POOL
from mizzen.kinds.resource.rules import check_driver, check_pool, check_unique, too_many
from mizzen.kinds.schema import BOOL, STR, array, package
from mizzen.kinds.treatment import acted

v1 = package("io.k8s.api.resource.v1")

DEVICES_MAX = 128
RICH_DEVICES_MAX = 64  # where any device has taints, counters or list attributes


def _default(item: Obj) -> None:
    """One per device where a mapping to a node resource does not say how much; in place."""
    for device in entries(item, "spec.devices"):
        for mapping in part(device, "nodeAllocatableResourceMappings").values():
            mapping.setdefault("allocationMultiplier", "1")


def _stamp(new: Obj, old: Obj | None, now: str) -> None:
    """A taint that does not say since when is of now; in place."""
    for device in entries(new, "spec.devices"):
        for taint in entries(device, "taints"):
            taint.setdefault("timeAdded", now)


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    spec = new["spec"]
    causes = check_driver(spec["driver"], "spec.driver")
    causes += check_pool(spec["pool"]["name"], "spec.pool.name")
    if old is not None:
        causes += immutable(new, old, "spec.driver", "spec.nodeName", "spec.pool.name")
    causes += check_place(spec, "spec", (*PLACES, "perDeviceNodeSelection"))
    terms = entries(spec, "nodeSelector.nodeSelectorTerms")
    if "nodeSelector" in spec and len(terms) != 1:
        message = "Invalid value: [...]: must have exactly one node selector term"
        causes.append(Cause("spec.nodeSelector.nodeSelectorTerms", message))
    devices, sets = entries(spec, "devices"), entries(spec, "sharedCounters")
    if "devices" in spec and "sharedCounters" in spec:
        message = "Invalid value: only one of `sharedCounters` or `devices` is allowed"
        causes.append(Cause("spec", message))
    most = RICH_DEVICES_MAX if any(is_rich(device) for device in devices) else DEVICES_MAX
    if len(devices) > most:
        return [*causes, too_many("spec.devices", len(devices), most)]
    placed = bool(spec.get("perDeviceNodeSelection"))
    for index, device in enumerate(devices):
        causes += check_device(device, f"spec.devices[{index}]", placed=placed)
    causes += check_unique([d["name"] for d in devices], lambda i: f"spec.devices[{i}].name")
    for index, item in enumerate(sets):
        causes += check_counter_set(item, f"spec.sharedCounters[{index}]")
    return causes + check_unique([c["name"] for c in sets], lambda i: f"spec.sharedCounters[{i}]")


KIND = Kind(
    resource=RESOURCE_SLICES,
    schema=root(
        RESOURCE_SLICES,
        "A part of the devices of a pool.",
        "io.k8s.api.resource.v1.ResourceSlice",
        spec=v1(
            "ResourceSliceSpec",
            "The devices and where they are.",
            driver=STR("Name of the driver.", required=True),
            pool=POOL("The pool.", required=True),
            nodeName=STR("The node they are on."),
            nodeSelector=NODE_SELECTOR("The nodes that reach them."),
            allNodes=BOOL("Every node reaches them."),
            perDeviceNodeSelection=BOOL("Each device says where it is."),
            devices=array(DEVICE)("The devices.", max_items=DEVICES_MAX),
            sharedCounters=array(COUNTER_SET)("Amounts that devices share.", max_items=8),
        )("The devices and where they are.", required=True),
    ),
    default=_default,
    stamp=_stamp,
    validate=_validate,
    selectable_fields=("spec.nodeName", "spec.driver"),
    columns=(
        NAME,
        Column("Node", of("spec.nodeName", "<unset>")),
        Column("Driver", of("spec.driver")),
        Column("Pool", of("spec.pool.name")),
        AGE,
    ),
)

SERVED_FIELDS = {
    "resource.v1.ResourceSlice": acted("scheduler", "spec"),
    "resource.v1.ResourceSliceSpec": acted(
        "scheduler",
        "driver pool nodeName nodeSelector allNodes perDeviceNodeSelection devices sharedCounters",
    ),
}
