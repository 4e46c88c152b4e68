"""Dynamic resource allocation: shapes of requests, claims' status, slices."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from mizzen.kinds.registry import builtin_kinds
from mizzen.kinds.resource.resource_claim import state

GROUP = "resource.k8s.io"
CLAIM, SLICE, CLASS = (
    builtin_kinds()[(GROUP, p)] for p in ("resourceclaims", "resourceslices", "deviceclasses")
)
EXACT = {"name": "r", "exactly": {"deviceClassName": "c"}}


def _make(kind: Any, spec: dict[str, Any]) -> dict[str, Any]:
    body = {
        "apiVersion": f"{GROUP}/v1",
        "kind": kind.resource.kind,
        "metadata": {"name": "x"},
        "spec": copy.deepcopy(spec),
    }
    decoded = kind.decode(body)
    assert not decoded.causes and not decoded.unknown, decoded
    kind.prepare_create(decoded.object)
    kind.default(decoded.object)
    return decoded.object


def _claim(**devices: Any) -> dict[str, Any]:
    return _make(CLAIM, {"devices": devices})


@pytest.mark.parametrize(
    ("devices", "causes"),
    [
        ({"requests": [EXACT]}, []),
        ({"requests": [{"name": "r"}]}, ["spec.devices.requests[0]"]),
        ({"requests": [{**EXACT, "firstAvailable": [{"name": "a", "deviceClassName": "c"}]}]}, ["spec.devices.requests[0]"]),
        ({"requests": [EXACT, EXACT]}, ["spec.devices.requests[1].name"]),
        ({"requests": [{"name": "r", "exactly": {"deviceClassName": "c", "allocationMode": "All", "count": 2}}]}, ["spec.devices.requests[0].exactly.count"]),
        ({"requests": [{"name": "r", "exactly": {"deviceClassName": "c", "selectors": [{}]}}]}, ["spec.devices.requests[0].exactly.selectors[0].cel"]),
        ({"requests": [EXACT], "constraints": [{"matchAttribute": "a.b/c"}]}, []),
        ({"requests": [EXACT], "constraints": [{"matchAttribute": "c"}]}, ["spec.devices.constraints[0].matchAttribute"]),
        ({"requests": [EXACT], "constraints": [{}]}, ["spec.devices.constraints[0]"]),
        ({"requests": [EXACT], "config": [{"requests": ["z"], "opaque": {"driver": "d", "parameters": {}}}]}, ["spec.devices.config[0].requests[0]"]),
        ({"requests": [{"name": "r", "firstAvailable": [{"name": "a", "deviceClassName": "c"}]}], "constraints": [{"requests": ["r/a"], "matchAttribute": "a.b/c"}]}, []),
    ],
)  # fmt: skip
def test_requests(devices: dict[str, Any], causes: list[str]) -> None:
    assert [c.field for c in CLAIM.check(_claim(**devices), None)] == causes


def test_one_device_is_the_default() -> None:
    assert _claim(requests=[EXACT])["spec"]["devices"]["requests"][0]["exactly"]["count"] == 1


def test_long_expressions_are_refused() -> None:
    request = {
        "name": "r",
        "exactly": {"deviceClassName": "c", "selectors": [{"cel": {"expression": "x" * 10_241}}]},
    }
    body = {
        "apiVersion": f"{GROUP}/v1",
        "kind": "ResourceClaim",
        "metadata": {"name": "x"},
        "spec": {"devices": {"requests": [request]}},
    }
    assert [c.reason for c in CLAIM.decode(body).causes] == ["FieldValueTooLong"]


def test_a_claim_cannot_ask_for_something_else() -> None:
    old, new = _claim(requests=[EXACT]), _claim(requests=[{**EXACT, "name": "other"}])
    assert [c.field for c in CLAIM.check(new, old)] == ["spec"]


RESULT = {"request": "r", "driver": "d.io", "pool": "p", "device": "v"}


def _status(**status: Any) -> dict[str, Any]:
    return {**_claim(requests=[EXACT]), "status": status}


def test_status_rules() -> None:
    given = {"devices": {"results": [RESULT]}}
    consumer = {"resource": "pods", "name": "p", "uid": "1"}
    fresh = _status()
    assert CLAIM.check_status(_status(allocation=given, reservedFor=[consumer]), fresh) == []
    assert [c.field for c in CLAIM.check_status(_status(reservedFor=[consumer]), fresh)] == [
        "status.reservedFor"
    ]
    other = {"devices": {"results": [{**RESULT, "device": "w"}]}}
    assert [
        c.field for c in CLAIM.check_status(_status(allocation=other), _status(allocation=given))
    ] == ["status.allocation"]
    assert CLAIM.check_status(_status(), _status(allocation=given)) == []
    told = [{"driver": "d.io", "pool": "p", "device": "zz"}]
    assert [
        c.field for c in CLAIM.check_status(_status(allocation=given, devices=told), fresh)
    ] == ["status.devices[0]"]


def test_the_state_column() -> None:
    assert state(_status(), 0) == "pending"
    assert state(_status(allocation={}), 0) == "allocated"
    assert state(_status(allocation={}, reservedFor=[{}]), 0) == "allocated,reserved"


def _slice(**spec: Any) -> dict[str, Any]:
    pool = {"name": "n", "generation": 1, "resourceSliceCount": 1}
    return {"driver": "d.io", "pool": pool, "nodeName": "n", **spec}


def _everywhere(**spec: Any) -> dict[str, Any]:
    """A slice that is on no node of its own."""
    return {key: value for key, value in _slice(**spec).items() if key != "nodeName"}


def _device(name: str = "a", **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "attributes": {"type": {"string": "x"}},
        "capacity": {"cpu": {"value": "1"}},
        **more,
    }


@pytest.mark.parametrize(
    ("spec", "causes"),
    [
        (_slice(devices=[_device()]), []),
        (_slice(allNodes=True), ["spec"]),
        ({**_slice(), "nodeName": ""}, ["spec.nodeName", "spec"]),
        (_slice(devices=[_device(), _device()]), ["spec.devices[1].name"]),
        (_slice(devices=[_device(attributes={"a": {"string": "x", "int": 1}})]), ["spec.devices[0].attributes[a]"]),
        (_slice(devices=[_device(attributes={"not-an-id": {"int": 1}})]), ["spec.devices[0].attributes[not-an-id]"]),
        (_slice(devices=[_device(str(i), taints=[{"key": "k", "effect": "NoSchedule"}]) for i in range(65)]), ["spec.devices"]),
        (_slice(sharedCounters=[{"name": "s", "counters": {"m": {"value": "1"}}}]), []),
        (_everywhere(perDeviceNodeSelection=True, devices=[_device()]), ["spec.devices[0]"]),
    ],
)  # fmt: skip
def test_slices(spec: dict[str, Any], causes: list[str]) -> None:
    assert [c.field for c in SLICE.check(_make(SLICE, spec), None)] == causes


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("device.driver ==", "Syntax error"),
        ("1", "must evaluate to bool"),
        ("device.foo == 1", "undefined field 'foo'"),
        ("device.driver.startsWith(1)", "no matching overload"),
        ("(" * 400 + "true" + ")" * 400, "recursion limit"),
        ('device.attributes["a.b"].model == "x"', ""),
    ],
)
def test_selectors_that_can_never_match_are_refused_when_they_are_written(
    expression: str, says: str
) -> None:
    selectors = [{"cel": {"expression": expression}}]
    request = {"name": "r", "exactly": {"deviceClassName": "c", "selectors": selectors}}
    for causes, at in (
        (CLASS.check(_make(CLASS, {"selectors": selectors}), None), "spec.selectors"),
        (
            CLAIM.check(_claim(requests=[request]), None),
            "spec.devices.requests[0].exactly.selectors",
        ),
    ):
        if not says:
            assert causes == []
            continue
        (cause,) = causes
        assert cause.field == f"{at}[0].cel.expression"
        assert says in cause.message


def test_a_selector_that_is_stored_does_not_keep_its_class_from_being_changed() -> None:
    bad = {"selectors": [{"cel": {"expression": "1"}}]}
    old = _make(CLASS, bad)
    assert CLASS.check(_make(CLASS, {**bad, "extendedResourceName": "a.b/c"}), old) == []


def test_device_classes() -> None:
    good = {
        "selectors": [{"cel": {"expression": "true"}}],
        "extendedResourceName": "nvidia.com/gpu",
    }
    assert CLASS.check(_make(CLASS, good), None) == []
    assert [c.field for c in CLASS.check(_make(CLASS, {"extendedResourceName": "gpu"}), None)] == [
        "spec.extendedResourceName"
    ]
