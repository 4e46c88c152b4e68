"""ResourceSlices read into values. Devices of one make share one shape.

A published device is mostly the same as its neighbours; reading one whose make is known costs a
look-up. Source: k8s.io/api/resource/v1 ResourceSlice, v0.36.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mizzen.base import names
from mizzen.base.objects import Obj
from mizzen.scheduler.core.dra import quantity
from mizzen.scheduler.core.dra.model import (
    Attribute,
    AttributeKind,
    Capacity,
    CounterSet,
    Device,
    DeviceId,
    DeviceShape,
    NodeAllocatable,
    NodeScope,
    RequestPolicy,
    Slice,
    ValidRange,
)
from mizzen.scheduler.core.dra.quantity import Quantity
from mizzen.scheduler.core.dra.wire import (
    by_name,
    flag,
    items,
    name_of,
    number,
    objects,
    part,
    read_selector,
    read_taints,
    strings,
    text,
)

# Attributes that name one device and so would make every shape different, by the part after "/".
OWN = frozenset(
    [
        "uuid",
        "serial",
        "serialNumber",
        "index",
        "minor",
        "pciAddress",
        "pciBusID",
        "pciBusId",
        "pcieAddress",
        "macAddress",
        "guid",
        "nodeGUID",
        "ifName",
        "rdmaDevice",
        "deviceIndex",
    ]
)
_SCALARS: tuple[AttributeKind, ...] = ("int", "bool", "string", "version")
_LISTS: tuple[AttributeKind, ...] = ("ints", "bools", "strings", "versions")
_TYPES: dict[str, type] = {"int": int, "bool": bool, "string": str, "version": str}
_CPU_KEYS = frozenset({"cpu", f"{names.CPU_DRIVER}/cpu"})


class Shapes:
    """The shapes seen so far. Not a value: it remembers, so that equal shapes are one object."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], DeviceShape] = {}

    def __len__(self) -> int:
        return len(self._known)

    def read(
        self, driver: str, entry: Mapping[str, Any], attributes: Mapping[str, Any]
    ) -> DeviceShape:
        """The shape of a device with these attributes (its own ones left out)."""
        told = {k: v for k, v in entry.items() if k not in _NOT_SHAPE}
        key = (driver, f"{attributes!r}{told!r}")
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = _shape(driver, told, attributes)
        return found


_NOT_SHAPE = frozenset({"name", "attributes", "nodeName", "nodeSelector", "allNodes"})


def read_slice(item: Obj, shapes: Shapes) -> Slice:
    """Errors: KeyError, TypeError, ValueError when the object is not a ResourceSlice."""
    for name in ("metadata", "spec"):
        if item.get(name) is None:
            raise KeyError(name)
    spec = part(item, "spec")
    driver, pool = text(spec, "driver"), part(spec, "pool")
    name = text(pool, "name")
    per_device = flag(spec, "perDeviceNodeSelection")
    scope = _scope(spec)
    return Slice(
        name=name_of(part(item, "metadata")),
        driver=driver,
        pool=name,
        generation=number(pool, "generation"),
        slice_count=number(pool, "resourceSliceCount"),
        scope=scope,
        per_device=per_device,
        counter_sets=_counter_sets(objects(spec, "sharedCounters"), "name"),
        devices=tuple(
            _device(DeviceId(driver, name, name_of(entry)), entry, scope, per_device, shapes)
            for entry in objects(spec, "devices")
        ),
    )


def _device(
    device_id: DeviceId, entry: Obj, scope: NodeScope, per_device: bool | None, shapes: Shapes
) -> Device:
    attributes = part(entry, "attributes")
    mine = [name for name in attributes if name.rpartition("/")[2] in OWN]
    if mine:
        own = tuple((name, _attribute(part(attributes, name))) for name in mine)
        attributes = {name: value for name, value in attributes.items() if name not in mine}
    else:
        own = ()
    shape = shapes.read(device_id.driver, entry, attributes)
    return Device(device_id, shape, _scope(entry) if per_device else scope, own)


