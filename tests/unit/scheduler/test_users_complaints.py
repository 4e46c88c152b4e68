"""What users of other schedulers complain of, from objects to what is written on them.

Each test is one complaint: a small cluster, the whole loop, and what a user would read.
"""

from __future__ import annotations

import json
from typing import Any

from tests.support.scheduler_world import (
    World,
    claim,
    device_class,
    exactly,
    node,
    pod,
    pod_group,
    resource_slice,
)

from mizzen.base.names import TOPOLOGY_REQUIRED, UNSCHEDULABLE
from mizzen.base.objects import Obj

RACK = "topology.mizzen.dev/rack"
GPU = "gpu.test"


def cluster(racks: int, nodes: int, gpus: int = 8) -> World:
    """Racks of nodes with so many GPUs each."""
    world = World(nodes=[], slices=[], classes=[device_class("gpu", f'device.driver == "{GPU}"')])
    for at in range(racks * nodes):
        name = f"n{at:02d}"
        labels = {RACK: f"r{at // nodes}"}
        world.nodes.append(node(name, cpu="64", memory="512Gi", labels=labels))
        devices: list[Obj] = [{"name": f"gpu-{i}", "attributes": {}} for i in range(gpus)]
        world.slices.append(resource_slice(name, devices, driver=GPU, nodeName=name))
    return world


def add(world: World, name: str, count: int, node_name: str = "", **more: Any) -> None:
    """A pod that wants so many GPUs, on a node of its choice if one is given."""
    selector = {"nodeSelector": {"kubernetes.io/hostname": node_name}} if node_name else {}
    world.add(
        claim(name, exactly("gpus", "gpu", count)), pod(name, claims=(name,), **selector, **more)
    )


def add_gang(world: World, name: str, members: int, count: int, **more: Any) -> list[str]:
    group = pod_group(name, members)
    group["metadata"]["annotations"] = {TOPOLOGY_REQUIRED: RACK}
    world.add(group)
    names = [f"{name}-{rank}" for rank in range(members)]
    for rank, member in enumerate(names):
        add(world, member, count, gang=name, rank=rank, **more)
    return names


def label_hosts(world: World) -> None:
    for item in world.nodes:
        item["metadata"]["labels"]["kubernetes.io/hostname"] = item["metadata"]["name"]


def occupy(world: World, used: dict[str, int], **more: Any) -> None:
    """One pod on each of these nodes with so many GPUs."""
    label_hosts(world)
    for name, count in used.items():
        add(world, f"on-{name}", count, name, **more)
    world.run()
    assert set(world.bound()) >= {f"on-{name}" for name in used}


def written(world: World, name: str) -> Obj:
    return json.loads(world.get("Pod", name)["metadata"]["annotations"][UNSCHEDULABLE])


def finish_evictions(world: World) -> list[str]:
    gone = [
        name
        for (kind, name), obj in list(world.objects.items())
        if kind == "Pod" and obj["metadata"].get("deletionTimestamp")
    ]
    for name in gone:
        world.end(name)
    return gone


def assert_no_device_twice(world: World) -> None:
    held = [
        (world.get("Pod", name)["spec"]["nodeName"], device)
        for name, devices in world.bound().items()
        for device in devices
    ]
    assert len(held) == len(set(held))


def racks_of(world: World, names: list[str]) -> set[str]:
    labels = {n["metadata"]["name"]: n["metadata"]["labels"][RACK] for n in world.nodes}
    return {labels[world.get("Pod", name)["spec"]["nodeName"]] for name in names}


def test_eight_gpus_free_but_scattered_do_not_admit_a_pod_of_eight() -> None:
    """Half of every node is free: it waits, is told how much, and which pod would have to leave."""
    world = cluster(1, 4)
    occupy(world, {f"n{at:02d}": 4 for at in range(4)}, priority=5)
    add(world, "big", 8, priority=5)
    world.run()
    assert "big" not in world.bound()
    found = written(world, "big")
    (reason,) = found["reasons"]
    assert (reason["reason"], reason["nodes"]) == ("InsufficientDevices", 4)
    assert (reason["want"], reason["mostFree"], reason["free"]) == (8, 4, 16)
    change = found["changes"][0]
    assert (change["change"], change["devices"], change["verified"]) == ("Leave", 4, True)
    world.end(change["pods"][0].partition("/")[2])
    world.run()
    assert len(world.bound()["big"]) == 8
    assert_no_device_twice(world)


