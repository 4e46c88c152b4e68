"""Devices that vanish, pools that move on, claims deleted in use: a reason, and nothing twice."""

from __future__ import annotations

from collections import Counter

from mizzen.base.objects import Obj
from support.scheduler_world import (
    CORE,
    World,
    claim,
    device_class,
    exactly,
    halves,
    node,
    pod,
    resource_slice,
)


def given_once(world: World) -> None:
    """No device is in two allocations."""
    counts = Counter(
        (result["driver"], result["pool"], result["device"])
        for (kind, _), obj in world.objects.items()
        if kind == "ResourceClaim" and obj["status"].get("allocation")
        for result in obj["status"]["allocation"]["devices"]["results"]
    )
    assert not [device for device, count in counts.items() if count > 1]


def devices(*names: str, generation: int = 1, **more: object) -> Obj:
    listed = [{"name": name} for name in names]
    return resource_slice("n1", listed, generation=generation, **more)


def test_a_device_that_vanishes_while_allocated_is_not_given_again_when_it_returns() -> None:
    world = World(slices=[devices("d0", "d1")])
    world.add(claim("a"), pod("a", claims=("a",)))
    world.run()
    (first,) = world.bound()["a"]
    other = "d1" if first == "d0" else "d0"
    world.slices = [devices(other, generation=2)]
    world.add(claim("b"), pod("b", claims=("b",)), claim("c"), pod("c", claims=("c",)))
    world.run()
    assert world.bound() == {"a": [first], "b": [other]}
    world.slices = [devices("d0", "d1", generation=3)]
    world.run()
    assert "c" not in world.bound()
    assert world.condition("c")["status"] == "False" and world.condition("c")["message"]
    given_once(world)
    world.end("a")
    world.run()
    assert world.bound()["c"] == [first]
    given_once(world)


def test_all_devices_gone_is_explained() -> None:
    world = World(slices=[devices("d0")])
    world.add(claim("a"), pod("a", claims=("a",)))
    world.run()
    world.slices = []
    world.add(claim("b"), pod("b", claims=("b",)))
    world.run()
    assert world.bound() == {"a": ["d0"]}
    assert "0/1 nodes fit" in world.condition("b")["message"]
    given_once(world)


def test_a_pool_that_moves_on_is_used_when_it_is_whole_again() -> None:
    world = World(slices=[devices("d0", name="s0", count=1)])
    world.add(claim("a"), pod("a", claims=("a",)))
    world.run()
    half = devices("d0", name="s0", generation=2, count=2)
    world.slices = [half]
    world.add(claim("b"), pod("b", claims=("b",)))
    world.run()
    assert "b" not in world.bound()
    world.slices = [half, devices("d1", name="s1", generation=2, count=2)]
    world.run()
    assert world.bound() == {"a": ["d0"], "b": ["d1"]}
    given_once(world)


def test_a_slice_of_an_older_generation_is_not_looked_at() -> None:
    world = World(slices=[devices("old", name="s0"), devices("new", name="s1", generation=2)])
    world.add(*(claim(name) for name in "ab"), *(pod(name, claims=(name,)) for name in "ab"))
    world.run()
    assert sorted(d for listed in world.bound().values() for d in listed) == ["new"]


def test_a_claim_deleted_in_use_keeps_its_devices_and_takes_no_more_pods() -> None:
    world = World(slices=[devices("d0")])
    world.add(claim("a"), pod("a", claims=("a",)))
    world.run()
    deleted = world.get("ResourceClaim", "a")
    deleted["metadata"]["deletionTimestamp"] = "2027-01-15T08:00:00Z"
    deleted["metadata"]["resourceVersion"] = str(world.revision + 1)
    world.add(pod("late", claims=("a",)), claim("b"), pod("b", claims=("b",)))
    world.run()
    assert world.bound() == {"a": ["d0"]}
    assert "a" in world.condition("late")["message"]
    given_once(world)
    del world.objects["ResourceClaim", "a"]
    world.end("a", with_claim=False)
    world.run()
    assert world.bound() == {"b": ["d0"]}


def test_a_claim_that_vanishes_while_its_pod_waits_is_explained() -> None:
    world = World()
    world.add(claim("a", exactly("r", CORE, 9)), pod("a", claims=("a",)))
    world.run()
    del world.objects["ResourceClaim", "a"]
    world.run()
    message = world.condition("a")["message"]
    assert "ResourceClaim" in message and "default/a" in message


def test_a_class_that_vanishes_is_named() -> None:
    world = World(classes=[])
    world.add(claim("a"), pod("a", claims=("a",)))
    world.run()
    assert CORE in world.condition("a")["message"]
    world.classes = [device_class()]
    world.run()
    assert "a" in world.bound()


def test_a_slice_that_cannot_be_read_stops_nobody_else() -> None:
    broken = resource_slice("n2", [{"nameless": True}], name="broken")
    world = World(nodes=[node("n1"), node("n2")], slices=[halves(), broken])
    world.add(claim("a"), pod("a", claims=("a",)))
    world.run()
    assert len(world.bound()["a"]) == 1
    given_once(world)