def _scope(spec: Mapping[str, Any]) -> NodeScope:
    selector = spec.get("nodeSelector")
    return NodeScope(
        node=text(spec, "nodeName"),
        selector=None if selector is None else read_selector(part(spec, "nodeSelector")),
        all_nodes=bool(flag(spec, "allNodes")),
        names_node=spec.get("nodeName") is not None,
    )


# -- shapes -----------------------------------------------------------------------------


def _shape(driver: str, entry: Mapping[str, Any], attributes: Mapping[str, Any]) -> DeviceShape:
    capacity = {n: _capacity(v) for n, v in by_name(entry, "capacity").items()}
    bindings = entry.get("bindingConditions")
    return DeviceShape(
        driver=driver,
        attributes=tuple((n, _attribute(part(attributes, n))) for n in attributes),
        capacity=tuple(capacity.items()),
        allows_sharing=bool(flag(entry, "allowMultipleAllocations")),
        consumes=_counter_sets(objects(entry, "consumesCounters"), "counterSet"),
        taints=read_taints(objects(entry, "taints")),
        binds_to_node=bool(flag(entry, "bindsToNode")),
        bindings=None if bindings is None else strings(entry, "bindingConditions"),
        binding_failures=strings(entry, "bindingFailureConditions"),
        node_allocatable=_node_allocatable(by_name(entry, "nodeAllocatableResourceMappings")),
        cpu_milli=_cpu_milli(driver, capacity),
    )


def _attribute(value: Obj) -> Attribute:
    """The one value that is set; of several (no valid slice has) the one CEL would look at."""
    for kind in _LISTS:
        if value.get(kind) is not None:
            listed = items(value, kind)
            if any(type(v) is not _TYPES[kind[:-1]] for v in listed):
                raise TypeError(f"attribute {kind}: {listed!r} is not a list of {kind}")
            return Attribute(kind, tuple(listed))
    for kind in _SCALARS:
        single = value.get(kind)
        if single is not None:
            if type(single) is not _TYPES[kind]:
                raise TypeError(f"attribute {kind}: {single!r} is not of that type")
            return Attribute(kind, single)
    return Attribute("", None)


def _capacity(value: Obj) -> Capacity:
    policy = value.get("requestPolicy")
    return Capacity(
        quantity.parse(value.get("value")),
        None if policy is None else _policy(part(value, "requestPolicy")),
    )


def _policy(policy: Obj) -> RequestPolicy:
    values = policy.get("validValues")
    span = part(policy, "validRange")
    return RequestPolicy(
        default=_optional(policy.get("default")),
        valid_values=None
        if values is None
        else tuple(quantity.parse(v) for v in items(policy, "validValues")),
        valid_range=None
        if policy.get("validRange") is None
        else ValidRange(*(_optional(span.get(name)) for name in ("min", "max", "step"))),
    )


def _optional(text_of: object) -> Quantity | None:
    return None if text_of is None else quantity.parse(text_of)


def _counter_sets(entries: list[Any], name_key: str) -> tuple[CounterSet, ...]:
    return tuple(
        CounterSet(
            text(e, name_key),
            tuple((n, quantity.parse(c.get("value"))) for n, c in by_name(e, "counters").items()),
        )
        for e in entries
    )


def _node_allocatable(mappings: Obj) -> tuple[NodeAllocatable, ...]:
    return tuple(
        NodeAllocatable(
            resource,
            text(mapping, "capacityKey"),
            _optional(mapping.get("allocationMultiplier")),
        )
        for resource, mapping in mappings.items()
    )


def _cpu_milli(driver: str, capacity: Mapping[str, Capacity]) -> int:
    if driver != names.CPU_DRIVER:
        return 0
    for name, amount in capacity.items():
        if name in _CPU_KEYS:
            value = amount.value
            return Quantity(value.value, value.scale + 3).whole()
    return 0
