"""Whatever is told of small worlds is carried out, and its numbers are counted again.

Pods of CPU, memory and a plugin's devices, gangs of unequal members, neighbours that mind each
other, gates. Each "fits once" is made to happen, each "ask for at most" is asked, each figure of a
reason is read off the objects. MIZZEN_EXPLAINED=N tries N worlds.
"""

from __future__ import annotations

import os
import random
from typing import Any

import pytest
from tests.oracle import changes as oracle

from mizzen.base import quantity
from mizzen.base.objects import Obj
from mizzen.scheduler.core.explaining.changes import (
    FewerDevices,
    FewerMembers,
    Leave,
    Relax,
    SmallerRequest,
)
from mizzen.scheduler.core.types import Reason, Unschedulable
from support.neighbour_cases import HOST, ZONE, random_spread, random_term
from support.scheduler_world import World, node, pod, pod_group

pytestmark = pytest.mark.slow

WORLDS = int(os.environ.get("MIZZEN_EXPLAINED", "240"))
CHUNK = 40
GPU = "example.com/gpu"
RACK = "topology.mizzen.dev/rack"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def small_world(rng: random.Random) -> tuple[World, list[str]]:
    """A world partly filled, and who is to be placed in it."""
    world = World(nodes=[], slices=[])
    for number in range(rng.randint(1, 4)):
        labels = {ZONE: rng.choice("ab"), HOST: f"n{number}"}
        if rng.random() < 0.8:
            labels[RACK] = rng.choice(["r", "s", ""])
        taint = {"key": "k", "value": "v", "effect": "NoSchedule"}
        made = node(f"n{number}", cpu=rng.choice("248"), labels=labels)
        made["spec"]["taints"] = [taint] if rng.random() < 0.15 else []
        made["status"]["allocatable"][GPU] = rng.choice("048")
        world.nodes.append(made)
    for number in range(rng.randint(0, 6)):
        old = asking(f"old-{number}", rng)
        old["metadata"]["labels"]["app"] = rng.choice("pq")
        if rng.random() < 0.2:
            old["spec"]["affinity"] = {"podAntiAffinity": {REQUIRED: [random_term(rng)]}}
        world.add(old)
    world.run()
    for name in [n for k, n in world.objects if k == "Pod"]:
        if not world.get("Pod", name)["spec"].get("nodeName"):
            world.end(name)
    return world, newcomers(world, rng)


def asking(name: str, rng: random.Random, **more: Any) -> Obj:
    made = pod(name, **more)
    requests = {"cpu": rng.choice(["500m", "1", "2", "3", "5"])}
    requests |= {"memory": rng.choice(["1Gi", "3Gi", "5Gi"])} if rng.random() < 0.4 else {}
    requests |= {GPU: rng.choice("1248")} if rng.random() < 0.4 else {}
    made["spec"]["containers"][0]["resources"] = {"requests": requests, "limits": {}}
    return made


def newcomers(world: World, rng: random.Random) -> list[str]:
    size = rng.choice([1, 1, 2, 3, 4])
    more: Obj = {"gang": "gang"} if size > 1 else {}
    if rng.random() < 0.2:
        more["nodeSelector"] = {ZONE: "a"}
    affinity: Obj = {}
    if rng.random() < 0.25:
        kind = rng.choice(["podAffinity", "podAntiAffinity"])
        affinity = {kind: {REQUIRED: [random_term(rng)]}}
    spread = [random_spread(rng.choice([ZONE, HOST]), rng)] if rng.random() < 0.2 else []
    alike = asking("like", rng)["spec"]["containers"][0]["resources"]
    uniform = rng.random() < 0.5
    for rank in range(size):
        made = asking(f"new-{rank}", rng, **more, **({"rank": rank} if size > 1 else {}))
        if uniform:
            made["spec"]["containers"][0]["resources"] = alike
        made["metadata"]["labels"]["app"] = rng.choice("pq")
        if affinity:
            made["spec"]["affinity"] = affinity
        if spread:
            made["spec"]["topologySpreadConstraints"] = spread
        world.add(made)
    if size > 1:
        group = pod_group("gang", size)
        level = rng.choice(["", RACK])
        group["metadata"]["annotations"] = {"mizzen.dev/topology-required": level} if level else {}
        world.add(group)
    return [f"new-{rank}" for rank in range(size)]


def explained(world: World) -> Unschedulable | None:
    found = [d.unschedulable for d in world.plan().decisions if d.unschedulable is not None]
    return found[0] if found else None


