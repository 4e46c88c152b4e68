"""Order of the queue, and how it is cut into gangs."""

from __future__ import annotations

from mizzen.scheduler.core.units import units
from support.scheduler_world import World, pod_group


def subjects(world: World) -> list[tuple[str, int, int, int]]:
    return [(u.subject, len(u.pods), u.needed, u.ready) for u in units(world.known().cluster)]


def test_importance_then_nomination_then_age_then_counting_order() -> None:
    world = World()
    world.add_pods(["old"], created="2027-01-01T00:00:00Z")
    world.add_pods(["w-10", "w-9"])
    world.add_pods(["nominated"])
    world.get("Pod", "nominated")["status"]["nominatedNodeName"] = "n1"
    world.add_pods(["high"], priority=5)
    assert [s for s, *_ in subjects(world)] == [
        'Pod "default/high"',
        'Pod "default/nominated"',
        'Pod "default/old"',
        'Pod "default/w-9"',
        'Pod "default/w-10"',
    ]


def test_a_gang_stands_where_its_most_important_pod_stands() -> None:
    world = World()
    world.add(pod_group("g", 2))
    world.add_pods(["g-0"], gang="g", priority=1)
    world.add_pods(["g-1"], gang="g", first_rank=1, priority=9)
    world.add_pods(["single"], priority=5)
    assert [s for s, *_ in subjects(world)] == ['gang "default/g"', 'Pod "default/single"']


def test_running_members_count_and_a_hole_in_the_ranks_ends_what_is_ready() -> None:
    world = World()
    world.add(pod_group("g", 2))
    world.add_pods(["g-0"], gang="g")
    world.get("Pod", "g-0")["spec"]["nodeName"] = "n1"
    world.add_pods(["g-1", "g-2"], gang="g", first_rank=1)
    world.add_pods(["g-4"], gang="g", first_rank=4)
    assert subjects(world) == [('gang "default/g"', 3, 1, 2)]


def test_a_basic_group_is_no_gang() -> None:
    world = World()
    world.add(pod_group("g", 0))
    world.add_pods(["a", "b"], gang="g")
    assert [s for s, *_ in subjects(world)] == ['Pod "default/a"', 'Pod "default/b"']
