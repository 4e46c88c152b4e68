"""Devices that are made ready after their allocation."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.base.clock import parse_rfc3339, rfc3339
from mizzen.base.objects import Key, Obj
from mizzen.scheduler.core.claiming.binding_conditions import (
    RETRY_S,
    TIMEOUT_S,
    Failed,
    Waiting,
    judge,
    read_binding,
    worst,
)
from mizzen.scheduler.core.dra.claim_spec import read_allocation
from support.scheduler_world import (
    NOW_NS,
    World,
    claim,
    device_class,
    node,
    pod,
    resource_slice,
)

NS = 1_000_000_000
DRIVER = "fabric.example.com"
SINCE = rfc3339(NOW_NS)


def result(device: str = "d0", **more: Any) -> Obj:
    return {
        "request": "r",
        "driver": DRIVER,
        "pool": "n1",
        "device": device,
        "bindingConditions": ["attached", "warm"],
        "bindingFailureConditions": ["broken"],
        **more,
    }


def says(device: str = "d0", share: str = "", **conditions: str) -> Obj:
    listed = [
        {"type": name, "status": status, "reason": "R", "message": "m"}
        for name, status in conditions.items()
    ]
    found = {"driver": DRIVER, "pool": "n1", "device": device, "conditions": listed}
    return {**found, "shareID": share} if share else found


def verdict(*devices: Obj, results: tuple[Obj, ...] = (), after_s: float = 1) -> Any:
    allocation: Obj = {
        "devices": {"results": list(results or (result(),))},
        "allocationTimestamp": SINCE,
    }
    status: Obj = {"allocation": allocation, "devices": list(devices)}
    binding = read_binding(Key("default", "c"), status, read_allocation(allocation))
    assert binding is not None
    return judge(binding, parse_rfc3339(SINCE) + int(after_s * NS))


@pytest.mark.parametrize(
    ("devices", "missing"),
    [
        ((), "attached, warm"),
        ((says(attached="True"),), "warm"),
        ((says(attached="True", warm="False"),), "warm"),
        ((says(attached="True", warm="Unknown", broken="False"),), "warm"),
        ((says("other", attached="True", warm="True"),), "attached, warm"),
    ],
)
def test_waits_until_every_condition_is_true(devices: tuple[Obj, ...], missing: str) -> None:
    found = verdict(*devices)
    assert isinstance(found, Waiting)
    assert found.what.endswith(f"awaits {missing},")
    assert found.until_ns == parse_rfc3339(SINCE) + TIMEOUT_S * NS


def test_is_ready_when_all_are() -> None:
    assert verdict(says(attached="True", warm="True")) is None
    two = (result("d0"), result("d1"))
    assert isinstance(verdict(says(attached="True", warm="True"), results=two), Waiting)


def test_a_share_is_told_apart() -> None:
    shared = (result(shareID="s1"),)
    ready = {"attached": "True", "warm": "True"}
    assert isinstance(verdict(says(share="s2", **ready), results=shared), Waiting)
    assert verdict(says(share="s1", **ready), results=shared) is None


def test_a_failure_ends_the_wait_even_where_others_hold() -> None:
    found = verdict(says(attached="True", warm="True", broken="True"))
    assert isinstance(found, Failed) and "broken: R: m" in found.why


def test_the_wait_has_an_end() -> None:
    assert isinstance(verdict(after_s=TIMEOUT_S - 1), Waiting)
    found = verdict(after_s=TIMEOUT_S + 1)
    assert isinstance(found, Failed) and "is not ready after 600 s" in found.why


def test_nothing_is_awaited_without_conditions() -> None:
    plain = {"devices": {"results": [result(bindingConditions=[], bindingFailureConditions=[])]}}
    status = {"allocation": plain}
    assert read_binding(Key("default", "c"), status, read_allocation(plain)) is None
    assert read_binding(Key("default", "c"), {}, None) is None


def test_the_worst_counts() -> None:
    soon, late, failed = Waiting(1, "a"), Waiting(2, "b"), Failed("c")
    assert worst([]) is None
    assert worst([None, late, soon]) == soon
    assert worst([soon, failed, late]) == failed


# -- the loop -----------------------------------------------------------------------------


def fabric(node_name: str) -> Obj:
    device = {
        "name": "d0",
        "bindingConditions": ["attached", "warm"],
        "bindingFailureConditions": ["broken"],
    }
    return resource_slice(node_name, [device], driver=DRIVER)


def given(name: str) -> Obj:
    """A claim that was allocated and reserved for the pod of its name, which is not bound yet."""
    made = claim(name)
    made["metadata"]["finalizers"] = ["resource.kubernetes.io/delete-protection"]
    made["status"] = {
        "allocation": {
            "devices": {"results": [result()]},
            "allocationTimestamp": SINCE,
            "nodeSelector": {
                "nodeSelectorTerms": [
                    {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}
                ]
            },
        },
        "reservedFor": [{"resource": "pods", "name": name, "uid": f"pod-{name}"}],
    }
    return made


def waiting_world() -> World:
    classes = [device_class("cpu-core.mizzen.dev", f'device.driver == "{DRIVER}"')]
    world = World(nodes=[node("n1", cpu="2")], slices=[fabric("n1")], classes=classes)
    world.add(given("a"), pod("a", claims=("a",), cpu="2"))
    return world


def tell(world: World, **conditions: str) -> None:
    found = world.get("ResourceClaim", "a")
    found["status"]["devices"] = [says(**conditions)]
    world.revision += 1
    found["metadata"]["resourceVersion"] = str(world.revision)


def test_a_pod_is_bound_once_its_devices_are_ready() -> None:
    world = waiting_world()
    plan = world.run()
    assert world.bound() == {}
    assert TIMEOUT_S <= plan.recheck_after_s <= TIMEOUT_S + 2
    assert world.get("Pod", "a")["status"]["nominatedNodeName"] == "n1"
    assert world.condition("a")["reason"] == "BindingConditionsPending"
    assert "awaits attached, warm, not ready yet" in world.condition("a")["message"]
    assert world.run().decisions == ()  # nothing new to say
    world.add(pod("b", cpu="1", priority=-1))
    world.run()
    assert world.bound() == {}  # the place on the node is kept
    tell(world, attached="True", warm="True")
    world.run()
    assert world.bound() == {"a": ["d0"]}


@pytest.mark.parametrize("how", ["failure", "timeout"])
def test_a_pod_whose_devices_fail_is_placed_anew(how: str) -> None:
    world = waiting_world()
    world.run()
    now_ns = NOW_NS + NS
    if how == "failure":
        tell(world, broken="True")
    else:
        now_ns = NOW_NS + (TIMEOUT_S + 2) * NS
    carry_out(world, now_ns)
    claimed = world.get("ResourceClaim", "a")
    assert not claimed["status"].get("allocation") and not claimed["status"].get("reservedFor")
    assert not claimed["status"].get("devices") and not claimed["metadata"].get("finalizers")
    assert world.condition("a")["reason"] == "DeviceBindingFailed"
    assert world.get("Pod", "a")["status"].get("nominatedNodeName") is None
    plan = world.plan(now_ns + NS)
    assert plan.decisions == () and 0 < plan.recheck_after_s <= RETRY_S
    world.slices = [
        resource_slice("n1", [{"name": "d1"}], driver=DRIVER, generation=2)
    ]  # the driver offers another
    carry_out(world, now_ns + int((RETRY_S + 1) * NS))
    assert world.bound() == {"a": ["d1"]}


def carry_out(world: World, now_ns: int) -> None:
    for decision in world.plan(now_ns).decisions:
        for operation in decision.operations:
            world.carry_out(operation)


def test_devices_with_conditions_are_allocated_first_and_bound_later() -> None:
    classes = [device_class("cpu-core.mizzen.dev", f'device.driver == "{DRIVER}"')]
    world = World(slices=[fabric("n1")], classes=classes)
    world.add(claim("a"), pod("a", claims=("a",)), claim("b"), pod("b", claims=("b",)))
    world.run()
    assert world.bound() == {}
    (given_result,) = world.get("ResourceClaim", "a")["status"]["allocation"]["devices"]["results"]
    assert given_result["bindingConditions"] == ["attached", "warm"]
    assert given_result["bindingFailureConditions"] == ["broken"]
    assert world.get("Pod", "a")["status"]["nominatedNodeName"] == "n1"
    world.run()
    assert "allocation" not in world.get("ResourceClaim", "b")["status"]  # not given twice
    tell(world, attached="True", warm="True")
    world.run()
    assert world.bound() == {"a": ["d0"]}