def test_a_gang_learns_which_rack_lacks_how_many_chips_and_what_would_free_them() -> None:
    """Racks of 64: one lacks 3 chips, the other 8; 117 are free, but no rack has 64."""
    world = cluster(2, 8)
    occupy(world, {"n00": 8, "n08": 2, "n09": 1}, priority=7)
    names = add_gang(world, "clique", 8, 8, priority=7)
    world.run()
    assert not set(names) & set(world.bound())
    found = written(world, names[0])
    reason = found["reasons"][0]
    assert reason["reason"] == "DomainTooSmall"
    assert (reason["want"], reason["free"]) == (64, 117)
    assert (reason["domain"], reason["freeThere"], reason["membersThere"]) == ("r0", 56, 7)
    leave, relax = found["changes"]
    assert leave["change"] == "Leave"
    assert (leave["devices"], sorted(leave["pods"])) == (3, ["default/on-n08", "default/on-n09"])
    assert leave["domain"] == f"{RACK} r1"
    assert relax["constraints"] == [{"constraint": "OuterLevel", "level": RACK, "levelsOut": 1}]
    for name in ("on-n08", "on-n09"):
        world.end(name)
    world.run()
    assert racks_of(world, names) == {"r1"}
    assert_no_device_twice(world)


def test_a_clique_of_64_evicts_from_one_rack_instead_of_pending_forever() -> None:
    """Cheap victims abound in every rack: only one rack is emptied, and the clique gets it whole."""
    world = cluster(3, 8)
    occupy(world, {f"n{at:02d}": 4 for at in range(24)})
    names = add_gang(world, "clique", 8, 8, priority=100)
    world.run()
    gone = finish_evictions(world)
    assert len(gone) == 8
    assert (
        len(racks_of(world, [f"on-n{at:02d}" for at in range(24) if f"on-n{at:02d}" not in gone]))
        == 2
    )
    world.run()
    assert len(racks_of(world, names)) == 1
    assert_no_device_twice(world)


def test_a_gang_is_forced_in_where_the_fewest_others_have_to_move() -> None:
    """One pod in one rack, four in another: the one moves, and finds room elsewhere."""
    world = cluster(2, 4)
    occupy(world, {"n00": 1, "n04": 2, "n05": 2, "n06": 2, "n07": 2})
    names = add_gang(world, "large", 4, 8, priority=10)
    world.run()
    assert finish_evictions(world) == ["on-n00"]
    world.run()
    assert racks_of(world, names) == {"r0"}
    add(world, "moved", 1)
    world.run()
    assert racks_of(world, ["moved"]) == {"r1"}
    assert_no_device_twice(world)


def test_small_pods_leave_whole_racks_free_for_what_needs_one() -> None:
    """Defragmentation that is not needed: singles fill one rack before they touch another."""
    world = cluster(3, 4)
    for at in range(8):
        add(world, f"small-{at}", 2)
    world.run()
    assert len(racks_of(world, [f"small-{at}" for at in range(8)])) == 1
    names = add_gang(world, "first", 4, 8) + add_gang(world, "second", 4, 8)
    world.run()
    assert set(names) <= set(world.bound())
    assert_no_device_twice(world)


def test_what_would_have_to_leave_is_accounted_in_devices_pods_and_nodes() -> None:
    """Of two racks the one that frees fewer devices is named, though it holds more pods."""
    world = cluster(2, 2)
    occupy(world, {"n00": 8, "n02": 1, "n03": 2}, priority=3)
    names = add_gang(world, "pair", 2, 8, priority=3)
    world.run()
    leave = written(world, names[0])["changes"][0]
    assert (leave["devices"], len(leave["pods"])) == (3, 2)
    assert sorted(leave["nodes"]) == ["n02", "n03"]


