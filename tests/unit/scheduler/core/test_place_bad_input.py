"""What goes wrong around a decision: claims promised to others, clocks that jump, odd objects."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.scheduler.core.placing.attempt import Placer
from support.scheduler_world import (
    CREATED,
    DRIVER,
    NOW_NS,
    World,
    claim,
    halves,
    node,
    pod,
    pod_group,
)

S = 10**9


def test_a_claim_promised_to_a_preemptor_binds_nobody_who_shares_it_before_its_devices_are_free() -> (
    None
):
    world = World(nodes=[node()], slices=[halves(cores=1)])
    world.add_pods(["old", "older"])
    world.run()
    assert sorted(world.bound()) == ["old", "older"]
    world.add(claim("shared"))
    world.add(pod("first", claims=("shared",), priority=10), pod("second", claims=("shared",)))
    world.run()
    assert world.get("Pod", "first")["status"]["nominatedNodeName"] == "n1"
    assert not world.get("Pod", "second")["spec"].get("nodeName")
    assert "once those that hold them have left" in world.condition("second")["message"]
    for name in ("old", "older"):
        if world.get("Pod", name)["metadata"].get("deletionTimestamp"):
            world.end(name)
    world.run()
    world.run()
    bound = world.bound()
    assert bound["first"] == bound["second"] and len(bound["first"]) == 1


@pytest.mark.parametrize("jump_s", [-(10**6), 10**6])
def test_a_clock_that_jumps_silences_no_reason(jump_s: int) -> None:
    world = World()
    world.add(pod("a", claims=("absent",)))
    plan = world.plan(NOW_NS + jump_s * S)
    assert [d.unschedulable.word for d in plan.decisions if d.unschedulable] == ["ClaimMissing"]
    assert not plan.recheck_after_s


def test_a_condition_without_a_time_is_written_anew() -> None:
    world = World()
    group = pod_group("g", 2)
    group["status"] = {"conditions": [{"type": "PodGroupScheduled", "status": "False"}]}
    world.add(group, pod("a", gang="g", rank=0))
    world.run()
    (condition,) = world.get("PodGroup", "g")["status"]["conditions"]
    assert condition["lastTransitionTime"] and "minCount" in condition["message"]


@pytest.mark.parametrize("name", ["driver", "pool", "device", "request"])
@pytest.mark.parametrize("value", [None, "", 7, [], {"a": 1}])
def test_an_allocation_that_cannot_be_read_hurts_its_own_claim_alone(name: str, value: Any) -> None:
    world = World()
    world.add_pods(["fine"])
    odd = claim("odd")
    result = {"request": "r", "driver": DRIVER, "pool": "n1", "device": "core-0-half-0"}
    odd["status"] = {"allocation": {"devices": {"results": [{**result, name: value}]}}}
    world.add(odd, pod("hurt", claims=("odd",)))
    world.run()
    assert list(world.bound()) == ["fine"]
    assert list(world.feed.unreadable) == ['ResourceClaim "default/odd"']
    odd["status"] = {}
    world.run()
    assert sorted(world.bound()) == ["fine", "hurt"]


@pytest.mark.parametrize("value", [[], {"a": 1}, float("inf"), "9" * 400])
def test_a_priority_beyond_reading_hurts_one_class_alone(value: Any) -> None:
    world = World()
    world.priority_classes += [
        {"metadata": {"name": "odd"}, "value": value},
        {"metadata": {"name": "sound"}, "value": 5},
    ]
    world.add(pod("a", priorityClassName="sound", created=CREATED))
    world.run()
    assert world.bound() == {"a": []}


def test_what_breaks_the_scheduler_is_set_aside_and_the_rest_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    world.add(pod_group("poison", 2))
    world.add_pods(["bad-0", "bad-1"], gang="poison", priority=9)
    world.add_pods(["fine"])
    place = Placer.place

    def breaks(placer: Placer, pods: Any, *more: Any) -> Any:
        done = place(placer, pods, *more)
        if pods[0].gang is not None:
            raise ZeroDivisionError("a bug")
        return done

    monkeypatch.setattr(Placer, "place", breaks)
    plan = world.run()
    assert [subject for subject, _ in plan.failures] == ['gang "default/poison"']
    assert list(world.bound()) == ["fine"]
    for name in ("bad-0", "bad-1"):
        assert "ZeroDivisionError: a bug" in world.condition(name)["message"]
    assert not world.run().decisions  # told once
    monkeypatch.undo()
    world.run()
    assert sorted(world.bound()) == ["bad-0", "bad-1", "fine"]
