"""Devices as expressions see them, and cut to what an expression reads.

Source: k8s.io/dynamic-resource-allocation/cel/compile.go (DeviceMatches), v0.36.3.
"""

from __future__ import annotations

from collections.abc import Iterable

from mizzen.cel import kubernetes
from mizzen.cel.reads import Reads
from mizzen.cel.values import Err, Map, Quantity
from mizzen.scheduler.core.dra.model import Attribute, Capacity, Device

Cut = tuple[
    str,  # driver
    bool,  # allowMultipleAllocations
    tuple[tuple[str, Attribute], ...],  # attributes by qualified name, in order
    tuple[tuple[str, Capacity], ...],
    str,  # the first attribute without a value that CEL can have, if any
]


def cut(device: Device, reads: Reads | None, lists: bool) -> Cut:
    """All that an expression can tell of a device; equal for devices it cannot tell apart."""
    driver, shape = device.id.driver, device.shape
    named = [(_qualified(name, driver), value) for name, value in shape.attributes + device.own]
    bad = next((name for name, value in named if not is_supported(value, lists)), "")
    sizes = [(_qualified(name, driver), value) for name, value in shape.capacity]
    if reads is not None:
        named = [pair for pair in named if pair[0] in reads.attributes]
        sizes = [pair for pair in sizes if pair[0] in reads.capacity]
    return (
        driver,
        shape.allows_sharing,
        tuple(sorted(named, key=_first)),
        tuple(sorted(sizes, key=_first)),
        bad,
    )


def _first(pair: tuple[str, object]) -> str:
    return pair[0]


def variable(seen: Cut, lists: bool) -> Map | Err:
    """The value of `device`; an Err when an attribute has no value that CEL can have."""
    driver, shared, attributes, capacity, bad = seen
    if bad:
        return Err(f"attribute {bad} has no supported value")
    held = [(name, _value(value, lists)) for name, value in attributes]
    sizes = [(name, _amount(value)) for name, value in capacity]
    return Map(
        [
            ("driver", driver),
            ("allowMultipleAllocations", shared),
            ("attributes", _by_domain(held)),
            ("capacity", _by_domain(sizes)),
        ],
        native=True,
    )


def _qualified(name: str, driver: str) -> str:
    return name if "/" in name else f"{driver}/{name}"


def _by_domain(pairs: Iterable[tuple[str, object]]) -> Map:
    """Unknown domains are empty; unknown names in them are errors."""
    domains: dict[str, list[tuple[object, object]]] = {}
    for qualified, value in pairs:
        domain, _, name = qualified.partition("/")
        domains.setdefault(domain, []).append((name, value))
    inner = [(domain, Map(entries, native=True)) for domain, entries in domains.items()]
    return Map(inner, otherwise=Map(native=True), native=True)


def _amount(capacity: Capacity) -> Quantity:
    q = capacity.value
    return Quantity(q.value, q.scale, q.big)


def is_supported(attribute: Attribute, lists: bool) -> bool:
    """True if CEL can have its value; if not, every expression fails on the device."""
    return not isinstance(_value(attribute, lists), Err)


def _value(attribute: Attribute, lists: bool) -> object:
    kind, value = attribute
    if isinstance(value, tuple):
        if not lists:
            return Err("lists need the gate DRAListTypeAttributes")
        if kind != "versions":
            return list[object](value)
        parsed: list[object] = [kubernetes.parse_semver(str(each)) for each in value]
        return next((each for each in parsed if isinstance(each, Err)), parsed)
    if value is None or not kind:
        return Err("unsupported attribute value")
    return kubernetes.parse_semver(str(value)) if kind == "version" else value
