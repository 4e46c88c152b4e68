"""Gangs whose members differ in size are placed whenever any packing places them."""

from __future__ import annotations

import itertools
import random

import pytest

from support.scheduler_world import World, node, pod, pod_group

ZONE = "topology.kubernetes.io/zone"


def packs(free: tuple[int, ...], sizes: tuple[int, ...]) -> bool:
    """Whether the members fit in any way: all ways are tried."""
    if not sizes:
        return True
    return any(
        packs((*free[:n], room - sizes[0], *free[n + 1 :]), sizes[1:])
        for n, room in enumerate(free)
        if room >= sizes[0]
    )


def world(free: tuple[int, ...], sizes: tuple[int, ...], required: bool = False) -> World:
    nodes = [node(f"n{i}", cpu=str(cpu), labels={ZONE: "a"}) for i, cpu in enumerate(free)]
    made = World(nodes=nodes, slices=[])
    group = pod_group("g", len(sizes))
    if required:
        group["spec"]["schedulingConstraints"] = {"topology": [{"key": ZONE}]}
    made.add(group)
    made.add(*(pod(f"g-{i}", gang="g", rank=i, cpu=str(c)) for i, c in enumerate(sizes)))
    return made


def bound(made: World) -> list[str]:
    made.run()
    pods = {n: o for (k, n), o in made.objects.items() if k == "Pod"}
    used: dict[str, int] = {}
    for obj in pods.values():
        if obj["spec"].get("nodeName"):
            cpu = int(obj["spec"]["containers"][0]["resources"]["requests"]["cpu"])
            used[obj["spec"]["nodeName"]] = used.get(obj["spec"]["nodeName"], 0) + cpu
    room = {n["metadata"]["name"]: int(n["status"]["allocatable"]["cpu"]) for n in made.nodes}
    assert all(amount <= room[name] for name, amount in used.items())
    return [name for name, obj in pods.items() if obj["spec"].get("nodeName")]


@pytest.mark.parametrize("order", list(itertools.permutations((2, 6, 7))))
def test_in_every_order_small(order: tuple[int, ...]) -> None:
    assert len(bound(world((7, 8), order))) == 3


@pytest.mark.parametrize("required", [False, True])
def test_in_every_order(required: bool) -> None:
    for order in random.Random(1).sample(list(itertools.permutations((7, 6, 5, 4, 3))), k=20):
        assert len(bound(world((9, 9, 7), order, required))) == 5


def test_whatever_fits_is_placed_and_nothing_else() -> None:
    feasible = 0
    for seed in range(150):
        rng = random.Random(seed)
        free = tuple(rng.randint(3, 12) for _ in range(rng.randint(2, 4)))
        sizes = tuple(rng.randint(1, 7) for _ in range(rng.randint(2, 6)))
        if abs(sum(free) - sum(sizes)) > 5:
            continue
        fits = packs(free, tuple(sorted(sizes, reverse=True)))
        feasible += fits
        assert len(bound(world(free, sizes))) == (len(sizes) if fits else 0), (free, sizes)
    assert feasible > 10


def test_who_does_not_fit_is_not_told_to_add_devices_to_cpus() -> None:
    made = world((4, 4), (3, 3, 3))
    made.run()
    message = made.condition("g-0")["message"]
    assert "ask for at most 2 members (it wants 3), or add nodes" in message


def test_members_that_nobody_counts_are_packed_as_well() -> None:
    made = world((7, 8), (2, 6, 7))
    for rank in range(3):
        container = made.get("Pod", f"g-{rank}")["spec"]["containers"][0]
        container["ports"] = [{"containerPort": 80, "hostPort": 8000 + rank}]
    assert len(bound(made)) == 3
