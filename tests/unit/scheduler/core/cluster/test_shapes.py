"""What is remembered of pods' shapes stays bounded, and forgetting changes no answer."""

from __future__ import annotations

import pytest

from mizzen.scheduler.core.cluster import holdings, shapes
from support.scheduler_world import World, node, pod


def test_shapes_beyond_the_limit_are_forgotten_and_pods_still_find_places(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shapes, "SHAPES_MAX", 3)
    monkeypatch.setattr(holdings, "AMOUNTS_MAX", 3)
    world = World(nodes=[node(cpu="2"), node("n2", cpu="2")])
    for number in range(40):
        world.add(pod(f"p{number}", cpu=f"{10 + number}m"))
        if number % 4 == 3:
            world.run()
    assert len(world.bound()) == 40
    assert len(world.known().cluster.shapes) <= 3
    signatures = [s for s in world.known().cluster.nodes.sigs if s is not None]
    free = sum(signature.free[0] for signature in signatures)
    assert free == 4000 - sum(10 + number for number in range(40))
