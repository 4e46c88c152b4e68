"""All that is told is so: who is held back, what is free, who is enough to leave."""

from __future__ import annotations

import pytest

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
    pod_group,
    resource_slice,
)


def test_members_that_are_held_back_are_named() -> None:
    world = World()
    world.add(pod_group("g", 2), pod("a", gang="g"))
    world.add(pod("b", gang="g", schedulingGates=[{"name": "quota"}]))
    world.run()
    assert (
        "it starts when Pod default/b, which is held back by scheduling gate quota, may be placed"
        in world.condition("a")["message"]
    )


def test_members_without_ranks_are_not_asked_for_ranks() -> None:
    world = World()
    world.add(pod_group("g", 2), pod("a", gang="g"))
    world.run()
    assert world.condition("a")["message"].endswith("it starts when the others exist")


def test_free_devices_are_those_of_the_wish_that_falls_short() -> None:
    """All network cards are held; that graphics cards are free is no comfort."""

    def devices(node_name: str) -> Obj:
        listed = [
            {"name": f"{kind}{i}", "attributes": {"kind": {"string": kind}}}
            for kind in ("gpu", "nic")
            for i in range(2)
        ]
        return resource_slice(node_name, listed, driver="x.dev")

    classes = [device_class(k, f'device.attributes["x.dev"].kind == "{k}"') for k in ("gpu", "nic")]
    nodes = [node("n1"), node("n2")]
    world = World(nodes=nodes, slices=[devices("n1"), devices("n2")], classes=classes)
    for number in range(4):
        world.add(
            claim(f"c{number}", exactly("n", "nic")), pod(f"p{number}", claims=(f"c{number}",))
        )
    world.run()
    world.add(claim("both", exactly("g", "gpu"), exactly("n", "nic")), pod("p", claims=("both",)))
    world.run()
    message = world.condition("p")["message"]
    assert "class nic (want 1, most free 0)" in message and "scattered" not in message


def test_a_claim_that_the_attempt_gave_out_is_not_called_allocated() -> None:
    """Both pods share it, and together they fit no node."""
    world = World(
        nodes=[node("n1", cpu="1"), node("n2", cpu="1")], slices=[halves("n1"), halves("n2")]
    )
    world.add(pod_group("g", 2), claim("shared"))
    for number in range(2):
        made = pod(f"g-{number}", gang="g", rank=number, claims=("shared",))
        made["spec"]["containers"][0]["resources"] = {"requests": {"memory": "6Gi"}}
        world.add(made)
    world.run()
    message = world.condition("g-0")["message"]
    assert "is allocated" not in message and "would get its devices" in message


def test_the_smallest_leave_is_the_fewest_pods_and_devices_of_plugins() -> None:
    plugin = {"nvidia.com/gpu": "8"}
    world = World(nodes=[node("n1"), node("n2")], slices=[])
    for obj in world.nodes:
        obj["status"]["allocatable"] |= plugin
        obj["status"]["capacity"] |= plugin

    def asking(name: str, count: int, on: str = "") -> Obj:
        made = pod(name, **({"nodeName": on} if on else {}))
        made["spec"]["containers"][0]["resources"] = {"limits": {"nvidia.com/gpu": str(count)}}
        return made

    world.add(asking("eight", 8, "n1"), asking("one", 1, "n2"), asking("seven", 7, "n2"))
    world.add(asking("new", 1))
    world.run()
    assert (
        "it fits once Pod default/one leaves (1 device on node n2)"
        in world.condition("new")["message"]
    )
    world = World(nodes=[node("n1", cpu="2"), node("n2", cpu="2")], slices=[])
    for name, on, cpu in (("two-a", "n1", "1"), ("two-b", "n1", "1"), ("single", "n2", "2")):
        world.add(pod(name, nodeName=on, cpu=cpu))
    world.add(pod("new", cpu="2"))
    world.run()
    assert "it fits once Pod default/single leaves" in world.condition("new")["message"]


def test_a_gang_that_gets_its_places_in_the_same_plan_is_among_those_who_would_have_to_leave() -> (
    None
):
    world = World(nodes=[node(cpu="2")])
    world.add(pod_group("g", 1))
    for rank in range(2):
        world.add(pod(f"g-{rank}", gang="g", rank=rank, cpu="1", priority=5))
    world.add(pod("late", cpu="1"))
    plan = world.plan()
    assert {p.pod.key.name for d in plan.decisions for p in d.placements} == {"g-0", "g-1"}
    (why,) = [d.operations for d in plan.decisions if d.subject.endswith('/late"')]
    assert "it fits once Pod default/g-1 leaves" in str(why)


@pytest.mark.parametrize("late", ["n1", "n2", "n3"])
def test_a_pool_that_is_being_published_is_told_whichever_nodes_it_is(late: str) -> None:
    names = ("n1", "n2", "n3")
    slices = [
        resource_slice(name, [{"name": f"{name}-other"}], driver="x.dev", count=1 + (name == late))
        for name in names
    ]
    classes = [device_class("y", 'device.driver == "y.dev"')]
    world = World(nodes=[node(name) for name in names], slices=slices, classes=classes)
    world.add(claim("c", exactly("r", "y")), pod("p", claims=("c",)))
    world.run()
    message = world.condition("p")["message"]
    assert f"wait until the driver has published it (pool x.dev/{late} is incomplete" in message


def test_a_long_selector_is_not_repeated() -> None:
    long = 'device.driver == "' + "x" * 9000 + '"'
    world = World()
    world.add(claim("c", exactly("r", CORE, 1, long)), pod("p", claims=("c",)))
    world.run()
    assert len(world.condition("p")["message"]) < 1000


def test_a_gang_evicts_only_whom_its_least_member_may() -> None:
    world = World(nodes=[node("n1", cpu="2"), node("n2", cpu="2")], slices=[])
    world.add(*(pod(f"old-{n}", cpu="2", nodeName=f"n{n}", priority=500) for n in (1, 2)))
    world.add(pod_group("g", 2))
    world.add(
        *(pod(f"g-{n}", gang="g", rank=n, cpu="2", priority=p) for n, p in ((0, 1000), (1, 100)))
    )
    world.run()
    assert not any(o["metadata"].get("deletionTimestamp") for o in world.objects.values())
    assert "with a priority above 500 (it has 100)" in world.condition("g-0")["message"]
