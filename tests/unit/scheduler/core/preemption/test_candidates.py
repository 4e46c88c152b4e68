"""Candidates, their steps and costs; and the same order in small and large clusters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from mizzen.base import names
from mizzen.base.objects import Key, Obj
from mizzen.scheduler.core.disruption_cost import DisruptionCost
from mizzen.scheduler.core.limits import Limits
from mizzen.scheduler.core.preemption.candidates import (
    REFORM_MS,
    Candidate,
    Member,
    evicted,
    gang,
    single,
)
from mizzen.scheduler.core.preemption.solver.choose import choose
from mizzen.scheduler.core.preemption.solver.problem import Demand, Kind, Problem
from mizzen.scheduler.core.types import PodShape, PodSpecView
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
    for at, name in enumerate(("a", "b")):
        world.add(pod_group(name, 2))
        for rank in range(2):
            run(world, f"{name}-{rank}", 2 * at + rank, gang=name, rank=rank)
    want(world, 2)
    assert leaving(world) == ["b-1", "b-0"]


@SIZES
def test_a_member_without_devices_counts_among_what_its_gang_loses(limits: Limits) -> None:
    """Both gangs hold two devices. One starts three pods anew, the other takes a second longer."""
    world = world_of(limits)
    for at, name in enumerate(("a", "b")):
        world.add(pod_group(name, 3 - at))
        for rank in range(2):
            made = run(world, f"{name}-{rank}", 2 * at + rank, gang=name, rank=rank)
            made["metadata"]["annotations"][names.RELOAD_SECONDS] = "6" if name == "b" else "5"
    run(world, "a-2", 0, count=0, gang="a", rank=2)
    want(world, 2)
    assert leaving(world) == ["b-1", "b-0"]


@SIZES
def test_a_pod_that_is_named_like_a_gang_is_another_candidate(limits: Limits) -> None:
    world = world_of(limits)
    world.add(pod_group("same", 2))
    for rank in range(2):
        run(world, f"same-{rank}", rank, gang="same", rank=rank)
    run(world, "same", 2)
    run(world, "other", 3)
    want(world, 4)
    assert set(leaving(world)) == {"same-0", "same-1", "same", "other"}


@SIZES
def test_whoever_gets_a_place_in_the_same_plan_is_not_evicted_in_it(limits: Limits) -> None:
    """A gang goes by its most important member; a less important one of it might be displaced."""
    world = world_of(limits)
    run(world, "low", 0, 2)
    world.add(pod_group("mixed", 2))
    for rank, priority in enumerate((9, 1)):
        name = f"mixed-{rank}"
        world.add(
            claim(name), pod(name, claims=(name,), gang="mixed", rank=rank, priority=priority)
        )
    for name in ("mixed-0", "mixed-1"):
        world.objects["ResourceClaim", name] = claim(name, exactly())
    world.add(claim("want", exactly(count=3)), pod("want", claims=("want",), priority=5))
    plan = world.plan()
    assert {p.pod.key.name for d in plan.decisions for p in d.placements} == {"mixed-0", "mixed-1"}
    assert [v.key.name for d in plan.decisions for v in d.victims] == []


@SIZES
def test_a_pod_named_like_a_gang_gets_a_place_and_the_gang_may_be_evicted(limits: Limits) -> None:
    world = world_of(limits)
    world.add(pod_group("same", 2))
    for rank in range(2):
        run(world, f"same-{rank}", rank, gang="same", rank=rank)
    world.add(claim("same", exactly(count=2)), pod("same", claims=("same",), priority=9))
    world.add(claim("want", exactly(count=2)), pod("want", claims=("want",), priority=5))
    plan = world.plan()
    assert [p.pod.key.name for d in plan.decisions for p in d.placements] == ["same"]
    assert [v.key.name for d in plan.decisions for v in d.victims] == ["same-1", "same-0"]


# -- a pod or gang on its own --------------------------------------------------------------------


def member(name: str, node: int, devices: int, priority: int = 0, **cost: Any) -> Member:
    """A pod on node n0 or n1."""
    key, shape = Key("default", name), PodShape(())
    view = PodSpecView(key, name, "1", shape, (), priority, 0, f"n{node}")
    return Member(view, devices, DisruptionCost(**cost))


def frees(members: Sequence[Member]) -> tuple[tuple[int, int], ...]:
    given: dict[int, int] = {}
    for one in members:
        node = int(one.pod.node[1:])
        given[node] = given.get(node, 0) + one.devices
    return tuple(given.items())


def a_gang(
    name: str, members: Sequence[Member], least: int, *, is_whole: bool = False
) -> Candidate:
    return gang(Key("default", name), members, least, is_whole=is_whole)


def test_an_elastic_gang_gives_its_surplus_from_the_last_rank_then_all_the_rest() -> None:
    members = [member(f"g-{r}", r, 2, unsaved_ms=60_000, reload_ms=1_000) for r in range(4)]
    found = a_gang("g", members, 2)
    assert [step.kind for step in found.steps] == [Kind.SHRINK, Kind.SHRINK, Kind.SUSPEND]
    assert [step.loss for step in found.steps] == [2 * REFORM_MS, 2 * REFORM_MS, 8 * 61_000]
    steps = found.holder(frees).steps
    assert [step.frees for step in steps] == [((3, 2),), ((2, 2),), ((1, 2), (0, 2))]
    assert [step.pods for step in steps] == [1, 1, 2]


def test_a_group_disrupted_as_a_whole_has_one_step() -> None:
    members = [member("g-0", 0, 1), member("g-1", 0, 1), member("g-2", 1, 1)]
    (step,) = a_gang("g", members, 1, is_whole=True).holder(frees).steps
    assert (step.frees, step.pods) == (((1, 1), (0, 2)), 3)


def test_a_gang_of_which_one_pod_cannot_resume_is_killed() -> None:
    members = [member("g-0", 0, 1), member("g-1", 1, 1, resumes=False)]
    assert a_gang("g", members, 2).steps[-1].kind is Kind.KILL


def chosen(candidates: Sequence[Candidate], chips: int = 8) -> list[str]:
    """The pods that leave so that a pod gets `chips` of node 0 or 1, both full."""
    holders = tuple(candidate.holder(frees) for candidate in candidates)
    answer = choose(Problem(Demand(((chips, 1),)), (0, 0), ((0,), (1,)), holders))
    assert answer is not None
    return [pod.key.name for pod in evicted(candidates, answer.levels)]


def test_a_checkpoint_written_just_now_makes_a_gang_the_cheaper_victim() -> None:
    fresh = single(member("fresh", 0, 8, unsaved_ms=5_000))
    stale = single(member("stale", 1, 8, unsaved_ms=600_000))
    assert chosen([stale, fresh]) == ["fresh"]


def test_a_cold_cache_leaves_before_a_warm_one() -> None:
    warm = single(member("warm", 0, 8, reload_ms=90_000))
    cold = single(member("cold", 1, 8, reload_ms=10_000))
    assert chosen([warm, cold]) == ["cold"]


def test_among_equals_what_can_resume_goes_before_what_is_lost() -> None:
    lost = single(member("lost", 0, 8, unsaved_ms=1_000, resumes=False))
    kept = single(member("kept", 1, 8, unsaved_ms=900_000))
    assert chosen([lost, kept]) == ["kept"]


def test_the_less_important_goes_though_it_loses_more() -> None:
    low = single(member("low", 0, 8, unsaved_ms=900_000, resumes=False))
    high = single(member("high", 1, 8, 1, unsaved_ms=1_000))
    assert chosen([high, low]) == ["low"]


def test_surplus_of_the_more_important_goes_before_anyone_whole() -> None:
    elastic = a_gang("elastic", [member("e-0", 0, 4, 5), member("e-1", 0, 4, 5)], 1)
    low = single(member("low", 1, 8))
    assert chosen([low, elastic], chips=4) == ["e-1"]
