"""Limits and rules of `resource.k8s.io` as upstream states them: what is refused, and where."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from mizzen.kinds.registry import builtin_kinds

GROUP = "resource.k8s.io"
CLAIM, SLICE, CLASS, RULE, POOLS = (
    builtin_kinds()[(GROUP, plural)]
    for plural in (
        "resourceclaims",
        "resourceslices",
        "deviceclasses",
        "devicetaintrules",
        "resourcepoolstatusrequests",
    )
)
NOW = "2027-01-15T08:00:00Z"
SHARE = "11111111-2222-3333-4444-555555555555"


def _wrong(kind: Any, spec: dict[str, Any], old: dict[str, Any] | None = None) -> list[str]:
    """The fields for which a create, or an update of `old`, is refused."""
    new = _made(kind, spec)
    if isinstance(new, list):
        return new
    return [c.field for c in kind.check(new, old)]


def _made(kind: Any, spec: dict[str, Any]) -> Any:
    body = {
        "apiVersion": kind.resource.api_version,
        "kind": kind.resource.kind,
        "metadata": {"name": "x"},
        "spec": copy.deepcopy(spec),
    }
    decoded = kind.decode(body)
    assert not decoded.unknown, decoded.unknown
    if decoded.causes:
        return [c.field for c in decoded.causes]
    kind.prepare_create(decoded.object)
    kind.default(decoded.object)
    kind.stamp(decoded.object, None, NOW)
    return decoded.object


def _slice(device: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    pool = {"name": "n", "generation": 1, "resourceSliceCount": 1}
    devices = {} if device is None else {"devices": [{"name": "a", **device}]}
    return {"driver": "d.io", "pool": pool, "nodeName": "n", **devices, **spec}


def _counters(count: int) -> dict[str, Any]:
    return {f"c{index}": {"value": "1"} for index in range(count)}


def _shared(policy: dict[str, Any], value: str = "10") -> dict[str, Any]:
    return {
        "allowMultipleAllocations": True,
        "capacity": {"m": {"value": value, "requestPolicy": policy}},
    }


def _taints(count: int) -> list[dict[str, Any]]:
    return [{"key": f"k{index}", "effect": "NoExecute"} for index in range(count)]


D = "spec.devices[0]"
CAPACITY = f"{D}.capacity[m].requestPolicy"
SELECTOR = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "Exists"}]}]}


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        (_slice({"attributes": {f"a{i}": {"int": i} for i in range(32)}}), []),
        (_slice({"attributes": {f"a{i}": {"int": i} for i in range(33)}}), [D]),
        (_slice({"attributes": {"a": {"ints": list(range(48))}}}), []),
        (_slice({"attributes": {"a": {"ints": list(range(48))}, "b": {"int": 1}}}), [D]),
        (_slice({"attributes": {"a": {"strings": []}}}), [f"{D}.attributes[a].strings"]),
        (_slice({"attributes": {"a": {}}}), [f"{D}.attributes[a]"]),
        (_slice({"attributes": {"a": {"string": "x" * 65}}}), [f"{D}.attributes[a].string"]),
        (_slice({"attributes": {"a": {"version": "1.2"}}}), [f"{D}.attributes[a].version"]),
        (_slice({"attributes": {"a": {"versions": ["1.2.3", "v1"]}}}), [f"{D}.attributes[a].versions[1]"]),
        (_slice({"attributes": {"d" * 64 + "/a": {"int": 1}}}), [f"{D}.attributes[{'d' * 64}/a]"]),
        (_slice({"attributes": {"i" * 33: {"int": 1}}}), [f"{D}.attributes[{'i' * 33}]"]),
        (_slice(devices=[{"name": f"d{i}"} for i in range(128)]), []),
        (_slice(devices=[{"name": f"d{i}"} for i in range(129)]), ["spec.devices"]),
        (_slice(devices=[{"name": f"d{i}", "attributes": {"a": {"ints": [1]}}} for i in range(65)]), ["spec.devices"]),
        (_slice({"taints": _taints(16)}), []),
        (_slice({"taints": _taints(17)}), [f"{D}.taints"]),
        (_slice({"taints": [{"key": "a b", "effect": "None"}]}), [f"{D}.taints[0].key"]),
        (_slice({"consumesCounters": [{"counterSet": "s", "counters": _counters(32)}]}), []),
        (_slice({"consumesCounters": [{"counterSet": "s", "counters": _counters(33)}]}), [f"{D}.consumesCounters[0].counters"]),
        (_slice({"consumesCounters": [{"counterSet": s, "counters": _counters(1)} for s in "abc"]}), [f"{D}.consumesCounters"]),
        (_slice({"consumesCounters": [{"counterSet": "s", "counters": _counters(1)}] * 2}), [f"{D}.consumesCounters[1]"]),
        (_slice(sharedCounters=[{"name": f"s{i}", "counters": _counters(32)} for i in range(8)]), []),
        (_slice(sharedCounters=[{"name": f"s{i}", "counters": _counters(1)} for i in range(9)]), ["spec.sharedCounters"]),
        (_slice(sharedCounters=[{"name": "s"}]), ["spec.sharedCounters[0].counters"]),
        (_slice({}, sharedCounters=[{"name": "s", "counters": _counters(1)}]), ["spec"]),
        (_slice({"nodeName": "m"}), [D]),
        (_slice({"bindingConditions": ["a"], "bindingFailureConditions": ["b"]}), []),
        (_slice({"bindingConditions": ["a"]}), [f"{D}.bindingFailureConditions"]),
        (_slice({"bindingFailureConditions": ["a"]}), [f"{D}.bindingConditions"]),
        (_slice({"bindingConditions": ["a"], "bindingFailureConditions": ["a"]}), [f"{D}.bindingFailureConditions[0]"]),
        (_slice({"bindingConditions": list("abcde"), "bindingFailureConditions": ["f"]}), [f"{D}.bindingConditions"]),
        (_slice({"capacity": {"m": {"value": "1", "requestPolicy": {}}}}), [CAPACITY]),
        (_slice(_shared({"default": "2", "validValues": ["2", "4"]})), []),
        (_slice(_shared({"default": "3", "validValues": ["2", "4"]})), [f"{CAPACITY}.validValues"]),
        (_slice(_shared({"default": "2", "validValues": ["4", "2"]})), [f"{CAPACITY}.validValues[1]"]),
        (_slice(_shared({"default": "2", "validValues": ["2", "40"]})), [f"{CAPACITY}.validValues[1]"]),
        (_slice(_shared({"validValues": ["2"]})), [f"{CAPACITY}.default"]),
        (_slice(_shared({"default": "2", "validRange": {"min": "1", "max": "9", "step": "1"}})), []),
        (_slice(_shared({"default": "2", "validRange": {}})), [f"{CAPACITY}.validRange.min"]),
        (_slice(_shared({"default": "2", "validRange": {"min": "1", "max": "11"}})), [f"{CAPACITY}.validRange.max"]),
        (_slice(_shared({"default": "2", "validRange": {"min": "1", "step": "3"}})), [f"{CAPACITY}.validRange.step"]),
        (_slice(_shared({"default": "2", "validValues": ["2"], "validRange": {"min": "1"}})), [CAPACITY]),
        (_slice({"nodeAllocatableResourceMappings": {"cpu": {"allocationMultiplier": "0"}}}), [f"{D}.nodeAllocatableResourceMappings[cpu].allocationMultiplier"]),
        (_slice({"nodeAllocatableResourceMappings": {"cpu": {"capacityKey": "m"}}}), [f"{D}.nodeAllocatableResourceMappings[cpu].capacityKey"]),
        (_slice({"nodeAllocatableResourceMappings": {"x.io/cpu": {}}}), [f"{D}.nodeAllocatableResourceMappings[x.io/cpu]"]),
    ],
)  # fmt: skip
def test_slices(spec: dict[str, Any], fields: list[str]) -> None:
    assert _wrong(SLICE, spec) == fields


def test_a_slice_is_somewhere() -> None:
    spec = {k: v for k, v in _slice().items() if k != "nodeName"}
    assert _wrong(SLICE, {**spec, "nodeSelector": SELECTOR}) == []
    assert _wrong(SLICE, {**spec, "allNodes": False}) == ["spec.allNodes", "spec"]
    assert _wrong(SLICE, {**spec, "nodeSelector": {"nodeSelectorTerms": []}}) == [
        "spec.nodeSelector.nodeSelectorTerms",
        "spec.nodeSelector.nodeSelectorTerms",
    ]
    assert _wrong(SLICE, {**_slice(), "driver": "d" * 64}) == ["spec.driver"]
    pool = {"name": "a/B", "generation": 1, "resourceSliceCount": 1}
    assert _wrong(SLICE, {**_slice(), "pool": pool}) == ["spec.pool.name"]


def test_taints_and_mappings_are_completed() -> None:
    mapping = {"cpu": {"capacityKey": "c"}}
    device = {
        "taints": _taints(1),
        "capacity": {"c": {"value": "4"}},
        "nodeAllocatableResourceMappings": mapping,
    }
    made = _made(SLICE, _slice(device))["spec"]["devices"][0]
    assert made["taints"][0]["timeAdded"] == NOW
    assert made["nodeAllocatableResourceMappings"]["cpu"] == {
        "capacityKey": "c",
        "allocationMultiplier": "1",
    }


def _exact(**more: Any) -> dict[str, Any]:
    return {"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "c", **more}}]}}


R = "spec.devices.requests"
OPAQUE = {"opaque": {"driver": "d.io", "parameters": {"a": "x" * 10_240}}}


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        ({"devices": {"requests": [{"name": f"r{i}", "exactly": {"deviceClassName": "c"}} for i in range(32)]}}, []),
        ({"devices": {"requests": [{"name": f"r{i}", "exactly": {"deviceClassName": "c"}} for i in range(33)]}}, [R]),
        ({"devices": {"requests": [{"name": "r", "firstAvailable": [{"name": f"a{i}", "deviceClassName": "c"} for i in range(9)]}]}}, [f"{R}[0].firstAvailable"]),
        (_exact(tolerations=[{"key": f"k{i}"} for i in range(16)]), []),
        (_exact(tolerations=[{"key": f"k{i}"} for i in range(17)]), [f"{R}[0].exactly.tolerations"]),
        (_exact(tolerations=[{"operator": "Exists", "value": "x"}]), [f"{R}[0].exactly.tolerations[0].value"]),
        (_exact(tolerations=[{"key": "a", "value": "b c"}]), [f"{R}[0].exactly.tolerations[0].value"]),
        (_exact(selectors=[{"cel": {"expression": "true"}}] * 33), [f"{R}[0].exactly.selectors"]),
        (_exact(capacity={"requests": {"a-b": "1"}}), [f"{R}[0].exactly.capacity.requests[a-b]"]),
        ({"devices": {**_exact()["devices"], "config": [OPAQUE]}}, ["spec.devices.config[0].opaque.parameters"]),
        ({"devices": {**_exact()["devices"], "constraints": [{"matchAttribute": "a.b/c"}] * 33}}, ["spec.devices.constraints"]),
        ({"devices": {**_exact()["devices"], "constraints": [{"matchAttribute": "a.b/c", "distinctAttribute": "a.b/c"}]}}, ["spec.devices.constraints[0]"]),
    ],
)  # fmt: skip
def test_claims(spec: dict[str, Any], fields: list[str]) -> None:
    assert _wrong(CLAIM, spec) == fields


def _result(**more: Any) -> dict[str, Any]:
    return {"request": "r", "driver": "d.io", "pool": "p", "device": "v", **more}


def _status_wrong(status: dict[str, Any], before: dict[str, Any] | None = None) -> list[str]:
    claim = _made(CLAIM, _exact())
    decoded = CLAIM.decode({**claim, "status": status})
    if decoded.causes:
        return [c.field for c in decoded.causes]
    old = {**claim, "status": before or {}}
    return [c.field for c in CLAIM.check_status(decoded.object, old)]


RESULT = "status.allocation.devices.results[0]"


@pytest.mark.parametrize(
    ("result", "fields"),
    [
        (_result(), []),
        (_result(shareID=SHARE, consumedCapacity={"memory": "1Gi"}, adminAccess=True), []),
        (_result(request="q"), [f"{RESULT}.request[0]"]),
        (_result(shareID="A" * 36), [f"{RESULT}.shareID"]),
        (_result(pool="P"), [f"{RESULT}.pool"]),
        (_result(device="V"), [f"{RESULT}.device"]),
        (_result(consumedCapacity={"memory": "-1"}), [f"{RESULT}.consumedCapacity[memory]"]),
        (_result(bindingConditions=["a"]), [f"{RESULT}.bindingFailureConditions"]),
        (_result(tolerations=[{"key": "a", "operator": "Exists", "value": "x"}]), [f"{RESULT}.tolerations[0].value"]),
    ],
)  # fmt: skip
def test_allocation_results(result: dict[str, Any], fields: list[str]) -> None:
    assert _status_wrong({"allocation": {"devices": {"results": [result]}}}) == fields


def test_device_status() -> None:
    allocation = {"devices": {"results": [_result(shareID=SHARE)]}}
    told = {"driver": "d.io", "pool": "p", "device": "v", "shareID": SHARE}
    assert _status_wrong({"allocation": allocation, "devices": [told]}) == []
    unshared = {k: v for k, v in told.items() if k != "shareID"}
    assert _status_wrong({"allocation": allocation, "devices": [unshared]}) == ["status.devices[0]"]
    large = {**told, "data": {"a": "x" * 10_240}}
    assert _status_wrong({"allocation": allocation, "devices": [large]}) == [
        "status.devices[0].data"
    ]
    addresses = {**told, "networkData": {"ips": ["10.0.0.1/24", "10.0.0.1", "10.0.0.1/24"]}}
    assert _status_wrong({"allocation": allocation, "devices": [addresses]}) == [
        "status.devices[0].networkData.ips[1]",
        "status.devices[0].networkData.ips[2]",
    ]


def test_pod_groups_and_many_pods_reserve() -> None:
    allocation = {"devices": {"results": [_result()]}}
    group = {
        "apiGroup": "scheduling.k8s.io",
        "resource": "podgroups",
        "name": "g",
        "uid": "1",
    }
    assert _status_wrong({"allocation": allocation, "reservedFor": [group]}) == []
    pods = [{"resource": "pods", "name": f"p{i}", "uid": str(i)} for i in range(257)]
    assert _status_wrong({"allocation": allocation, "reservedFor": pods[:256]}) == []
    assert _status_wrong({"allocation": allocation, "reservedFor": pods}) == ["status.reservedFor"]
    assert _status_wrong({"allocation": allocation, "reservedFor": [{**group, "name": ""}]}) == [
        "status.reservedFor[0].name"
    ]


@pytest.mark.parametrize(
    ("name", "is_valid"),
    [("nvidia.com/gpu", True), ("gpu", False), ("kubernetes.io/gpu", False), ("requests.a/b", False)],
)  # fmt: skip
def test_extended_resource_names(name: str, is_valid: bool) -> None:
    wrong = [] if is_valid else ["spec.extendedResourceName"]
    assert _wrong(CLASS, {"extendedResourceName": name}) == wrong


def test_long_parameters_stay_once_they_are_stored() -> None:
    made = _made(CLASS, {"config": [OPAQUE]})
    assert [c.field for c in CLASS.check(made, None)] == ["spec.config[0].opaque.parameters"]
    assert CLASS.check(copy.deepcopy(made), made) == []


def test_device_taint_rules() -> None:
    taint = {"key": "broken.io/x", "effect": "NoSchedule"}
    assert _wrong(RULE, {"taint": taint}) == []
    wrong = {"driver": "D", "pool": "P", "device": "a.b"}
    assert _wrong(RULE, {"deviceSelector": wrong, "taint": {**taint, "key": ""}}) == [
        "spec.deviceSelector.driver",
        "spec.deviceSelector.pool",
        "spec.deviceSelector.device",
        "spec.taint.key",
    ]
    assert _wrong(RULE, {"taint": {**taint, "effect": "PreferNoSchedule"}}) == ["spec.taint.effect"]


def test_a_rule_counts_from_its_effect() -> None:
    old = _made(RULE, {"taint": {"key": "a", "effect": "NoSchedule"}})
    assert old["spec"]["taint"]["timeAdded"] == NOW
    later = "2027-01-15T09:00:00Z"
    new = copy.deepcopy(old)
    new["spec"]["taint"]["value"] = "v"
    RULE.stamp(new, old, later)
    assert new["spec"]["taint"]["timeAdded"] == NOW
    new["spec"]["taint"]["effect"] = "NoExecute"
    RULE.stamp(new, old, later)
    assert new["spec"]["taint"]["timeAdded"] == later


def test_pool_status_requests_are_answered_once() -> None:
    made = _made(POOLS, {"driver": "d.io"})
    assert made["spec"]["limit"] == 100
    assert _wrong(POOLS, {"driver": "d.io", "limit": 1001}) == ["spec.limit"]
    assert _wrong(POOLS, {"driver": "D"}) == ["spec.driver"]
    answered = {**made, "status": {"poolCount": 0}}
    assert POOLS.check_status(answered, made) == []
    again = {**made, "status": {"poolCount": 1}}
    assert [c.field for c in POOLS.check_status(again, answered)] == ["status"]
    changed = {**made, "spec": {"driver": "e.io", "limit": 100}}
    assert [c.field for c in POOLS.check(changed, made)] == ["spec"]