@pytest.mark.parametrize("start", range(0, WORLDS, CHUNK))
def test_everything_told_is_so(start: int) -> None:
    told: dict[str, int] = {}
    for seed in range(start, start + CHUNK):
        world, names = small_world(random.Random(seed))
        why = explained(world)
        if why is None:
            continue
        for change in why.changes:
            told[change.kind] = told.get(change.kind, 0) + 1
            if change.is_verified:
                assert isinstance(
                    change, Leave | Relax | FewerMembers | FewerDevices | SmallerRequest
                )
                carried_out(world, names, change, seed)
        for reason in why.reasons:
            counted_again(world, names, why, reason, seed)
    assert told.get("Leave") and len(told) > 1


def carried_out(
    world: World,
    names: list[str],
    change: Leave | Relax | FewerMembers | FewerDevices | SmallerRequest,
    seed: int,
) -> None:
    """Done as a user would do it, and decided anew: it is enough."""
    if isinstance(change, SmallerRequest):
        after = oracle.copy(world)
        asked = after.get("Pod", names[0])["spec"]["containers"][0]["resources"]["requests"]
        asked[change.resource] = (
            quantity.format_milli(change.most) if change.resource == "cpu" else str(change.most)
        )
    else:
        after = oracle.made(world, names, change)
    needed = change.most if isinstance(change, FewerMembers) else len(names)
    assert oracle.is_placed(after, names, needed), (seed, change)
    if isinstance(change, Leave):
        fewest_leave(world, names, change, seed)
    if isinstance(change, Leave) and change.above is not None:
        after = oracle.copy(world)
        for name in names:
            after.get("Pod", name)["spec"]["priority"] = change.above + 1
        assert oracle.is_placed(after, names, needed), (seed, change)


def fewest_leave(world: World, names: list[str], change: Leave, seed: int) -> None:
    """Of single pods that leave, none frees fewer devices: whoever could leave alone is tried."""
    for (kind, name), obj in world.objects.items():
        if kind != "Pod" or not obj["spec"].get("nodeName"):
            continue
        gpus = int(obj["spec"]["containers"][0]["resources"]["requests"].get(GPU, 0))
        if (gpus, 1) < (change.devices, len(change.pods)):
            after = oracle.after_leaving(world, [name])
            assert not oracle.is_placed(after, names, len(names)), (seed, change, name)


def counted_again(
    world: World, names: list[str], why: Unschedulable, reason: Reason, seed: int
) -> None:
    figures = dict(reason.figures)
    assert sum(r.nodes for r in why.reasons) == len(world.nodes), (seed, why)
    if reason.word in ("InsufficientCPU", "InsufficientResource") and "beyond" not in why.subject:
        resource = str(figures.get("what", "cpu"))
        most, want = int(figures["mostFree"]), int(figures["want"])
        free = [free_of(world, n, resource) for n in world.nodes]
        wants = [asked(world.get("Pod", name), resource) for name in names]
        assert most < want and most in [max(0, f) for f in free] and want in wants, (seed, reason)
        if reason.nodes == len(world.nodes):
            assert most == max(max(0, f) for f in free), (seed, reason)
    if reason.word == "DomainTooSmall" and "membersThere" in figures:
        there = int(figures["membersThere"])
        alike = {repr(world.get("Pod", n)["spec"]["containers"]) for n in names}
        if len(alike) == 1 and there:
            assert starts_with(world, names, there), (seed, reason)
            assert there >= len(names) or not starts_with(world, names, there + 1), (seed, reason)


def starts_with(world: World, names: list[str], members: int) -> bool:
    after = oracle.copy(world)
    after.get("PodGroup", "gang")["spec"]["schedulingPolicy"]["gang"]["minCount"] = members
    for name in names[members:]:
        after.end(name)
    return oracle.is_placed(after, names[:members], members)


def asked(obj: Obj, resource: str) -> int:
    text = obj["spec"]["containers"][0]["resources"]["requests"].get(resource, 0)
    return quantity.to_milli(text) if resource == "cpu" else quantity.to_int(text)


def free_of(world: World, obj: Obj, resource: str) -> int:
    text = obj["status"]["allocatable"].get(resource, 0)
    total = quantity.to_milli(text) if resource == "cpu" else quantity.to_int(text)
    pods = [o for (kind, _), o in world.objects.items() if kind == "Pod"]
    there = [p for p in pods if p["spec"].get("nodeName") == obj["metadata"]["name"]]
    return total - sum(asked(p, resource) for p in there)
