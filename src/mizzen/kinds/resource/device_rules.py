"""Checks of the devices and counters that drivers publish.

Source: pkg/apis/resource/validation/validation.go `validateResourceSliceSpec`, Kubernetes 1.36.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.quantity import parse
from mizzen.kinds.core.placement_rules import check_node_selector
from mizzen.kinds.names import dns_label, invalid_value
from mizzen.kinds.reading import entries, part
from mizzen.kinds.resource.rules import (
    check_binding,
    check_name,
    check_qualified,
    check_taint,
    check_unique,
    forbidden,
    required,
    too_long,
    too_many,
)

PROPERTIES_MAX = 32  # attributes and capacities of a device
VALUES_MAX = 48  # values of the attributes of a device, those in lists counted one by one
VALUE_LENGTH_MAX = 64
COUNTERS_MAX = 32  # of one set
PLACES = ("nodeName", "nodeSelector", "allNodes")
_LISTS = ("bools", "ints", "strings", "versions")
_VALUES = ("int", "bool", "string", "version", *_LISTS)
_NUMBER = r"(0|[1-9]\d*)"
_PRERELEASE = r"(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
_SEMVER = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(-{_PRERELEASE}(\.{_PRERELEASE})*)?"
    r"(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?",
    re.ASCII,
)


def is_rich(device: Obj) -> bool:
    """True if it has what makes devices large: taints, counters, lists of values."""
    return bool(
        device.get("taints")
        or device.get("consumesCounters")
        or any(a.keys() & set(_LISTS) for a in part(device, "attributes").values())
    )


def check_device(device: Obj, path: str, *, placed: bool) -> list[Cause]:
    """Causes to refuse a device; `placed` when each says by itself where it is."""
    causes = check_name(device["name"], f"{path}.name")
    attributes, capacity = part(device, "attributes"), part(device, "capacity")
    causes += _check_amount(attributes, capacity, path)
    for name, value in attributes.items():
        causes += check_qualified(name, f"{path}.attributes[{name}]")
        causes += _check_attribute(value, f"{path}.attributes[{name}]")
    shared = bool(device.get("allowMultipleAllocations"))
    for name, value in capacity.items():
        at = f"{path}.capacity[{name}]"
        causes += check_qualified(name, at)
        if "requestPolicy" in value:
            causes += _check_policy(value, f"{at}.requestPolicy", shared)
    for index, taint in enumerate(entries(device, "taints")):
        causes += check_taint(taint, f"{path}.taints[{index}]")
    causes += _check_consumption(entries(device, "consumesCounters"), f"{path}.consumesCounters")
    if placed:
        causes += check_place(device, path, PLACES)
    elif any(name in device for name in PLACES):
        message = "`nodeName`, `nodeSelector` and `allNodes` can only be set if "
        message += "`perDeviceNodeSelection` is set to true in the ResourceSlice spec"
        causes.append(Cause(path, f"Invalid value: null: {message}"))
    causes += check_binding(device, path)
    mappings = part(device, "nodeAllocatableResourceMappings")
    return causes + _check_mappings(mappings, capacity, f"{path}.nodeAllocatableResourceMappings")


def check_place(spec: Obj, path: str, fields: tuple[str, ...]) -> list[Cause]:
    """Exactly one of the fields says where the devices are."""
    causes: list[Cause] = []
    listed = ", ".join(f"`{name}`" for name in fields)
    for name in fields:
        value = spec.get(name)
        if value is False:
            message = "Invalid value: false: must be either unset or set to true"
            causes.append(Cause(f"{path}.{name}", message))
        elif value == "":
            message = "must be either unset or set to a non-empty string"
            causes.append(invalid_value(f"{path}.{name}", "", message))
    if spec.get("nodeName"):
        causes += _check_node_name(spec["nodeName"], f"{path}.nodeName")
    if spec.get("nodeSelector") is not None:
        causes += check_node_selector(spec["nodeSelector"], f"{path}.nodeSelector")
    found = [name for name in fields if spec.get(name) or (name == "nodeSelector" and name in spec)]
    if not found:
        causes.append(required(path, f"exactly one of {listed} is required"))
    elif len(found) > 1:
        message = f"Invalid value: exactly one of {listed} is required, but multiple fields are set"
        causes.append(Cause(path, message))
    return causes


def _check_node_name(name: str, path: str) -> list[Cause]:
    from_label = all(dns_label(label) == "" for label in name.split("."))
    return [] if from_label and len(name) <= 253 else [
        invalid_value(path, name, "must be a lowercase RFC 1123 subdomain of at most 253 bytes")
    ]  # fmt: skip


def _check_amount(attributes: Mapping[str, Any], capacity: Mapping[str, Any], path: str) -> list[Cause]:  # fmt: skip
    causes: list[Cause] = []
    count = len(attributes) + len(capacity)
    values = sum(max(1, sum(len(a.get(n) or ()) for n in _LISTS)) for a in attributes.values())
    for found, most, what in (
        (count, PROPERTIES_MAX, "attributes and capacities"),
        (values, VALUES_MAX, "attribute values"),
    ):
        if found > most:
            message = f"Invalid value: {found}: the total number of {what} must not exceed {most}"
            causes.append(Cause(path, message))
    return causes


def _check_attribute(value: Obj, path: str) -> list[Cause]:
    causes: list[Cause] = []
    found = [kind for kind in _VALUES if kind in value]
    if len(found) != 1:
        causes.append(Cause(path, "Invalid value: exactly one value must be specified"))
    for kind in found:
        here = f"{path}.{kind}"
        if kind in _LISTS and not value[kind]:
            causes.append(Cause(here, "Invalid value: []: must not be empty if specified"))
        texts: list[tuple[str, str]] = []
        if kind in ("string", "version"):
            texts = [(here, value[kind])]
        elif kind in ("strings", "versions"):
            texts = [(f"{here}[{index}]", text) for index, text in enumerate(value[kind])]
        for at, text in texts:
            if len(text.encode()) > VALUE_LENGTH_MAX:
                causes.append(too_long(at, VALUE_LENGTH_MAX))
            if kind.startswith("version") and _SEMVER.fullmatch(text) is None:
                message = "must be a string compatible with semver.org spec 2.0.0"
                causes.append(invalid_value(at, text, message))
    return causes


def _check_policy(capacity: Obj, path: str, shared: bool) -> list[Cause]:
    policy: Obj = capacity["requestPolicy"]
    if not shared:
        return [forbidden(path, "allowMultipleAllocations must be true")]
    values, bounds = policy.get("validValues"), policy.get("validRange")
    if values and bounds is not None:
        message = 'exactly one policy can be specified, cannot specify "validValues" and '
        return [forbidden(path, message + '"validRange" at the same time')]
    if not values and bounds is None:
        return []
    chosen = "validValues" if values else "validRange"
    if policy.get("default") is None:
        return [required(f"{path}.default", f"required when {chosen} is defined")]
    if values:
        return _check_values(policy, capacity["value"], f"{path}.validValues")
    return _check_range(policy["default"], bounds or {}, capacity["value"], f"{path}.validRange")


def _check_values(policy: Obj, most: str, path: str) -> list[Cause]:
    texts: list[str] = policy["validValues"]
    values = [parse(text) for text in texts]
    causes: list[Cause] = []
    for index, (text, value) in enumerate(zip(texts, values, strict=True)):
        here = f"{path}[{index}]"
        if index and values[index - 1] > value:
            causes.append(invalid_value(here, text, "values must be sorted in ascending order"))
        if value > parse(most):
            causes.append(
                invalid_value(here, text, f"option is larger than capacity value: {most}")
            )
    causes += check_unique(values, lambda index: f"{path}[{index}]")
    if parse(policy["default"]) not in values:
        message = "default value is not valid according to the requestPolicy"
        causes.append(invalid_value(path, policy["default"], message))
    return causes


def _check_range(default: str, bounds: Obj, most: str, path: str) -> list[Cause]:
    low = bounds.get("min")
    if low is None:
        return [required(f"{path}.min", "required when validRange is defined")]
    high, step = bounds.get("max"), bounds.get("step")
    causes: list[Cause] = []

    def refuse(field: str, value: str, wrong: bool, message: str) -> None:
        if wrong:
            causes.append(invalid_value(f"{path}.{field}", value, message))

    top, least, given = parse(most), parse(low), parse(default)
    refuse("min", low, least > top, f"min is larger than capacity value: {most}")
    refuse("min", default, given < least, f"default is less than min: {low}")
    if high is not None:
        greatest = parse(high)
        refuse("max", low, least > greatest, f"min is larger than max: {high}")
        refuse("max", high, greatest > top, f"max is larger than capacity value: {most}")
        refuse("max", default, given > greatest, f"default is more than max: {high}")
    if step is not None:
        refuse("step", step, parse(step) <= 0, "must be positive")
        one = f"one step {step} is larger than capacity value: {most}"
        refuse("step", step, least + parse(step) > top, one)
        for value in (default, high):
            if value is not None and parse(step) > 0:
                uneven = (parse(value) - least) % parse(step) != Fraction(0)
                message = f"value is not a multiple of a given step ({step}) from ({low})"
                refuse("step", value, uneven, message)
    return causes


def check_counter_set(item: Obj, path: str) -> list[Cause]:
    return check_name(item["name"], f"{path}.name") + _check_counters(
        part(item, "counters"), f"{path}.counters"
    )


def _check_consumption(consumed: list[Obj], path: str) -> list[Cause]:
    causes = check_unique([c["counterSet"] for c in consumed], lambda i: f"{path}[{i}]")
    for index, item in enumerate(consumed):
        here = f"{path}[{index}]"
        causes += check_name(item["counterSet"], f"{here}.counterSet")
        causes += _check_counters(part(item, "counters"), f"{here}.counters")
    return causes


def _check_counters(counters: Mapping[str, Any], path: str) -> list[Cause]:
    if not counters:
        return [required(path)]
    if len(counters) > COUNTERS_MAX:
        return [too_many(path, len(counters), COUNTERS_MAX)]
    return [cause for name in counters for cause in check_name(name, path)]


def _check_mappings(mappings: Mapping[str, Obj], capacity: Mapping[str, Any], path: str) -> list[Cause]:  # fmt: skip
    causes: list[Cause] = []
    for resource, mapping in mappings.items():
        here = f"{path}[{resource}]"
        if "/" in resource and "kubernetes.io/" not in resource:
            message = "must be a node allocatable resource name"
            causes.append(invalid_value(here, resource, message))
        key, multiplier = mapping.get("capacityKey"), mapping.get("allocationMultiplier")
        if key is None and multiplier is None:
            message = "at least one of allocationMultiplier or capacityKey must be set"
            causes.append(invalid_value(here, "", message))
        if multiplier is not None and parse(multiplier) <= 0:
            at = f"{here}.allocationMultiplier"
            causes.append(invalid_value(at, multiplier, "must be positive"))
        if key == "":
            message = "capacityKey must not be an empty string"
            causes.append(invalid_value(f"{here}.capacityKey", "", message))
        elif key is not None and key not in capacity:
            at = f"{here}.capacityKey"
            causes.append(Cause(at, f'Not found: "{key}"', "FieldValueNotFound"))
    return causes
