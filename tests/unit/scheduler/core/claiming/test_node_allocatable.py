"""What allocated devices take of their node's own resources."""

from __future__ import annotations

import pytest

from mizzen.base.objects import Obj
from mizzen.scheduler.core.claiming.node_allocatable import uses_of
from mizzen.scheduler.core.dra.slices import Shapes, read_slice
from support.scheduler_world import (
    World,
    claim,
    device_class,
    exactly,
    node,
    pod,
    resource_slice,
)

DRIVER = "gpu.example.com"
CLASS = "gpu"
GI = 1 << 30


def mapped(name: str = "d0", **mappings: Obj) -> Obj:
    capacity = {"memory": {"value": "8Gi"}, "cores": {"value": "4"}}
    return {"name": name, "capacity": capacity, "nodeAllocatableResourceMappings": mappings}


def uses(device: Obj, consumed: dict[str, int] | None = None) -> dict[str, int]:
    (read,) = read_slice(resource_slice("n1", [device], driver=DRIVER), Shapes()).devices
    billionths = None
    if consumed is not None:
        billionths = [(name, amount * 10**9) for name, amount in consumed.items()]
    return dict(uses_of(read.shape, billionths))


@pytest.mark.parametrize(
    ("mappings", "consumed", "found"),
    [
        ({"cpu": {"allocationMultiplier": "2"}}, None, {"cpu": 2000}),
        ({"cpu": {"allocationMultiplier": "250m"}}, None, {"cpu": 250}),
        ({"memory": {"allocationMultiplier": "2Gi"}}, {"memory": 1}, {"memory": 2 * GI}),
        ({"memory": {"capacityKey": "memory"}}, {"memory": 4 * GI}, {"memory": 4 * GI}),
        ({"cpu": {"capacityKey": "cores", "allocationMultiplier": "2"}}, {"cores": 8}, {"cpu": 16_000}),
        ({"cpu": {"capacityKey": "cores"}}, {"memory": 1}, {}),
        ({"cpu": {"capacityKey": "cores"}}, None, {"cpu": 4000}),
        ({"memory": {"allocationMultiplier": "1.5"}}, None, {"memory": 2}),
        ({}, None, {}),
    ],
)  # fmt: skip
def test_amounts(
    mappings: dict[str, Obj], consumed: dict[str, int] | None, found: dict[str, int]
) -> None:
    assert uses(mapped(**mappings), consumed) == found


def world(*devices: Obj, cpu: str = "4", memory: str = "8Gi") -> World:
    classes = [device_class(CLASS, f'device.driver == "{DRIVER}"')]
    slices = [resource_slice("n1", list(devices), driver=DRIVER)]
    return World(nodes=[node("n1", cpu, memory)], slices=slices, classes=classes)


def add(cluster: World, *names: str, **more: object) -> None:
    for name in names:
        cluster.add(claim(name, exactly("r", CLASS)), pod(name, claims=(name,), **more))


def test_devices_and_pods_share_the_nodes_cpu() -> None:
    cluster = world(*(mapped(f"d{i}", cpu={"allocationMultiplier": "1"}) for i in range(4)))
    add(cluster, "a", "b", cpu="1")
    add(cluster, "c", cpu="1", priority=-1)
    cluster.run()
    assert sorted(cluster.bound()) == ["a", "b"]  # 2 for the pods, 2 for their devices
    assert "cpu" in cluster.condition("c")["message"].lower()
    cluster.end("a")
    cluster.run()
    assert sorted(cluster.bound()) == ["b", "c"]


def test_devices_take_memory() -> None:
    cluster = world(*(mapped(f"d{i}", memory={"allocationMultiplier": "3Gi"}) for i in range(4)))
    add(cluster, "a", "b", "c")
    cluster.run()
    assert len(cluster.bound()) == 2
    (left,) = {"a", "b", "c"} - set(cluster.bound())
    assert "memory" in cluster.condition(left)["message"]
    cluster.forget()  # another scheduler sees the same
    cluster.run()
    assert len(cluster.bound()) == 2
    cluster.end(next(iter(cluster.bound())))
    cluster.run()
    assert len(cluster.bound()) == 2 and left in cluster.bound()


def test_shares_take_what_they_consume() -> None:
    shared = mapped("d0", memory={"capacityKey": "memory", "allocationMultiplier": "1"})
    cluster = world({**shared, "allowMultipleAllocations": True}, memory="4Gi")
    for name in "abc":
        wanted = exactly("r", CLASS, 1, capacity={"requests": {"memory": "2Gi", "cores": "1"}})
        cluster.add(claim(name, wanted), pod(name, claims=(name,)))
    cluster.run()
    assert len(cluster.bound()) == 2  # the device has 8 Gi, the node 4


def test_claims_that_several_nodes_reach_are_charged_where_they_are_local() -> None:
    cluster = world(mapped("d0", memory={"allocationMultiplier": "6Gi"}))
    everywhere = resource_slice(
        "", [{"name": "net"}], driver="net.example.com", pool="net", allNodes=True
    )
    cluster.slices.append(everywhere)
    cluster.classes.append(device_class("net", 'device.driver == "net.example.com"'))
    cluster.add(claim("a", exactly("g", CLASS), exactly("n", "net")), pod("a", claims=("a",)))
    cluster.run()
    assert sorted(cluster.bound()["a"]) == ["d0", "net"]
    big = pod("big")
    big["spec"]["containers"][0]["resources"] = {"requests": {"memory": "3Gi"}}
    cluster.add(big)
    cluster.run()
    assert "big" not in cluster.bound()


def test_the_pods_status_tells_what_its_claims_take() -> None:
    """Written with the binding; a second pod of a shared claim tells it as well."""
    memory = {"memory": {"capacityKey": "memory"}, "cpu": {"allocationMultiplier": "250m"}}
    cluster = world(mapped("d0", **memory), {"name": "plain"})
    cluster.add(claim("big", exactly("r", CLASS, 2)))
    for name in ("a", "b"):
        user = pod(name, claims=("big",))
        uses_it = {"claims": [{"name": "big"}]}
        user["spec"]["containers"].append({"name": "side", "resources": uses_it})
        cluster.add(user)
    unused = pod("c", claims=("big",))
    cluster.add(unused)
    cluster.run()
    cluster.run()
    told = {
        "resourceClaimName": "big",
        "containers": ["side"],
        "resources": {"cpu": "250m", "memory": "8Gi"},
    }
    for name in ("a", "b"):
        user = cluster.get("Pod", name)
        assert user["spec"]["nodeName"] == "n1"
        assert user["status"]["nodeAllocatableResourceClaimStatuses"] == [told]
    assert "nodeAllocatableResourceClaimStatuses" not in cluster.get("Pod", "c")["status"]
