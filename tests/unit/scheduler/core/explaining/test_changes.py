"""Every change that is named works, and none that is smaller does.

Changes are made to the objects and a fresh scheduler decides; see tests/oracle/changes.py.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.oracle import changes as oracle
from tests.support.scheduler_world import (
    World,
    claim,
    device_class,
    exactly,
    node,
    pod,
    pod_group,
    resource_slice,
)

from mizzen.base.names import TOPOLOGY_REQUIRED, UNSCHEDULABLE
from mizzen.base.objects import Obj
from mizzen.scheduler.core.explaining.changes import (
    Change,
    FewerDevices,
    FewerMembers,
    Leave,
    Provide,
    Relax,
    SmallerRequest,
    Wait,
)

pytestmark = pytest.mark.slow


RACK = "topology.mizzen.dev/rack"
BLOCK = "topology.mizzen.dev/block"
SOME = settings(max_examples=40, deadline=None)


def gpus(name: str, count: int, model: str, *, tainted: bool = False) -> Obj:
    taints = [{"key": "broken", "value": "yes", "effect": "NoSchedule"}]
    devices = [
        {
            "name": f"gpu-{i}",
            "attributes": {"model": {"string": model}, "half": {"int": i // 2}},
            **({"taints": taints} if tainted else {}),
        }
        for i in range(count)
    ]
    return resource_slice(name, devices, driver="gpu.test", nodeName=name)


@st.composite
def clusters(draw: st.DrawFn) -> World:
    """Two to four nodes in racks of two and blocks of all, with up to two GPUs each."""
    world = World(nodes=[], slices=[], classes=[device_class("gpu", 'device.driver == "gpu.test"')])
    for at in range(draw(st.integers(2, 4))):
        labels = {RACK: f"r{at // 2}", BLOCK: "b0", "disk": draw(st.sampled_from(["ssd", "hdd"]))}
        taint = {"key": "dedicated", "value": "infer", "effect": "NoSchedule"}
        taints = [taint] if draw(st.integers(0, 3)) == 0 else []
        cpu = draw(st.sampled_from(["1", "2"]))
        world.nodes.append(node(f"n{at}", cpu=cpu, labels=labels, taints=taints))
        model = draw(st.sampled_from(["a", "b"]))
        tainted = draw(st.integers(0, 5)) == 0
        world.slices.append(gpus(f"n{at}", draw(st.integers(1, 2)), model, tainted=tainted))
    tolerate = [{"operator": "Exists"}]
    for at in range(draw(st.integers(0, 4))):
        count = draw(st.integers(1, 2))
        world.add(claim(f"old-{at}", exactly("r", "gpu", count)))
        world.add(pod(f"old-{at}", claims=(f"old-{at}",), tolerations=tolerate, cpu="100m"))
    world.run()
    for at in range(5):
        found = world.objects.get(("Pod", f"old-{at}"))
        if found is not None and not found["spec"].get("nodeName"):
            world.end(f"old-{at}")
    return world


def newcomer(name: str, count: int, cpu: str, more: Obj, constrained: Obj) -> list[Obj]:
    return [
        claim(name, exactly("r", "gpu", count, *more["cel"]), **constrained),
        pod(name, claims=(name,), cpu=cpu, **more["spec"]),
    ]


@st.composite
def waiting(draw: st.DrawFn) -> tuple[World, list[str], int]:
    """A cluster, and a pod or gang that is to be placed there: names, and how many must be."""
    world = draw(clusters())
    size = draw(st.integers(1, 3))
    spec: Obj = {}
    if draw(st.booleans()):
        spec["nodeSelector"] = {"disk": "ssd"}
    cel = ['device.attributes["gpu.test"].model == "a"'] if draw(st.booleans()) else []
    constrained: Obj = {}
    if draw(st.integers(0, 2)) == 0:
        constrained["constraints"] = [{"matchAttribute": "gpu.test/model"}]
    if size > 1:
        group = pod_group("gang", size)
        level = draw(st.sampled_from(["", RACK, BLOCK]))
        group["metadata"]["annotations"] = {TOPOLOGY_REQUIRED: level} if level else {}
        world.add(group)
        spec["gang"] = "gang"
    cpu = draw(st.sampled_from(["200m", "1500m"]))
    count = draw(st.integers(1, 2))
    names = [f"new-{rank}" for rank in range(size)]
    for rank, name in enumerate(names):
        more: Obj = {"cel": cel, "spec": {**spec, **({"rank": rank} if size > 1 else {})}}
        world.add(*newcomer(name, count, cpu, more, constrained))
    return world, names, size


def explained(world: World) -> tuple[Change, ...] | None:
    """The scheduler's word on the first pod that waits; None when none does."""
    plan = world.plan()
    found = [d.unschedulable for d in plan.decisions if d.unschedulable is not None]
    return found[0].changes if found else None


