"""ResourceSlice: a part of the devices of a pool, as their driver publishes them."""

from __future__ import annotations

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.quantity import parse
from mizzen.base.resources import RESOURCE_SLICES
from mizzen.kinds.columns import AGE, NAME, of
from mizzen.kinds.core.references import NODE_SELECTOR
from mizzen.kinds.kind import Column, Kind
from mizzen.kinds.meta import root
from mizzen.kinds.metadata import immutable
from mizzen.kinds.names import dns_label, invalid_value
from mizzen.kinds.reading import entries, part
from mizzen.kinds.resource.claim_rules import check_driver, check_qualified, required
from mizzen.kinds.resource.devices import COUNTER_SET, DEVICE, POOL
from mizzen.kinds.schema import BOOL, STR, array, package

v1 = package("io.k8s.api.resource.v1")

DEVICES_MAX = 128
RICH_DEVICES_MAX = 64  # where any device has taints, counters or list attributes
PROPERTIES_MAX = 32  # attributes and capacities of a device
_PLACES = ("nodeName", "nodeSelector", "allNodes")
_VALUES = ("int", "bool", "string", "version", "ints", "bools", "strings", "versions")


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    spec = new["spec"]
    causes = check_driver(spec["driver"], "spec.driver")
    if not spec["pool"]["name"]:
        causes.append(required("spec.pool.name"))
    if old is not None:
        causes += immutable(new, old, "spec.driver", "spec.nodeName", "spec.pool.name")
    causes += _check_place(spec, "spec", (*_PLACES, "perDeviceNodeSelection"))
    devices = entries(spec, "devices")
    if devices and spec.get("sharedCounters"):
        message = "Invalid value: only one of `sharedCounters` or `devices` is allowed"
        causes.append(Cause("spec", message))
    names: set[str] = set()
    for index, device in enumerate(devices):
        path = f"spec.devices[{index}]"
        if device["name"] in names:
            message = f'Duplicate value: "{device["name"]}"'
            causes.append(Cause(f"{path}.name", message, "FieldValueDuplicate"))
        names.add(device["name"])
        causes += _check_device(device, path, bool(spec.get("perDeviceNodeSelection")))
    if any(_is_rich(d) for d in devices) and len(devices) > RICH_DEVICES_MAX:
        message = (
            f"Too many: {len(devices)}: must have at most {RICH_DEVICES_MAX} items when taints, "
            "counters or list attributes are used"
        )
        causes.append(Cause("spec.devices", message, "FieldValueTooMany"))
    return causes


def _is_rich(device: Obj) -> bool:
    lists = any(a.keys() & {"ints", "bools", "strings", "versions"}
                for a in part(device, "attributes").values())  # fmt: skip
    return bool(device.get("taints") or device.get("consumesCounters") or lists)


def _check_place(spec: Obj, path: str, fields: tuple[str, ...]) -> list[Cause]:
    found = [name for name in fields if spec.get(name)]
    if len(found) == 1:
        return []
    listed = ", ".join(f"`{name}`" for name in fields)
    if found:
        message = f"Invalid value: exactly one of {listed} is required, but multiple fields are set"
        return [Cause(path, message)]
    return [required(path, f"exactly one of {listed} is required")]


def _check_device(device: Obj, path: str, placed: bool) -> list[Cause]:
    causes: list[Cause] = []
    problem = dns_label(device["name"])
    if problem:
        causes.append(invalid_value(f"{path}.name", device["name"], problem))
    if placed:
        causes += _check_place(device, path, _PLACES)
    attributes, capacity = part(device, "attributes"), part(device, "capacity")
    for name, value in attributes.items():
        at = f"{path}.attributes[{name}]"
        causes += check_qualified(name, at)
        if sum(kind in value for kind in _VALUES) != 1:
            causes.append(required(at, "exactly one value must be specified"))
    for name, value in capacity.items():
        at = f"{path}.capacity[{name}]"
        causes += check_qualified(name, at)
        if parse(value["value"]) < 0:
            causes.append(invalid_value(at, value["value"], "must not be negative"))
        if "requestPolicy" in value and not device.get("allowMultipleAllocations"):
            message = "Forbidden: requestPolicy needs allowMultipleAllocations"
            causes.append(Cause(f"{at}.requestPolicy", message, "FieldValueForbidden"))
    if len(attributes) + len(capacity) > PROPERTIES_MAX:
        message = (
            f"Too many: {len(attributes) + len(capacity)}: attributes and capacities together "
            f"must have at most {PROPERTIES_MAX} items"
        )
        causes.append(Cause(path, message, "FieldValueTooMany"))
    return causes


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