def test_a_claim_shared_by_pods_is_counted_once() -> None:
    """Two pods share eight GPUs: both run, nothing more is taken, and a third pod's own claim waits."""
    world = cluster(1, 1)
    world.add(claim("shared", exactly("gpus", "gpu", 8)))
    world.add(pod("a", claims=("shared",)), pod("b", claims=("shared",)))
    world.run()
    world.run()  # the second one rests on what was written for the first
    assert set(world.bound()) == {"a", "b"}
    assert world.bound()["a"] == world.bound()["b"]
    add(world, "c", 1)
    world.run()
    assert "c" not in world.bound()
    change = written(world, "c")["changes"][0]
    assert sorted(change["pods"]) == ["default/a", "default/b"]


def test_of_first_available_what_is_chosen_is_counted_and_nothing_else() -> None:
    """Eight wished, four accepted: four are taken, so that another pod of four fits beside it."""
    world = cluster(1, 1)
    add(world, "other", 2)
    world.run()
    spec: Obj = {
        "name": "gpus",
        "firstAvailable": [
            {"name": "all", "deviceClassName": "gpu", "allocationMode": "ExactCount", "count": 8},
            {"name": "half", "deviceClassName": "gpu", "allocationMode": "ExactCount", "count": 4},
        ],
    }
    world.add(claim("either", spec), pod("either", claims=("either",)))
    world.run()
    assert len(world.bound()["either"]) == 4
    add(world, "last", 2)
    world.run()
    assert len(world.bound()["last"]) == 2
    assert_no_device_twice(world)


def partitioned() -> World:
    """One GPU cut by counters: a whole one, two halves, or four quarters."""
    world = World(
        nodes=[node("n1", cpu="8")],
        slices=[],
        classes=[device_class("gpu", f'device.driver == "{GPU}"')],
    )

    def part(name: str, memory: str) -> Obj:
        uses = {"counterSet": "gpu-0", "counters": {"memory": {"value": memory}}}
        return {
            "name": name,
            "attributes": {"profile": {"string": name.partition("-")[0]}},
            "consumesCounters": [uses],
        }

    devices = [
        part("whole-0", "80Gi"),
        *(part(f"half-{i}", "40Gi") for i in range(2)),
        *(part(f"quarter-{i}", "20Gi") for i in range(4)),
    ]
    counters = [{"name": "gpu-0", "counters": {"memory": {"value": "80Gi"}}}]
    parts = resource_slice("n1", devices, driver=GPU, nodeName="n1", count=2)
    shared = resource_slice(
        "n1", [], driver=GPU, nodeName="n1", count=2, name="counters", sharedCounters=counters
    )
    del shared["spec"]["devices"]
    world.slices += [parts, shared]
    return world


def wants(profile: str) -> str:
    return f'device.attributes["{GPU}"].profile == "{profile}"'


def test_partitions_share_a_gpu_with_isolation_and_the_shortage_names_the_counter() -> None:
    """A half and two quarters fill it; a half more waits and is told which counter is used up."""
    world = partitioned()
    for at, profile in enumerate(["half", "quarter", "quarter"]):
        name = f"p{at}"
        world.add(claim(name, exactly("gpu", "gpu", 1, wants(profile))), pod(name, claims=(name,)))
    world.run()
    assert len(world.bound()) == 3
    world.add(claim("late", exactly("gpu", "gpu", 1, wants("half"))), pod("late", claims=("late",)))
    world.run()
    assert "late" not in world.bound()
    found = written(world, "late")
    assert "memory" in found["reasons"][0]["message"]
    assert found["changes"][0]["change"] == "Leave"
    world.end(found["changes"][0]["pods"][0].partition("/")[2])
    world.run()
    assert "late" in world.bound()
    assert_no_device_twice(world)


