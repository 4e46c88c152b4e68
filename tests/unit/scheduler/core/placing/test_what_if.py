"""Undo: whatever happens in a room, rolling back restores it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mizzen.scheduler.core.placing.attempt import Placer
from mizzen.scheduler.core.placing.what_if import WhatIf
from support.scheduler_world import World, pod


def full_world() -> World:
    world = World()
    world.add_pods(["a", "b"], cpu="100m")
    world.run()
    world.add_pods(["c"])
    world.add(pod("shared", cpu="300m"))
    return world


def state(what_if: WhatIf) -> object:
    cluster = what_if.cluster
    return (
        [(s.free, s.held, s.over) for s in cluster.nodes.sigs if s is not None],
        {k: (s.allocation, s.users) for k, s in cluster.claims.items()},
        {k: v for k, v in cluster.holdings.elsewhere.items() if any(v.values())},
        {k: +v for k, v in cluster.holdings.cores_by_gang.items() if +v},
        dict(cluster.holdings.charged),
        [s.nodes for s in cluster.nodes.sigs if s is not None],
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "c", "shared", "release"]), max_size=6, unique=True))
def test_rollback_restores_everything(actions: list[str]) -> None:
    what_if = full_world().known()
    pods = what_if.cluster.pods
    placer = Placer(what_if)
    before = state(what_if)
    mark = what_if.mark()
    for action in actions:
        if action == "release":
            what_if.release_leaving()
            continue
        view = next(p for k, p in pods.items() if k.name == action)
        if view.node:
            what_if.remove(view)
        else:
            assert placer.place((view,)).fits
    if actions and actions != ["release"]:
        assert state(what_if) != before
    what_if.rollback(mark)
    assert state(what_if) == before


def test_removing_everybody_leaves_the_whole_node_free() -> None:
    what_if = full_world().known()
    for view in what_if.cluster.pods.values():
        if view.node:
            what_if.remove(view)
    (signature,) = what_if.cluster.nodes.groups()
    assert signature.free[0] == 2000
    assert not signature.held
