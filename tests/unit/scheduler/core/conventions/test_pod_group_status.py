"""The condition PodGroupScheduled, by itself and as decisions write it."""

from __future__ import annotations

from mizzen.base.objects import Obj
from mizzen.base.operations import Patch
from mizzen.kinds.patches import merge_patch
from mizzen.scheduler.core.conventions import pod_group_status as status
from support.scheduler_world import NOW_NS, World, pod_group

LATER_NS = NOW_NS + 5_000_000_000


def group(**more: object) -> Obj:
    obj = pod_group("g", 2)
    obj["metadata"]["generation"] = 3
    return {**obj, **more}


def applied(obj: Obj, patch: Patch | None) -> Obj:
    assert patch is not None
    return merge_patch(obj, patch.patch)


def condition(obj: Obj) -> Obj:
    (found,) = obj["status"]["conditions"]
    return found


def test_written_once_with_all_that_a_condition_has() -> None:
    patch = status.unscheduled(status.state(group()), "no room", NOW_NS)
    assert patch is not None
    assert (patch.subresource, patch.uid, patch.name) == ("status", "group-g", "g")
    obj = applied(group(), patch)
    assert condition(obj) == {
        "type": "PodGroupScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "no room",
        "observedGeneration": 3,
        "lastTransitionTime": "2027-01-15T08:00:00Z",
    }
    assert status.unscheduled(status.state(obj), "no room", LATER_NS) is None


def test_a_new_message_is_no_transition() -> None:
    obj = applied(group(), status.unscheduled(status.state(group()), "no room", NOW_NS))
    obj = applied(obj, status.unscheduled(status.state(obj), "less room", LATER_NS))
    assert condition(obj)["lastTransitionTime"] == "2027-01-15T08:00:00Z"
    obj = applied(obj, status.scheduled(status.state(obj), "all", LATER_NS))
    assert condition(obj)["status"] == "True"
    assert condition(obj)["lastTransitionTime"] == "2027-01-15T08:00:05Z"
    obj = applied(obj, status.scheduled(status.state(obj), "others", LATER_NS + 10**9))
    assert condition(obj)["message"] == "others"
    assert condition(obj)["lastTransitionTime"] == "2027-01-15T08:00:05Z"
    assert status.scheduled(status.state(obj), "others", LATER_NS) is None


def test_other_conditions_stay() -> None:
    target = {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}
    obj = group(status={"conditions": [target]})
    obj = applied(obj, status.scheduled(status.state(obj), "", NOW_NS))
    assert [c["type"] for c in obj["status"]["conditions"]] == [
        "DisruptionTarget",
        "PodGroupScheduled",
    ]


def test_a_gang_that_starts_is_told_in_the_same_plan() -> None:
    world = World()
    world.add(pod_group("g", 2))
    world.add_pods(["g-0", "g-1"], gang="g")
    (decision,) = world.run().decisions
    assert len(decision.placements) == 2
    found = condition(world.get("PodGroup", "g"))
    assert (found["status"], found["reason"]) == ("True", "Scheduled")
    assert "2 members have got places, of at least 2" in found["message"]


def test_a_gang_without_room_is_told_why() -> None:
    world = World()
    world.add(pod_group("g", 5))
    world.add_pods([f"g-{rank}" for rank in range(5)], gang="g")
    world.run()
    found = condition(world.get("PodGroup", "g"))
    assert (found["status"], found["reason"]) == ("False", "Unschedulable")
    assert found["message"] == world.condition("g-0")["message"]
    assert not world.run().decisions, "what is said already is not said again"


def test_one_that_makes_room_is_told_whom_it_waits_for() -> None:
    world = World()
    world.add_pods([f"low-{index}" for index in range(4)])
    world.run()
    world.add(pod_group("g", 2))
    world.add_pods(["g-0", "g-1"], gang="g", priority=10)
    world.run()
    found = condition(world.get("PodGroup", "g"))
    assert found["status"] == "False" and "to leave" in found["message"]


def test_members_that_come_later_do_not_take_it_back() -> None:
    world = World()
    world.add(pod_group("g", 4))
    world.add_pods([f"g-{rank}" for rank in range(6)], gang="g")
    world.run()
    world.run()
    assert condition(world.get("PodGroup", "g"))["status"] == "True"
    assert world.condition("g-4")["status"] == "False"


def test_a_gang_that_grows_and_goes_is_told_with_true_numbers() -> None:
    world = World()
    world.add(pod_group("g", 2))
    world.add_pods(["g-0", "g-1"], gang="g")
    world.run()
    world.add_pods(["g-2", "g-3"], gang="g", first_rank=2)
    world.run()
    assert (
        "4 members have got places, of at least 2"
        in condition(world.get("PodGroup", "g"))["message"]
    )
    assert not world.run().decisions
    for rank in range(4):
        world.end(f"g-{rank}")
    world.run()
    found = condition(world.get("PodGroup", "g"))
    assert (found["status"], found["reason"]) == ("False", "NoMembers")
    assert not world.run().decisions
    world.add_pods(["g-9"], gang="g", first_rank=0)
    world.run()
    assert "1 of the 2 members" in condition(world.get("PodGroup", "g"))["message"]
