"""The policy alone says who may be evicted for whom, in small and large clusters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from mizzen.scheduler.core.limits import Limits
from mizzen.scheduler.core.placing.attempt import Placer
from mizzen.scheduler.core.preemption.policy import LOWER_PRIORITY, PreemptionPolicy, Preemptor
from mizzen.scheduler.core.preemption.victims import find_victims
from mizzen.scheduler.core.types import PodSpecView
from mizzen.scheduler.core.units import units
from support.scheduler_world import World, claim, halves, node, pod, pod_group

SIZES = pytest.mark.parametrize(
    "limits", [Limits(), Limits(exact_nodes_max=0)], ids=["small", "large"]
)
QUEUE = "queue"  # a label of pods


@dataclass(frozen=True)
class FairShare:
    """Whoever's queue holds more than its share gives to one that holds less, whatever priority."""

    over: Mapping[str, bool]

    def may_displace(self, preemptor: Preemptor, candidate: PodSpecView) -> bool:
        mine = preemptor.unit.pods[0].labels.get(QUEUE, "")
        theirs = candidate.labels.get(QUEUE, "")
        if mine == theirs:
            return candidate.priority < preemptor.priority
        return self.over[theirs] and not self.over[mine]

    def may_displace_priority(self, preemptor: Preemptor, priority: int) -> bool:
        return True


def victims(world: World, policy: PreemptionPolicy) -> list[str] | None:
    what_if = world.known()
    (unit,) = units(what_if.cluster)
    found = find_victims(Placer(what_if), unit, 0, policy)
    return None if found is None else [victim.key.name for victim in found.victims]


def full(limits: Limits, *, by_devices: bool) -> World:
    """Two pods of each of two queues fill the node; the second queue's are more important."""
    world = World(nodes=[node(cpu="4")], slices=[halves(cores=2)], limits=limits)
    for number in range(4):
        queue = "a" if number < 2 else "b"
        add(world, f"{queue}{number % 2}", queue, number // 2, by_devices)
        world.run()
    assert len(world.bound()) == 4
    return world


def add(
    world: World, name: str, queue: str, priority: int, by_devices: bool, **more: object
) -> None:
    if by_devices:
        world.add(claim(name))
        made = pod(name, claims=(name,), priority=priority, **more)
    else:
        made = pod(name, cpu="1", priority=priority, **more)
    made["metadata"]["labels"][QUEUE] = queue
    world.add(made)


KINDS = pytest.mark.parametrize("by_devices", [True, False], ids=["devices", "amounts"])


@SIZES
@KINDS
def test_nobody_as_important_is_displaced_by_priority(limits: Limits, by_devices: bool) -> None:
    world = full(limits, by_devices=by_devices)
    add(world, "want", "a", 0, by_devices)
    assert victims(world, LOWER_PRIORITY) is None


@SIZES
@KINDS
def test_the_less_important_are_displaced_by_priority(limits: Limits, by_devices: bool) -> None:
    world = full(limits, by_devices=by_devices)
    add(world, "want", "a", 1, by_devices)
    assert victims(world, LOWER_PRIORITY) == ["a1"]


@SIZES
@KINDS
def test_another_rule_is_obeyed_by_every_search(limits: Limits, by_devices: bool) -> None:
    """The queue that holds more than its share gives, though its pods are more important."""
    world = full(limits, by_devices=by_devices)
    add(world, "want", "a", 0, by_devices)
    assert victims(world, FairShare({"a": False, "b": True})) == ["b1"]
    assert victims(world, FairShare({"a": True, "b": True})) is None


@SIZES
@KINDS
def test_a_gang_is_spared_with_any_member_that_is(limits: Limits, by_devices: bool) -> None:
    world = World(nodes=[node(cpu="4")], slices=[halves(cores=2)], limits=limits)
    world.add(pod_group("g", 2))
    for rank, queue in enumerate(("a", "b")):
        add(world, f"g{rank}", queue, 1, by_devices, gang="g", rank=rank)
    world.run()
    add(world, "c", "b", 1, by_devices)
    add(world, "d", "a", 1, by_devices)
    world.run()
    add(world, "want", "a", 0, by_devices)
    assert victims(world, FairShare({"a": False, "b": True})) == ["c"]
