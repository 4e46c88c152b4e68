"""Victims against the exhaustive oracle, and invariants over random histories."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mizzen.base.objects import Obj, is_terminating
from mizzen.scheduler.core.limits import DEFAULT, Limits
from oracle.victims import Cost, Entry, Running, cheapest, cost, levels
from support.scheduler_world import (
    World,
    claim,
    exactly,
    node,
    pod,
    pod_group,
    resource_slice,
)

pytestmark = pytest.mark.slow


NODES = ("n1", "n2")
AS_IN_LARGE_CLUSTERS = Limits(exact_nodes_max=0)
DEVICES = 4


def world_of(*names: str, limits: Limits = DEFAULT) -> World:
    slices = [
        resource_slice(n, [{"name": f"d{i}"} for i in range(DEVICES)], driver="sim.dev")
        for n in names
    ]
    world = World(nodes=[node(n, cpu="64") for n in names], slices=slices, limits=limits)
    world.classes[0]["spec"]["selectors"] = [{"cel": {"expression": 'device.driver == "sim.dev"'}}]
    return world


def occupy(world: World, running: Running, first: int) -> None:
    """Puts a pod where the case says, on devices from number `first` on."""
    obj = pod(
        running.name,
        claims=(running.name,),
        priority=running.priority,
        **({"gang": running.gang, "rank": running.rank} if running.gang else {}),
    )
    obj["spec"]["nodeName"] = running.node
    held = claim(running.name, exactly(count=running.devices))
    held["status"] = {
        "reservedFor": [{"resource": "pods", "name": running.name, "uid": obj["metadata"]["uid"]}],
        "allocation": {
            "devices": {
                "results": [
                    {"request": "r", "driver": "sim.dev", "pool": running.node, "device": f"d{i}"}
                    for i in range(first, first + running.devices)
                ]
            }
        },
    }
    world.add(obj, held)


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[Running], dict[str, int], int]:
    """Running pods that fit the nodes, gang minima, and how many devices somebody wants."""
    free = dict.fromkeys(NODES, DEVICES)
    running: list[Running] = []
    minimum = {gang: draw(st.integers(1, 2)) for gang in ("g1", "g2")}
    priorities = {gang: draw(st.integers(0, 2)) for gang in minimum}
    ranks = dict.fromkeys(minimum, 0)
    for index in range(draw(st.integers(1, 6))):
        gang = draw(st.sampled_from(["", "g1", "g2"]))
        where = draw(st.sampled_from(NODES))
        count = draw(st.integers(1, 2))
        if free[where] < count:
            continue
        free[where] -= count
        rank = ranks[gang] if gang else 0
        if gang:
            ranks[gang] += 1
        priority = priorities[gang] if gang else draw(st.integers(0, 3))
        running.append(Running(f"p{index}", gang, rank, priority, where, count))
    return running, minimum, draw(st.integers(1, DEVICES))


@settings(max_examples=80, deadline=None)
@given(case=cases(), exhaustive=st.booleans(), is_large=st.booleans())
def test_victims_are_the_cheapest_permitted_set(
    case: tuple[list[Running], dict[str, int], int], exhaustive: bool, is_large: bool
) -> None:
    running, minimum, want = case
    limits = AS_IN_LARGE_CLUSTERS if is_large else DEFAULT
    limits = limits if exhaustive else replace(limits, solver_sets_max=0)
    world = world_of(*NODES, limits=limits)
    free = dict.fromkeys(NODES, DEVICES)
    for gang, least in minimum.items():
        world.add(pod_group(gang, least))
    for item in running:
        occupy(world, item, DEVICES - free[item.node])
        free[item.node] -= item.devices
    world.add(claim("want", exactly(count=want)), pod("want", claims=("want",), priority=2))
    expected = cheapest(running, minimum, free, want, below=2)
    plan = world.plan()
    (decision,) = plan.decisions
    if max(free.values()) >= want:
        assert decision.placements
        return
    if expected is None:
        assert decision.victims == ()
        assert decision.unschedulable
        return
    chosen = {v.key.name for v in decision.victims}
    by_name = {r.name: r for r in running}
    assert all(by_name[name].priority < 2 for name in chosen)
    _assert_gangs_give_their_highest_ranks(running, minimum, chosen)
    if exhaustive:
        assert _cost(running, minimum, chosen) == expected
    else:
        _assert_none_is_superfluous(running, minimum, free, want, chosen)


@settings(max_examples=60, deadline=None)
@given(case=cases(), is_gang=st.booleans())
def test_pods_that_share_a_claim_make_others_leave_in_large_clusters(
    case: tuple[list[Running], dict[str, int], int], is_gang: bool
) -> None:
    running, minimum, want = case
    world = world_of(*NODES, limits=AS_IN_LARGE_CLUSTERS)
    free = dict.fromkeys(NODES, DEVICES)
    for gang, least in minimum.items():
        world.add(pod_group(gang, least))
    for item in running:
        occupy(world, item, DEVICES - free[item.node])
        free[item.node] -= item.devices
    world.add(claim("want", exactly(count=want)), pod_group("want", 2))
    for rank in range(2):
        more = {"gang": "want", "rank": rank} if is_gang else {}
        world.add(pod(f"want-{rank}", claims=("want",), priority=2, **more))
    expected = cheapest(running, minimum, free, want, below=2)
    plan = world.plan()
    chosen = {victim.key.name for decision in plan.decisions for victim in decision.victims}
    if max(free.values()) >= want or expected is None:
        assert chosen == set()
    elif is_gang:
        assert chosen
        _assert_gangs_give_their_highest_ranks(running, minimum, chosen)
        _assert_none_is_superfluous(running, minimum, free, want, chosen)
    else:
        assert _cost(running, minimum, chosen) == expected


def _cost(running: list[Running], minimum: dict[str, int], chosen: set[str]) -> Cost:
    entries: list[Entry] = []
    for gang in {r.gang or r.name for r in running}:
        members = sorted((r for r in running if (r.gang or r.name) == gang), key=lambda r: -r.rank)
        leaving = [r for r in members if r.name in chosen]
        every = levels(members, minimum.get(gang, len(members)))
        (taken,) = (level for level in every if [pod for pod, *_ in level] == leaving)
        entries += taken
    return cost(entries)


def _assert_gangs_give_their_highest_ranks(
    running: list[Running], minimum: dict[str, int], chosen: set[str]
) -> None:
    for gang, least in minimum.items():
        members = [r for r in running if r.gang == gang]
        left = sorted(r.rank for r in members if r.name not in chosen)
        assert left == list(range(len(left))), "ranks that stay are contiguous from 0"
        if len(left) < len(members):
            assert not left or len(left) >= least, "a gang shrinks to its minimum or leaves whole"


def _assert_none_is_superfluous(
    running: list[Running],
    minimum: dict[str, int],
    free: dict[str, int],
    want: int,
    chosen: set[str],
) -> None:
    """No single step can be given back."""
    for gang in {r.gang or r.name for r in running}:
        members = [r for r in running if (r.gang or r.name) == gang]
        leaving = [r for r in members if r.name in chosen]
        if not leaving:
            continue
        least = minimum.get(gang, len(members))
        kept_back = leaving if len(members) - len(leaving) < least else leaving[:1]
        if len(leaving) == len(members) and len(members) > least:
            kept_back = [r for r in members if r.rank < least]
        back = {r.name for r in kept_back}
        freed = dict(free)
        for r in running:
            if r.name in chosen - back:
                freed[r.node] += r.devices
        assert max(freed.values()) < want


# -- random histories -----------------------------------------------------------------------------

steps = st.one_of(
    st.tuples(st.just("pod"), st.integers(0, 3), st.integers(1, 3)),
    st.tuples(st.just("gang"), st.integers(0, 3), st.integers(1, 4)),
    st.tuples(st.just("end"), st.integers(0, 9), st.just(0)),
    st.tuples(st.just("finish"), st.integers(0, 9), st.just(0)),
)


@settings(max_examples=60, deadline=None)
@given(history=st.lists(steps, min_size=1, max_size=14))
def test_invariants_hold_over_random_histories(history: list[tuple[str, int, int]]) -> None:
    world = world_of(*NODES)
    for number, (what, x, y) in enumerate(history):
        _step(world, number, what, x, y)
        before = set(_devices(world))
        plan = world.run()
        _assert_invariants(world)
        for decision in plan.decisions:
            for victim in decision.victims:
                assert victim.key.name in before, "only what runs is evicted"
    for _ in range(3):
        world.run()
    assert world.plan().decisions == (), "decisions settle"


def _step(world: World, number: int, what: str, x: int, y: int) -> None:
    if what == "pod":
        name = f"s{number}"
        world.add(claim(name, exactly(count=y)), pod(name, claims=(name,), priority=x))
    elif what == "gang":
        least = max(1, y - 1)
        world.add(pod_group(f"g{number}", least))
        world.add_pods([f"g{number}-{i}" for i in range(y)], gang=f"g{number}", priority=x)
    else:
        names = sorted(
            name
            for (kind, name), obj in world.objects.items()
            if kind == "Pod" and (what == "finish" or is_terminating(obj))
        )
        if not names:
            return
        if what == "end":
            world.end(names[x % len(names)])
        else:
            chosen = world.get("Pod", names[x % len(names)])
            if chosen["spec"].get("nodeName"):
                chosen["status"]["phase"] = "Succeeded"
                chosen["metadata"]["resourceVersion"] += "0"


def _devices(world: World) -> dict[str, list[tuple[str, str]]]:
    held: dict[str, list[tuple[str, str]]] = {}
    for (kind, name), obj in world.objects.items():
        if kind == "ResourceClaim" and obj["status"].get("allocation"):
            results: list[Obj] = obj["status"]["allocation"]["devices"]["results"]
            held[name] = [(r["pool"], r["device"]) for r in results]
    return held


def _assert_invariants(world: World) -> None:
    held = [device for devices in _devices(world).values() for device in devices]
    assert len(held) == len(set(held)), "a device is allocated twice"
    pods = {name: obj for (kind, name), obj in world.objects.items() if kind == "Pod"}
    for (kind, name), group in list(world.objects.items()):
        if kind != "PodGroup":
            continue
        least = group["spec"]["schedulingPolicy"]["gang"]["minCount"]
        members = [
            p
            for p in pods.values()
            if p["spec"].get("schedulingGroup", {}).get("podGroupName") == name
        ]
        if any(p["status"]["phase"] == "Succeeded" for p in members):
            continue
        staying = [p for p in members if p["spec"].get("nodeName") and not is_terminating(p)]
        assert not staying or len(staying) >= least, "a gang runs below its minimum"
