"""After any single change a scheduler that slept on decides what one that starts now decides."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable

import pytest

from mizzen.base.names import UNSCHEDULABLE
from mizzen.base.objects import Key, Obj, key_of
from mizzen.base.resources import JOBS, POD_GROUPS, PODS, Resource
from mizzen.scheduler.core.queueing_hints import matters
from mizzen.scheduler.core.types import Plan
from support.restless_world import RestlessWorld, S
from support.scheduler_world import CREATED, World, node, pod, pod_group

pytestmark = pytest.mark.slow

WORLDS, CHANGES = 24, 12
Objects = dict[tuple[Resource, Key], Obj]


@pytest.mark.parametrize("seed", range(WORLDS))
def test_whoever_sleeps_on_misses_nothing(seed: int) -> None:
    world = RestlessWorld(rng=random.Random(seed))
    world.begin()
    for _ in range(15):
        world.happen()
    for _ in range(CHANGES):
        come_to_rest(world)
        before = objects_of(world)
        change(world)
        world.late.clear()
        woken = any(matters(*event) for event in events(before, objects_of(world)))
        ours, theirs = plan(world), plan(world.another())
        assert outcomes(ours) == outcomes(theirs)
        assert woken or not theirs.decisions, "somebody waits, and nothing wakes the scheduler"


def come_to_rest(world: RestlessWorld) -> None:
    world.late.clear()
    for _ in range(40):
        world.now_ns += 60 * S
        done = world.decide()
        if not done.decisions:
            return
    raise AssertionError("it never comes to rest")


def change(world: RestlessWorld) -> None:
    """One thing happens: what the restless world knows, or what users do to pods and groups."""
    happenings: list[Callable[[RestlessWorld], None]] = [
        RestlessWorld.happen,
        vanish,
        tolerate,
        regroup,
        ungroup,
        relabel,
        note,
    ]
    world.rng.choice(happenings)(world)


def vanish(world: RestlessWorld) -> None:
    """Deleted by force: no change of phase comes first."""
    if world.names("Pod"):
        del world.objects["Pod", world.rng.choice(world.names("Pod"))]


def tolerate(world: RestlessWorld) -> None:
    edit(world, "Pod", lambda o: o["spec"].update(tolerations=[{"operator": "Exists"}]))


def relabel(world: RestlessWorld) -> None:
    edit(world, "Pod", lambda o: o["metadata"]["labels"].update(app=world.rng.choice("ab")))


def note(world: RestlessWorld) -> None:
    """What an agent writes, which is no reason to look again."""
    edit(world, "Pod", lambda o: o["metadata"]["annotations"].update({"mizzen.dev/step": "7"}))


def regroup(world: RestlessWorld) -> None:
    least = world.rng.randint(1, 3)
    edit(world, "PodGroup", lambda o: o["spec"]["schedulingPolicy"]["gang"].update(minCount=least))


def ungroup(world: RestlessWorld) -> None:
    if world.names("PodGroup"):
        del world.objects["PodGroup", world.rng.choice(world.names("PodGroup"))]


def edit(world: RestlessWorld, kind: str, how: Callable[[Obj], object]) -> None:
    if world.names(kind):
        name = world.rng.choice(world.names(kind))
        obj = copy.deepcopy(world.objects[kind, name])
        how(obj)
        world.revision += 1
        obj["metadata"]["resourceVersion"] = str(world.revision)
        world.objects[kind, name] = obj


def objects_of(world: RestlessWorld) -> Objects:
    return {(resource, key_of(obj)): copy.deepcopy(obj) for resource, obj in world.told_objects()}


def events(before: Objects, after: Objects) -> list[tuple[Resource, str, Obj | None, Obj]]:
    """As informers tell them."""
    gone = [(k[0], "DELETED", obj, obj) for k, obj in before.items() if k not in after]
    changed = [
        (k[0], "MODIFIED" if k in before else "ADDED", before.get(k), obj)
        for k, obj in after.items()
        if before.get(k) != obj
    ]
    return [*gone, *changed]


def plan(world: RestlessWorld) -> Plan:
    return world.plan(world.now_ns)


def outcomes(made: Plan) -> list[tuple[str, set[Key], int, str]]:
    """Who gets places, victims or a reason; of equal nodes the older ones are taken first, and only
    one of the two schedulers has seen which those are."""
    return [
        (
            decision.subject,
            {placement.pod.key for placement in decision.placements},
            len(decision.victims),
            decision.unschedulable.word if decision.unschedulable is not None else "",
        )
        for decision in made.decisions
    ]


# -- what wakes, and what does not -----------------------------------------------------------------


def altered(obj: Obj, **parts: Obj) -> Obj:
    made = copy.deepcopy(obj)
    for part, values in parts.items():
        made.setdefault(part, {}).update(values)
    return made


@pytest.mark.parametrize(
    ("parts", "wakes"),
    [
        ({"spec": {"tolerations": [{"operator": "Exists"}]}}, True),
        ({"metadata": {"labels": {"app": "x"}}}, True),
        ({"metadata": {"annotations": {"mizzen.dev/cause": "a burst"}}}, True),
        ({"metadata": {"deletionTimestamp": CREATED}}, True),
        ({"status": {"phase": "Failed"}}, True),
        ({"status": {"phase": "Pending", "nominatedNodeName": "n1"}}, True),
        ({"metadata": {"resourceVersion": "9", "generation": 2}}, False),
        ({"metadata": {"annotations": {UNSCHEDULABLE: "{}"}}}, False),
        ({"status": {"phase": "Pending", "conditions": [{"type": "PodScheduled"}]}}, False),
    ],
)
def test_a_pod_that_waits(parts: dict[str, Obj], wakes: bool) -> None:
    before = pod("a")
    assert matters(PODS, "MODIFIED", before, altered(before, **parts)) is wakes


@pytest.mark.parametrize(
    ("parts", "wakes"),
    [
        ({"metadata": {"labels": {"app": "x"}}}, True),
        ({"spec": {"nodeName": "n2"}}, True),
        ({"metadata": {"annotations": {"mizzen.dev/step": "7"}}}, False),
        ({"status": {"phase": "Pending", "podIP": "127.0.0.2", "startTime": CREATED}}, False),
    ],
)
def test_a_pod_that_runs(parts: dict[str, Obj], wakes: bool) -> None:
    before = pod("a", nodeName="n1")
    assert matters(PODS, "MODIFIED", before, altered(before, **parts)) is wakes


def test_what_goes_always_wakes() -> None:
    for resource, obj in ((PODS, pod("a", nodeName="n1")), (POD_GROUPS, pod_group("g", 2))):
        assert matters(resource, "DELETED", obj, obj)


def test_reports_of_groups_and_jobs_do_not_wake() -> None:
    for resource, obj in ((POD_GROUPS, pod_group("g", 2)), (JOBS, pod("job"))):
        assert not matters(resource, "MODIFIED", obj, altered(obj, status={"active": 2}))
        assert matters(resource, "MODIFIED", obj, altered(obj, metadata={"annotations": {"a": ""}}))
        assert matters(resource, "MODIFIED", obj, altered(obj, spec={"parallelism": 3}))


def test_a_group_that_is_deleted_is_said_to_be_missing() -> None:
    world = World(nodes=[node()])
    world.add(pod_group("g", 4), *(pod(f"g-{n}", gang="g", rank=n) for n in range(3)))
    world.run()
    assert "3 of the 4 members" in world.condition("g-0")["message"]
    del world.objects["PodGroup", "g"]
    world.run()
    assert "does not exist" in world.condition("g-0")["message"]