def test_why_a_pod_is_pending_is_said_for_every_node_and_kept_current() -> None:
    """One node is cordoned, one tainted, one full: each is counted; once one is back, it runs."""
    world = cluster(1, 3)
    world.nodes[0]["spec"]["unschedulable"] = True
    world.nodes[1]["spec"]["taints"] = [
        {"key": "dedicated", "value": "infer", "effect": "NoSchedule"}
    ]
    occupy(world, {"n02": 8}, priority=5)
    add(world, "late", 8, priority=5)
    world.run()
    found = written(world, "late")
    assert sorted((r["reason"], r["nodes"]) for r in found["reasons"]) == [
        ("InsufficientDevices", 1),
        ("NodeUnschedulable", 1),
        ("TaintNotTolerated", 1),
    ]
    assert [c["change"] for c in found["changes"]] == ["Leave", "Relax"]
    before = world.condition("late")
    assert world.run().decisions == ()  # nothing new, nothing written
    assert world.condition("late") == before
    world.nodes[0]["spec"].pop("unschedulable")
    world.run()
    assert world.get("Pod", "late")["spec"]["nodeName"] == "n00"


def test_a_shared_device_without_capacity_left_says_which_capacity_and_how_much() -> None:
    """Two pods share a GPU's memory; a third wants more than is left of it."""
    world = World(
        nodes=[node("n1", cpu="8")],
        slices=[],
        classes=[device_class("gpu", f'device.driver == "{GPU}"')],
    )
    device = {
        "name": "gpu-0",
        "allowMultipleAllocations": True,
        "capacity": {"memory": {"value": "80Gi"}},
    }
    world.slices.append(resource_slice("n1", [device], driver=GPU, nodeName="n1"))

    def share(name: str, memory: str) -> None:
        spec = exactly("gpu", "gpu", 1, capacity={"requests": {"memory": memory}})
        world.add(claim(name, spec), pod(name, claims=(name,)))

    share("a", "50Gi")
    world.run()
    share("b", "20Gi")
    world.run()
    share("c", "30Gi")
    world.run()
    assert set(world.bound()) == {"a", "b"}
    found = written(world, "c")
    assert found["reasons"][0]["reason"] == "InsufficientCapacity"
    assert "capacity memory (want 30Gi, most left 10Gi)" in found["reasons"][0]["message"]
    assert found["changes"][0]["pods"] == ["default/b"]
    world.end("b")
    world.run()
    assert "c" in world.bound()


def test_devices_that_do_not_agree_are_told_by_the_attribute_and_the_constraint_to_drop() -> None:
    """Two GPUs are free, one on each switch; a pair on one switch waits and learns why."""
    world = World(
        nodes=[node("n1", cpu="8")],
        slices=[],
        classes=[device_class("gpu", f'device.driver == "{GPU}"')],
    )
    devices = [{"name": f"gpu-{i}", "attributes": {"switch": {"int": i // 2}}} for i in range(4)]
    world.slices.append(resource_slice("n1", devices, driver=GPU, nodeName="n1"))
    for at in range(2):
        cel = f'device.attributes["{GPU}"].switch == {at}'
        world.add(claim(f"p{at}", exactly("gpu", "gpu", 1, cel)), pod(f"p{at}", claims=(f"p{at}",)))
    world.run()
    together = [{"matchAttribute": f"{GPU}/switch"}]
    world.add(claim("pair", exactly("gpu", "gpu", 2), constraints=together))
    world.add(pod("pair", claims=("pair",)))
    world.run()
    found = written(world, "pair")
    assert found["reasons"][0]["message"] == (
        f"2 devices of class gpu are free, but at most 1 of them agree in {GPU}/switch (want 2)"
    )
    assert [c["change"] for c in found["changes"]] == ["Leave", "Relax"]
    assert found["changes"][1]["constraints"] == [
        {
            "constraint": "DropDeviceConstraint",
            "claim": "default/pair",
            "attribute": f"{GPU}/switch",
        }
    ]
    world.end("p0")
    world.run()
    assert len(world.bound()["pair"]) == 2
    assert_no_device_twice(world)
