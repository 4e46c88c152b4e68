"""Domains held alone: no two groups that ask for one share it, whoever came first or grows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mizzen.base.objects import Obj
from mizzen.scheduler.core.conventions.watched import JOB_SETS
from support.scheduler_world import (
    World,
    claim,
    node,
    pod,
    pod_group,
    resource_slice,
)

pytestmark = pytest.mark.slow


RACK = "topology.mizzen.dev/rack"
ALONE = {"mizzen.dev/topology-exclusive": RACK}
JOBSET = "jobset.sigs.k8s.io"
JOBSET_ALONE = {f"alpha.{JOBSET}/exclusive-topology": RACK}
LWS = "leaderworkerset.sigs.k8s.io"


def racks(*sizes: int, shared: bool = False) -> World:
    """Racks of so many nodes with one device each; `shared`: one more device, for all of them."""
    nodes = [
        node(f"r{rack}n{index}", labels={RACK: f"r{rack}"})
        for rack, size in enumerate(sizes)
        for index in range(size)
    ]
    devices = [{"name": "d0"}]
    slices = [resource_slice(n["metadata"]["name"], devices) for n in nodes]
    if shared:
        slices.append(resource_slice("net", [{"name": "far"}], allNodes=True))
    return World(nodes=nodes, slices=slices)


def add_gang(world: World, name: str, size: int, *, least: int = -1, **more: Any) -> None:
    annotations: dict[str, str] = more.pop("annotations", ALONE)
    least = size if least < 0 else least
    world.add(pod_group(name, least))
    for index in range(size):
        add_member(world, name, index, annotations, **more)


def add_member(world: World, gang: str, index: int, said: dict[str, str], **more: Any) -> None:
    name = f"{gang}-{index}"
    member = pod(name, claims=(name,), gang=gang, rank=index, **more)
    member["metadata"]["annotations"] |= said
    world.add(claim(name), member)


def racks_of(world: World) -> dict[str, set[str]]:
    """The racks of each gang, by the name of its pods."""
    found: dict[str, set[str]] = {}
    for name in world.bound():
        where = world.get("Pod", name)["spec"]["nodeName"]
        found.setdefault(name.rpartition("-")[0], set()).add(where.partition("n")[0])
    return found


def assert_apart(world: World) -> None:
    held = [r for racks in racks_of(world).values() for r in racks]
    assert len(held) == len(set(held)), racks_of(world)
    given_out = [d for devices in world.bound().values() for d in devices]
    placed = [world.get("Pod", name)["spec"]["nodeName"] for name in world.bound()]
    assert len(set(zip(placed, given_out, strict=True))) == len(given_out)


def test_two_gangs_are_in_two_racks() -> None:
    world = racks(4, 4)
    add_gang(world, "a", 2)
    add_gang(world, "b", 2)
    world.run()
    assert len(world.bound()) == 4
    assert_apart(world)


def test_a_third_gang_waits_though_nodes_are_free_and_is_told_why() -> None:
    world = racks(4, 4)
    for name in "abc":
        add_gang(world, name, 2)
    world.run()
    assert len(world.bound()) == 4
    text = world.condition("c-0")["message"]
    assert f"of the domains of {RACK} with enough room 2 are held alone by others" in text
    for index in range(2):
        world.end(f"a-{index}")
    world.run()
    assert set(racks_of(world)) == {"b", "c"}
    assert_apart(world)


def test_who_does_not_ask_may_be_there() -> None:
    world = racks(4)
    add_gang(world, "a", 2)
    add_gang(world, "b", 2, annotations={})
    world.run()
    assert len(world.bound()) == 4


def test_a_gang_grows_in_its_own_rack_alone() -> None:
    world = racks(2, 4)
    add_gang(world, "a", 1, least=1)
    add_gang(world, "b", 1, least=1)
    world.run()
    for index in (1, 2):
        add_member(world, "a", index, ALONE)
        add_member(world, "b", index, ALONE)
    world.run()
    assert_apart(world)
    assert len(world.bound()) == 2 + 1 + 2


def test_what_cannot_be_counted_stays_apart_as_well() -> None:
    world = racks(2, 2, shared=True)
    add_gang(world, "a", 2)
    add_gang(world, "b", 2)
    add_gang(world, "c", 1)
    world.run()
    assert len(world.bound()) == 4
    assert_apart(world)
    assert world.condition("c-0")["status"] == "False"


def test_a_more_important_gang_takes_a_rack_that_others_hold() -> None:
    """Nodes are free in both racks; what must leave is whoever holds one, and only one of them."""
    world = racks(4, 4)
    add_gang(world, "a", 1, priority=5)
    add_gang(world, "b", 1, priority=1)
    world.run()
    add_gang(world, "c", 2, priority=10)
    world.run()
    leaving = [n for n in ("a-0", "b-0") if "deletionTimestamp" in world.get("Pod", n)["metadata"]]
    assert leaving == ["b-0"]
    world.end("b-0")
    world.run()
    assert {"a", "c"} == set(racks_of(world))
    assert_apart(world)


def a_jobset(jobs: int, pods: int, name: str = "js") -> Obj:
    template: Obj = {"spec": {"parallelism": pods, "completions": pods, "template": {"spec": {}}}}
    template["metadata"] = {"annotations": JOBSET_ALONE}
    return {
        "apiVersion": "jobset.x-k8s.io/v1alpha2",
        "kind": "JobSet",
        "metadata": {"name": name, "namespace": "default", "uid": f"js-{name}"},
        "spec": {"replicatedJobs": [{"name": "w", "replicas": jobs, "template": template}]},
    }


def add_job_pod(world: World, job: int, index: int, name: str = "js") -> None:
    member = pod(f"{name}{job}-{index}", claims=(f"{name}{job}-{index}",))
    member["metadata"]["annotations"] |= JOBSET_ALONE
    member["metadata"]["labels"] |= {
        f"{JOBSET}/jobset-name": name,
        f"{JOBSET}/replicatedjob-name": "w",
        f"{JOBSET}/job-index": str(job),
        "batch.kubernetes.io/job-completion-index": str(index),
    }
    world.add(claim(f"{name}{job}-{index}"), member)


def test_the_first_pods_of_a_jobset_choose_racks_for_all_that_will_be_made() -> None:
    world = racks(2, 4, 3, 4)
    world.others = {JOB_SETS: [a_jobset(2, 4)]}
    for job in range(2):
        add_job_pod(world, job, 0)
    world.run()
    assert sorted(min(r) for r in racks_of(world).values()) == ["r1", "r3"]
    for job in range(2):
        for index in range(1, 4):
            add_job_pod(world, job, index)
    world.run()
    assert len(world.bound()) == 8
    assert_apart(world)


def test_a_jobset_waits_where_a_rack_is_too_small_for_what_is_to_come() -> None:
    world = racks(4, 3)
    world.others = {JOB_SETS: [a_jobset(2, 4)]}
    for job in range(2):
        add_job_pod(world, job, 0)
    world.run()
    assert not world.bound()
    assert "DomainTooSmall" in str(world.plan()) or "room" in world.condition("js0-0")["message"]


def add_group_pod(world: World, group: int, index: int, size: int) -> None:
    name = f"lws{group}-{index}"
    member = pod(name, claims=(name,))
    member["metadata"]["annotations"] |= {f"{LWS}/size": str(size)}
    member["metadata"]["annotations"] |= {f"{LWS}/exclusive-topology": RACK}
    member["metadata"]["labels"] |= {
        f"{LWS}/name": "lws",
        f"{LWS}/group-index": str(group),
        f"{LWS}/worker-index": str(index),
    }
    world.add(claim(name), member)


def test_leaders_find_racks_for_their_workers_apart_from_jobs() -> None:
    world = racks(3, 3, 2)
    world.others = {JOB_SETS: [a_jobset(1, 2)]}
    add_job_pod(world, 0, 0)
    for group in range(3):
        add_group_pod(world, group, 0, size=3)
    world.run()
    assert racks_of(world) == {"js0": {"r2"}, "lws0": {"r0"}, "lws1": {"r1"}}
    for group in range(2):
        for index in (1, 2):
            add_group_pod(world, group, index, size=3)
    world.run()
    assert len(world.bound()) == 7
    assert_apart(world)


events = st.one_of(
    st.tuples(st.just("gang"), st.integers(1, 3), st.integers(0, 2)),
    st.tuples(st.just("grow"), st.integers(0, 9), st.just(0)),
    st.tuples(st.just("end"), st.integers(0, 9), st.just(0)),
)


@settings(max_examples=80, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    history=st.lists(events, max_size=10),
    shared=st.booleans(),
)
def test_no_rack_is_ever_shared(
    sizes: list[int], history: list[tuple[str, int, int]], shared: bool
) -> None:
    world = racks(*sizes, shared=shared)
    gangs: dict[str, int] = {}
    for number, (what, x, priority) in enumerate(history):
        if what == "gang":
            gangs[f"g{number}"] = x
            add_gang(world, f"g{number}", x, priority=priority)
        elif gangs and what == "grow":
            name = sorted(gangs)[x % len(gangs)]
            add_member(world, name, gangs[name], ALONE)
            gangs[name] += 1
        elif gangs:
            name = sorted(gangs)[x % len(gangs)]
            for index in range(gangs.pop(name)):
                world.end(f"{name}-{index}")
            del world.objects["PodGroup", name]
        world.run()
        for kind, name in list(world.objects):
            if kind == "Pod" and "deletionTimestamp" in world.get("Pod", name)["metadata"]:
                gang = name.rpartition("-")[0]
                gangs[gang] = min(gangs[gang], int(name.rpartition("-")[2]))
                world.end(name)
        world.run()
        assert_apart(world)
    waiting = {n for (k, n) in world.objects if k == "Pod"} - set(world.bound())
    for name in waiting:
        group = world.get("PodGroup", name[:-2]) if name.endswith("-0") else {}
        least = group["spec"]["schedulingPolicy"]["gang"]["minCount"] if group else 0
        if group and gangs[name[:-2]] >= least:
            # It has no place, though its members are there: no rack free of others is large enough.
            size, taken = gangs[name[:-2]], {r for s in racks_of(world).values() for r in s}
            assert not any(s >= size and f"r{i}" not in taken for i, s in enumerate(sizes))


@pytest.mark.parametrize("count", [2, 3])
def test_runs_of_ranks_have_racks_alone(count: int) -> None:
    world = racks(*[2] * 3)
    said = {**ALONE, "mizzen.dev/topology-slices": f"{RACK}=2"}
    add_gang(world, "other", 1)
    world.run()
    add_gang(world, "a", 2 * count, annotations=said)
    world.run()
    assert len(world.bound()) == (1 + 2 * count if count == 2 else 1)
    assert_apart_runs(world)


def assert_apart_runs(world: World) -> None:
    found = racks_of(world)
    assert not found["other"] & found.get("a", set())
