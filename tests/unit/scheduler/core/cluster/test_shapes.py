"""What is remembered of pods' shapes stays bounded, and forgetting changes no answer."""

from __future__ import annotations

from mizzen.scheduler.core.limits import Limits
from support.cluster_state import state
from support.scheduler_world import World, node, pod


def test_shapes_beyond_the_limit_are_forgotten_and_pods_still_find_places() -> None:
    limits = Limits(shapes_max=3, amounts_max=3)
    world = World(nodes=[node(cpu="2"), node("n2", cpu="2")], limits=limits)
    for number in range(40):
        world.add(pod(f"p{number}", cpu=f"{10 + number}m"))
        if number % 4 == 3:
            world.run()
    assert len(world.bound()) == 40
    assert len(world.known().cluster.shapes) <= 3
    signatures = [s for s in world.known().cluster.nodes.sigs if s is not None]
    free = sum(signature.free[0] for signature in signatures)
    assert free == 4000 - sum(10 + number for number in range(40))


def test_a_label_asked_for_first_in_the_midst_of_a_plan_leaves_nothing_behind() -> None:
    """The plan's places before it are undone as well: nothing is charged twice once they are taken."""
    world = World(nodes=[node("n1", cpu="8", labels={"zone": "a"})], slices=[])
    world.add(pod("first", cpu="1"), pod("second", cpu="1", nodeSelector={"zone": "a"}))
    before = state(world.known().cluster)
    world.plan()
    assert state(world.known().cluster) == before
    world.run()
    fresh = World(world.nodes, [], world.classes, world.objects)
    assert state(world.known().cluster) == state(fresh.known().cluster)