def fewer(change: Change, names: list[str]) -> int:
    return change.most if isinstance(change, FewerMembers) else len(names)


@given(waiting())
@SOME
def test_a_change_that_is_named_is_enough(case: tuple[World, list[str], int]) -> None:
    world, names, _ = case
    changes = explained(world)
    for change in changes or ():
        if isinstance(change, Provide | Wait):
            assert not change.is_verified
            continue
        assert isinstance(change, Leave | Relax | FewerMembers | FewerDevices | SmallerRequest)
        after = oracle.made(world, names, change)
        assert oracle.is_placed(after, names, fewer(change, names)), change
        assert not oracle.held_twice(after)


@given(waiting())
@SOME
def test_no_smaller_change_is_enough(case: tuple[World, list[str], int]) -> None:
    """Not fewer devices freed, fewer constraints relaxed, or a smaller part given up."""
    world, names, size = case
    changes = explained(world)
    if changes is None:
        return
    leave = next((c for c in changes if isinstance(c, Leave)), None)
    assert (leave.devices if leave else None) == oracle.fewest_devices(world, names, size)
    for change in changes:
        if isinstance(change, Relax) and len(change.constraints) > 1:
            for one in change.constraints:
                assert not oracle.is_placed(oracle.relaxed(world, names, [one]), names, size)
        if isinstance(change, FewerMembers):
            more = FewerMembers(change.most + 1, change.want)
            if more.most < size:
                after = oracle.made(world, names, more)
                assert not oracle.is_placed(after, names, more.most)


@given(waiting())
@SOME
def test_the_order_of_changes_is_by_size(case: tuple[World, list[str], int]) -> None:
    changes = explained(case[0]) or ()
    assert [c.size for c in changes] == sorted(c.size for c in changes)


@given(waiting())
@SOME
def test_a_priority_above_what_is_said_evicts_just_as_well(
    case: tuple[World, list[str], int],
) -> None:
    world, names, size = case
    for change in explained(world) or ():
        if isinstance(change, Leave):
            assert change.above is not None
            after = oracle.copy(world)
            for name in names:
                after.get("Pod", name)["spec"]["priority"] = change.above + 1
            assert oracle.is_placed(after, names, size)


@given(waiting())
@SOME
def test_asking_changes_nothing(case: tuple[World, list[str], int]) -> None:
    """The plan that explains leaves the cluster as it found it: a second one says the same."""
    world, _, _ = case
    first = [d.unschedulable for d in world.plan().decisions]
    assert [d.unschedulable for d in world.plan().decisions] == first


def test_the_record_on_the_pod_goes_once_a_place_is_kept_for_it() -> None:
    world = World()
    world.add_pods([f"a-{i}" for i in range(4)])
    world.run()
    world.add_pods(["x"])
    world.run()
    assert UNSCHEDULABLE in world.get("Pod", "x")["metadata"]["annotations"]
    world.get("Pod", "a-0")["metadata"]["deletionTimestamp"] = "2027-01-15T08:00:00Z"
    world.run()
    assert UNSCHEDULABLE not in world.get("Pod", "x")["metadata"]["annotations"]
