"""Who leaves does not depend on how large the cluster is: small and large ones have one tie-break."""

from __future__ import annotations

import pytest

from mizzen.base.objects import Obj
from mizzen.scheduler.core.limits import Limits
from support.scheduler_world import World, claim, exactly, node, pod, pod_group, resource_slice

DRIVER = "sim.dev"
DEVICES = 4


def world_of(limits: Limits, nodes: int = 1) -> World:
    devices = [{"name": f"d{i}"} for i in range(DEVICES)]
    names = [f"n{i}" for i in range(nodes)]
    world = World(
        nodes=[node(name, cpu="64") for name in names],
        slices=[resource_slice(name, devices, driver=DRIVER) for name in names],
        limits=limits,
    )
    world.classes[0]["spec"]["selectors"] = [
        {"cel": {"expression": f'device.driver == "{DRIVER}"'}}
    ]
    return world


def run(
    world: World, name: str, device: int, count: int = 1, at: str = "n0", **more: object
) -> Obj:
    """A pod that runs there and holds so many devices from number `device` on."""
    obj = pod(name, claims=(name,) if count else (), priority=0, **more)
    obj["spec"]["nodeName"] = at
    world.add(obj)
    if count:
        held = claim(name, exactly(count=count))
        user = {"resource": "pods", "name": name, "uid": obj["metadata"]["uid"]}
        results = [
            {"request": "r", "driver": DRIVER, "pool": at, "device": f"d{i}"}
            for i in range(device, device + count)
        ]
        held["status"] = {
            "reservedFor": [user],
            "allocation": {"devices": {"results": results}},
        }
        world.add(held)
    return obj


def want(world: World, count: int = 1) -> None:
    world.add(claim("want", exactly(count=count)), pod("want", claims=("want",), priority=9))


def leaving(world: World) -> list[str]:
    return [v.key.name for decision in world.plan().decisions for v in decision.victims]


SIZES = pytest.mark.parametrize(
    "limits", [Limits(), Limits(exact_nodes_max=0)], ids=["small", "large"]
)


@SIZES
def test_of_equals_the_one_named_last_leaves(limits: Limits) -> None:
    world = world_of(limits)
    for number in range(DEVICES):
        run(world, f"p{number}", number)
    want(world)
    assert leaving(world) == ["p3"]


@SIZES
def test_of_equals_the_newest_leaves(limits: Limits) -> None:
    world = world_of(limits)
    for number in range(DEVICES):
        more = {"created": "2027-01-15T07:30:00Z"} if number == 1 else {}
        run(world, f"p{number}", number, **more)
    want(world)
    assert leaving(world) == ["p1"]


@SIZES
def test_of_equal_gangs_the_one_named_last_leaves_from_its_last_rank_on(limits: Limits) -> None:
    world = world_of(limits)
    for at, gang in enumerate(("a", "b")):
        world.add(pod_group(gang, 2))
        for rank in range(2):
            run(world, f"{gang}-{rank}", 2 * at + rank, gang=gang, rank=rank)
    want(world, 2)
    assert leaving(world) == ["b-1", "b-0"]
