"""Undo: whatever happens in a room, rolling back restores it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mizzen.scheduler.core.attempt import Placer
from mizzen.scheduler.core.room import Room
from support.scheduler_world import World, pod


def full_world() -> World:
    world = World()
    world.add_pods(["a", "b"], cpu="100m")
    world.run()
    world.add_pods(["c"])
    world.add(pod("shared", cpu="300m"))
    return world


def state(room: Room) -> object:
    return (
        {name: {k: v for k, v in free.items() if v} for name, free in room.free.items()},
        {k: v for k, v in room.in_use.items() if v},
        {k: (s.allocation, frozenset(s.users)) for k, s in room.claims.items()},
        {k: v for k, v in room.cores.items() if v},
        {k: v for k, v in room.gang_cores.items() if v},
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "c", "shared", "release"]), max_size=6, unique=True))
def test_rollback_restores_everything(actions: list[str]) -> None:
    snapshot, _, catalogue = full_world().snapshot()
    room = Room(snapshot, catalogue)
    placer = Placer(room, tuple(snapshot.nodes.values()))
    before = state(room)
    mark = room.mark()
    for action in actions:
        if action == "release":
            room.release_leaving()
            continue
        view = next(p for k, p in snapshot.pods.items() if k.name == action)
        if view.node:
            room.remove(view)
        else:
            assert placer.place((view,)).fits
    if actions and actions != ["release"]:
        assert state(room) != before
    room.rollback(mark)
    assert state(room) == before


def test_removing_everybody_leaves_the_whole_node_free() -> None:
    snapshot, _, catalogue = full_world().snapshot()
    room = Room(snapshot, catalogue)
    for view in snapshot.pods.values():
        if view.node:
            room.remove(view)
    assert room.free["n1"]["cpu"] == 2000
    assert not room.in_use
