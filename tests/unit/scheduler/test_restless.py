"""The whole loop in a cluster where everything happens at once: nothing is given twice, whatever
the scheduler knew too late; the state kept by changes stays the state there is; and once it is
quiet, who still waits truly does not fit and says why.

MIZZEN_RESTLESS=N tries N histories; MIZZEN_RESTLESS_SEED tries one.
"""

from __future__ import annotations

import os
import random

import pytest

from checkers.allocations import faults
from mizzen.base.objects import Key, Obj
from mizzen.base.resources import PODS, RESOURCE_SLICES
from mizzen.scheduler.core.types import Plan
from oracle.placing import count_on
from support.cluster_state import state
from support.restless_world import RestlessWorld, S

pytestmark = pytest.mark.slow


HISTORIES = int(os.environ.get("MIZZEN_RESTLESS", "120"))
SEED = os.environ.get("MIZZEN_RESTLESS_SEED")
STEPS, ROUNDS_MAX = 40, 40


@pytest.mark.parametrize("seed", [int(SEED)] if SEED else range(HISTORIES))
def test_whatever_happens(seed: int) -> None:
    world = RestlessWorld(rng=random.Random(seed))
    world.begin()
    for _ in range(STEPS):
        world.happen()
        if world.rng.random() < 0.6:
            decide(world)
            kept_is_what_there_is(world)
    quiet(world)
    kept_is_what_there_is(world)
    who_waits_has_no_place(world)
    who_waits_is_told_why(world)


def decide(world: RestlessWorld) -> Plan:
    before, healthy = overdrawn(world), whole_gangs(world) - partly_known(world)
    plan = world.decide()
    assert overdrawn(world) <= before, "a plan gave out what was not there"
    assert not (healthy - whole_gangs(world)), "a gang was left with fewer than its minimum"
    return plan


def overdrawn(world: RestlessWorld) -> set[str]:
    """What is wrong by the slices that are known; pools may have shrunk under those they serve."""
    pods = [obj for (kind, _), obj in world.objects.items() if kind == "Pod"]
    claims = [obj for (kind, _), obj in world.objects.items() if kind == "ResourceClaim"]
    slices = [obj for resource, obj in world.told_objects() if resource == RESOURCE_SLICES]
    return set(faults(world.nodes, slices, claims, pods))


def whole_gangs(world: RestlessWorld) -> set[str]:
    """Gangs of which nobody runs, or enough to go on."""
    found: set[str] = set()
    for name, least in world.gangs.items():
        running = [p for p in members(world, name) if runs(p)]
        if not running or len(running) >= least:
            found.add(name)
    return found


def partly_known(world: RestlessWorld) -> set[str]:
    """Gangs of whose members the scheduler has yet to hear: it may take one for surplus."""
    late = {key.name for resource, key in world.late if resource == PODS}
    return {gang for gang in world.gangs if any(n.startswith(f"{gang}-") for n in late)}


def members(world: RestlessWorld, gang: str) -> list[Obj]:
    named = [world.objects["Pod", n] for n in world.names("Pod")]
    return [
        p for p in named if (p["spec"].get("schedulingGroup") or {}).get("podGroupName") == gang
    ]


def runs(obj: Obj) -> bool:
    is_over = obj["metadata"].get("deletionTimestamp") or obj["status"]["phase"] == "Succeeded"
    return bool(obj["spec"].get("nodeName")) and not is_over


def kept_is_what_there_is(world: RestlessWorld) -> None:
    kept = state(world.known().cluster)
    fresh = world.another()
    assert kept == state(fresh.known().cluster)


def quiet(world: RestlessWorld) -> None:
    """Nothing more happens, everything is heard of, whoever should leave leaves."""
    world.late.clear()
    for _ in range(ROUNDS_MAX):
        world.now_ns += 60 * S
        plan = decide(world)
        leaving = [n for n in world.names("Pod") if is_leaving(world.objects["Pod", n])]
        for name in leaving:
            world.release(world.objects.pop(("Pod", name)))
        world.late.clear()
        if not leaving and not plan.decisions:
            return
    raise AssertionError("it never comes to rest")


def is_leaving(obj: Obj) -> bool:
    return bool(obj["metadata"].get("deletionTimestamp"))


def who_waits_has_no_place(world: RestlessWorld) -> None:
    """Asked of every node, by a scheduler that starts now."""
    what_if = world.another().known()
    cluster = what_if.cluster
    for view in cluster.waiting.values():
        if view.gang is None and not lacks_claims(world, view.key):
            taking = [n for n in cluster.nodes.live() if count_on(what_if, [view], n)]
            assert not taking, f"{view.key} waits, and node {taking[0]} would take it"


def lacks_claims(world: RestlessWorld, key: Key) -> bool:
    named = world.objects["Pod", key.name]["spec"]["resourceClaims"]
    return any(("ResourceClaim", e["resourceClaimName"]) not in world.objects for e in named)


def who_waits_is_told_why(world: RestlessWorld) -> None:
    for name in world.names("Pod"):
        obj = world.objects["Pod", name]
        if not obj["spec"].get("nodeName") and obj["status"].get("phase") == "Pending":
            assert world.condition(name, "PodScheduled").get("message"), f"{name} waits silently"
