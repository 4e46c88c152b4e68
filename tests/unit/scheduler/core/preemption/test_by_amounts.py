"""Victims in large clusters for plain pods, against every permitted set in small ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mizzen.base.objects import Key, Obj
from mizzen.scheduler.core.cluster.state import Cluster
from mizzen.scheduler.core.conventions.gang import Gang
from mizzen.scheduler.core.conventions.topology import TopologyRequest
from mizzen.scheduler.core.limits import Limits
from mizzen.scheduler.core.placing.attempt import ANYTHING, Attempt, Placer
from mizzen.scheduler.core.placing.scheduling_constraints import SchedulingConstraints
from mizzen.scheduler.core.placing.what_if import WhatIf
from mizzen.scheduler.core.preemption.victims import find_victims
from mizzen.scheduler.core.types import PodShape, PodSpecView
from mizzen.scheduler.core.units import Unit
from mizzen.scheduler.device_selectors import CelSelectors
from oracle.victims import Cost, Entry, Running, cheapest, cost, levels
from support.node_columns import MachineType, NodeColumns, load
from support.scheduler_world import World, node, pod, pod_group

pytestmark = pytest.mark.slow


NODES = ("n1", "n2", "n3")
CORES = GIB = 4  # of each node
AS_IN_LARGE_CLUSTERS = Limits(exact_nodes_max=0)
GANG_EXCESS = 1.1  # what a gang's victims may lose over the least possible


@dataclass(frozen=True)
class Case:
    """Pods that fill the nodes (cores as `devices`, GiB of memory by name), and gang minima."""

    running: tuple[Running, ...]
    memory: Mapping[str, int]
    minimum: Mapping[str, int]

    def fits(self, gone: Sequence[Running], want: int, memory: int, pods: int) -> bool:
        """True if the nodes take so many pods once these are gone."""
        names = {r.name for r in gone}
        places = 0
        for where in NODES:
            there = [r for r in self.running if r.node == where and r.name not in names]
            cores = CORES - sum(r.devices for r in there)
            left = GIB - sum(self.memory[r.name] for r in there)
            places += min(cores // want, left // memory if memory else pods)
        return places >= pods


@st.composite
def cases(draw: st.DrawFn) -> Case:
    minimum = {gang: draw(st.integers(1, 3)) for gang in ("g1", "g2")}
    priorities = {gang: draw(st.integers(0, 2)) for gang in minimum}
    ranks = dict.fromkeys(minimum, 0)
    running: list[Running] = []
    memory: dict[str, int] = {}
    for where in NODES:
        cores, left = CORES, GIB
        while cores and len(running) < 9:
            gang = draw(st.sampled_from(["", "", "", "g1", "g2"]))
            taken, name = draw(st.integers(1, min(3, cores))), f"p{len(running)}"
            cores -= taken
            memory[name] = draw(st.integers(0, min(3, left)))
            left -= memory[name]
            priority = priorities[gang] if gang else draw(st.integers(0, 3))
            rank = ranks[gang] if gang else 0
            running.append(Running(name, gang, rank, priority, where, taken, chips=1))
            if gang:
                ranks[gang] += 1
    return Case(tuple(running), memory, minimum)


def world_of(case: Case) -> World:
    nodes = [node(n, cpu=str(CORES), memory=f"{GIB}Gi") for n in NODES]
    world = World(nodes=nodes, slices=[], limits=AS_IN_LARGE_CLUSTERS)
    for gang, least in case.minimum.items():
        world.add(pod_group(gang, least))
    for item in case.running:
        ranked = {"gang": item.gang, "rank": item.rank} if item.gang else {}
        made = wanting(item.name, item.devices, case.memory[item.name], item.priority, **ranked)
        made["spec"]["nodeName"] = item.node
        made["metadata"]["ownerReferences"] = [
            {"kind": "ReplicaSet", "name": "r", "uid": "r", "controller": True}
        ]
        world.add(made)
    return world


def wanting(name: str, cores: int, memory: int, priority: int, **more: Any) -> Obj:
    made = pod(name, cpu=str(cores), priority=priority, **more)
    made["spec"]["containers"][0]["resources"]["requests"]["memory"] = f"{memory}Gi"
    return made


@settings(max_examples=150, deadline=None)
@given(case=cases(), want=st.integers(1, CORES), memory=st.integers(0, GIB))
def test_a_plain_pods_victims_are_the_cheapest_permitted_set(
    case: Case, want: int, memory: int
) -> None:
    world = world_of(case)
    world.add(wanting("want", want, memory, priority=2))
    chosen = _decided(world)
    if case.fits((), want, memory, 1):
        assert chosen == set()
        assert world.plan().decisions[0].placements
        return
    expected = _expected(case, want, memory, 1)
    assert bool(chosen) == (expected is not None)
    if expected is not None:
        assert _cost(case, chosen) == expected


@settings(max_examples=100, deadline=None)
@given(case=cases(), want=st.integers(1, 2), memory=st.integers(0, 2), pods=st.integers(2, 4))
def test_a_plain_gangs_victims_are_found_whenever_there_are_any_and_none_can_be_spared(
    case: Case, want: int, memory: int, pods: int
) -> None:
    world = world_of(case)
    world.add(pod_group("want", pods))
    for rank in range(pods):
        world.add(wanting(f"w{rank}", want, memory, priority=2, gang="want", rank=rank))
    chosen = _decided(world)
    if case.fits((), want, memory, pods):
        assert chosen == set()
        return
    expected = _expected(case, want, memory, pods)
    assert bool(chosen) == (expected is not None)
    if expected is None:
        return
    found = _cost(case, chosen)
    assert found[0][0][:2] == expected[0][0][:2], "nobody graver leaves than has to"
    assert found[0][0][2] <= expected[0][0][2] * GANG_EXCESS


def _decided(world: World) -> set[str]:
    plan = world.plan()
    return {victim.key.name for decision in plan.decisions for victim in decision.victims}


def _expected(case: Case, want: int, memory: int, pods: int) -> Cost | None:
    return cheapest(
        case.running,
        dict(case.minimum),
        dict.fromkeys(NODES, 0),
        want,
        2,
        lambda gone: case.fits(gone, want, memory, pods),
    )


def _cost(case: Case, chosen: set[str]) -> Cost:
    running, minimum = case.running, case.minimum
    entries: list[Entry] = []
    for gang in {r.gang or r.name for r in running}:
        members = sorted((r for r in running if (r.gang or r.name) == gang), key=lambda r: -r.rank)
        leaving = [r for r in members if r.name in chosen]
        every = levels(members, minimum.get(gang, len(members)))
        (taken,) = (level for level in every if [pod for pod, *_ in level] == leaving)
        entries += taken
    return cost(entries)


# -- many nodes ------------------------------------------------------------------------------------

MANY = 2_000
RACK = "topology.mizzen.dev/rack"  # of four nodes
ALL_OF_IT = PodShape((("cpu", 4000), ("pods", 1)))
HALF = PodShape((("cpu", 2000), ("pods", 1)))


class Counted(Placer):
    """Counts how often it is asked for places."""

    asked = 0

    def place(
        self,
        pods: Sequence[PodSpecView],
        constraints: SchedulingConstraints = ANYTHING,
        only: str = "",
    ) -> Attempt:
        self.asked += 1
        return super().place(pods, constraints, only)


def full_cluster(
    cheap: Sequence[int], priority: int = 5
) -> tuple[Counted, Callable[..., PodSpecView]]:
    """Two pods of half a node each on every node, on the cheap nodes less important ones."""
    cluster = Cluster(CelSelectors())
    names = [f"n{i:05d}" for i in range(MANY)]
    machine_type = MachineType({"cpu": 4000, "memory": 1 << 34, "pods": 110})
    racks = {RACK: [f"r{i // 4}" for i in range(MANY)]}
    load(cluster, NodeColumns(names, racks, [0] * MANY, [machine_type]))
    serial = count()

    def made(priority: int, shape: PodShape, at: str = "", gang: Key | None = None) -> PodSpecView:
        name = f"p{next(serial)}"
        return PodSpecView(Key("d", name), name, "1", shape, (), priority, 1, at, gang)

    for number, name in enumerate(names):
        for _ in range(2):
            cluster.set_pod(made(1 if number in cheap else priority, HALF, name), wants_place=False)
    return Counted(WhatIf(cluster)), made


def test_the_cheapest_node_of_thousands_is_found_with_few_attempts() -> None:
    placer, made = full_cluster([1_777])
    pod = made(9, ALL_OF_IT)
    found = find_victims(placer, Unit("one", (pod,), 1, 1), 0)
    assert found is not None
    assert {v.node for v in found.victims} == {"n01777"}
    assert [p.node for p in found.attempt.placements] == ["n01777"]
    assert len(found.victims) == 2
    assert placer.asked <= 4


def test_a_pod_of_half_a_node_makes_one_pod_leave() -> None:
    placer, made = full_cluster([150, 1_999])
    found = find_victims(placer, Unit("one", (made(9, HALF),), 1, 1), 0)
    assert found is not None
    (victim,) = found.victims
    assert victim.node in ("n00150", "n01999")
    assert placer.asked <= 4


def test_nobody_leaves_where_nobody_less_important_runs() -> None:
    placer, made = full_cluster([], priority=9)
    assert find_victims(placer, Unit("one", (made(9, HALF),), 1, 1), 0) is None
    assert placer.asked == 0


def test_the_only_node_that_can_be_freed_is_found() -> None:
    placer, made = full_cluster([1_234], priority=9)
    found = find_victims(placer, Unit("one", (made(9, ALL_OF_IT),), 1, 1), 0)
    assert found is not None
    assert {v.node for v in found.victims} == {"n01234"}


def test_a_gang_of_plain_pods_gets_the_cheapest_places_among_thousands() -> None:
    cheap = range(3, MANY, 200)
    placer, made = full_cluster(cheap)
    gang = Key("d", "gang")
    placer.what_if.cluster.set_gang(Gang(gang, 16))
    pods = tuple(made(9, HALF, gang=gang) for _ in range(16))
    found = find_victims(placer, Unit("gang", pods, 16, 16, gang, 16), 0)
    assert found is not None
    assert len(found.victims) == 16
    assert {v.priority for v in found.victims} == {1}
    assert placer.asked <= 8


def test_a_gang_in_one_rack_frees_the_only_rack_that_is_cheap_as_a_whole() -> None:
    scattered = range(0, MANY, 4)  # one node of each rack
    placer, made = full_cluster([*scattered, 801, 802, 803])
    gang, topology = Key("d", "gang"), TopologyRequest(required=RACK)
    placer.what_if.cluster.set_gang(Gang(gang, 8, topology=topology))
    pods = tuple(made(9, HALF, gang=gang) for _ in range(8))
    unit = Unit("gang", pods, 8, 8, gang, 8, topology=topology)
    found = find_victims(placer, unit, 0)
    assert found is not None
    assert {v.priority for v in found.victims} == {1}
    assert len(found.victims) == 8
    assert {p.node for p in found.attempt.placements} == {f"n00{n}" for n in range(800, 804)}
    assert placer.asked <= 8


def test_a_gang_that_needs_more_than_the_cheap_nodes_takes_the_fewest_of_the_others() -> None:
    cheap = [7, 900, 1_500]
    placer, made = full_cluster(cheap)
    gang = Key("d", "gang")
    placer.what_if.cluster.set_gang(Gang(gang, 16))
    pods = tuple(made(9, HALF, gang=gang) for _ in range(16))
    found = find_victims(placer, Unit("gang", pods, 16, 16, gang, 16), 0)
    assert found is not None
    assert sorted(v.priority for v in found.victims) == [1] * 6 + [5] * 10


def test_a_pod_and_a_gang_get_their_places_in_a_full_cluster_of_300_nodes() -> None:
    names = [f"n{i:03d}" for i in range(300)]
    world = World(nodes=[node(name, cpu="2") for name in names], slices=[])
    for number, name in enumerate(names):
        running = pod(f"low-{number}", cpu="2", priority=0 if number % 15 == 14 else 3)
        running["spec"]["nodeName"] = name
        world.add(running)
    world.add(pod("one", cpu="2", priority=9), pod_group("gang", 16))
    for rank in range(16):
        world.add(pod(f"gang-{rank}", cpu="1", priority=8, gang="gang", rank=rank))
    plan = world.run()
    gone = [victim.key.name for decision in plan.decisions for victim in decision.victims]
    assert len(gone) == len(set(gone)) == 1 + 8, "two of the gang to a node"
    assert all(int(name.removeprefix("low-")) % 15 == 14 for name in gone)
    for name in gone:
        world.end(name)
    world.run()
    wanted = {"one", *(f"gang-{rank}" for rank in range(16))}
    assert wanted <= set(world.bound())
