"""Nodes without a level's label are outside it; an empty value is a value like any other."""

from __future__ import annotations

import itertools

import pytest

from mizzen.base.objects import Obj
from mizzen.scheduler.core.cluster.tree import ABSENT, Tree
from mizzen.scheduler.core.conventions.topology import Topology
from support.scheduler_world import World, node, pod, pod_group

RACK = "topology.mizzen.dev/rack"
BLOCK = "topology.mizzen.dev/block"


def world(labels: dict[str, dict[str, str]], size: int, exact: bool, **annotations: str) -> World:
    """Nodes that take one member each; `exact`: members that nobody can count."""
    made = World(nodes=[node(n, cpu="1", labels=v) for n, v in labels.items()], slices=[])
    group = pod_group("g", size)
    group["metadata"]["annotations"] = {
        f"mizzen.dev/topology-{kind}": text for kind, text in annotations.items()
    }
    made.add(group, *(member(rank, exact) for rank in range(size)))
    made.run()
    return made


def member(rank: int, exact: bool) -> Obj:
    made = pod(f"g-{rank}", gang="g", rank=rank, cpu="1")
    if exact:
        made["spec"]["containers"][0]["ports"] = [{"containerPort": 80, "hostPort": 80}]
    return made


def places(made: World) -> list[str]:
    pods = [o for (kind, _), o in made.objects.items() if kind == "Pod"]
    return [o["spec"]["nodeName"] for o in pods if o["spec"].get("nodeName")]


@pytest.mark.parametrize("exact", [False, True])
def test_slices_are_not_put_on_nodes_without_the_label(exact: bool) -> None:
    bare = {"x1": {}, "x2": {}, "r1": {RACK: "r"}, "q1": {RACK: "q"}}
    assert not places(world(bare, 2, exact, slices=f"{RACK}=2"))
    for name in ("x1", "x2"):  # labels like theirs
        bare[name] = {RACK: "x"}
    assert places(world(bare, 2, exact, slices=f"{RACK}=2")) == ["x1", "x2"]


@pytest.mark.parametrize("exact", [False, True])
def test_the_rest_of_a_slice_is_not_put_there_either(exact: bool) -> None:
    racks = {"x1": {}, "x2": {}, "r1": {RACK: "r"}, "r2": {RACK: "r"}}
    assert not places(world(racks, 3, exact, slices=f"{RACK}=2"))
    assert places(world({**racks, "q": {RACK: "q"}}, 3, exact, slices=f"{RACK}=2")) == [
        "r1",
        "r2",
        "q",
    ]


@pytest.mark.parametrize("exact", [False, True])
def test_slices_in_slices(exact: bool) -> None:
    """Two racks of two in each block; a node without a rack is in no inner slice."""
    both = itertools.product("ab", "cd", range(2))
    labels = {f"{b}{r}{n}": {BLOCK: b, RACK: f"{b}{r}"} for b, r, n in both}
    made = world({"a-bare": {BLOCK: "a"}, **labels}, 8, exact, slices=f"{BLOCK}=4, {RACK}=2")
    assert sorted(places(made)) == sorted(labels)
    del labels["ac0"]
    made = world({"a-bare": {BLOCK: "a"}, **labels}, 8, exact, slices=f"{BLOCK}=4, {RACK}=2")
    assert not places(made)


@pytest.mark.parametrize("exact", [False, True])
def test_an_empty_value_is_a_domain(exact: bool) -> None:
    labels = {"e1": {RACK: ""}, "e2": {RACK: ""}, "x1": {}, "x2": {}, "r1": {RACK: "r"}}
    assert places(world(labels, 2, exact, required=RACK)) == ["e1", "e2"]
    assert places(world(labels, 2, exact, slices=f"{RACK}=2")) == ["e1", "e2"]
    del labels["e2"]
    made = world(labels, 2, exact, required=RACK)
    assert not places(made)
    if not exact:
        assert "the best of 2, takes 1" in made.condition("g-0")["message"]


def test_a_tree_tells_them_apart() -> None:
    tree = Tree(Topology((RACK,)))
    for labels in ({}, {RACK: ""}, {RACK: "r"}):
        tree.add(labels)
    assert tree.paths == [(), (ABSENT,), ("",), ("r",)]
    assert tree.by_level == [[2, 3]]
    assert [tree.domain_of(n, 0) for n in range(3)] == [-1, 2, 3]
    assert [tree.name(d) for d in range(4)] == ["the cluster", "the cluster", '""', "r"]
