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


def of_job(world: World, *indices: int, job: str = "j", phase: str = "") -> None:
    """Pods of an indexed Job; with a phase, they have been on a node."""
    for index in indices:
        name = f"{job}-{index}-{len(world.objects)}"
        world.add_pods([name], gang="g", first_rank=index)
        made = world.get("Pod", name)
        owner = {"apiVersion": "batch/v1", "kind": "Job", "name": job, "uid": job}
        made["metadata"]["ownerReferences"] = [{**owner, "controller": True}]
        if phase:
            made["spec"]["nodeName"] = "n1"
            made["status"]["phase"] = phase


def test_a_member_made_anew_is_placed_though_others_have_succeeded() -> None:
    world = World()
    world.add(pod_group("g", 4))
    of_job(world, 0, 1, 3, phase="Succeeded")
    of_job(world, 2, phase="Failed")
    of_job(world, 2)
    assert subjects(world) == [('gang "default/g"', 1, 1, 1)]
    (decision,) = world.plan().decisions
    assert len(decision.placements) == 1


def test_who_failed_is_waited_for_whoever_succeeded() -> None:
    world = World()
    world.add(pod_group("g", 4))
    of_job(world, 0, 1, phase="Succeeded")
    of_job(world, 2, 3, phase="Failed")
    of_job(world, 2)
    assert subjects(world) == [('gang "default/g"', 1, 2, 1)]


def test_a_second_job_of_the_group_starts_together_again() -> None:
    world = World()
    world.add(pod_group("g", 3))
    of_job(world, 0, 1, 2, phase="Succeeded")
    of_job(world, 0, 1, job="k")
    assert subjects(world) == [('gang "default/g"', 2, 3, 2)]
