"""The smallest changes that place a waiting pod or gang, by making every one and running the loop.

Changes are made to the objects of a `World`, as a user would, and a scheduler that knows nothing
decides anew. Slow and obvious: only for small clusters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import deepcopy
from itertools import combinations

from tests.support.scheduler_world import World

from mizzen.base.names import TOPOLOGY_PREFERRED, TOPOLOGY_REQUIRED
from mizzen.base.objects import Obj
from mizzen.scheduler.core.explaining.changes import (
    Constraint,
    DropAffinityTerm,
    DropDeviceConstraint,
    DropDeviceSelector,
    DropNodeLabel,
    FewerDevices,
    FewerMembers,
    Leave,
    OuterLevel,
    Relax,
    SmallerRequest,
    Tolerate,
    TolerateDevice,
)

ROUNDS = 3  # of the loop, until what was evicted is gone and what was freed is used


def is_placed(world: World, waiting: Iterable[str], needed: int) -> bool:
    """Whether so many of them have nodes once the loop has run; the world is used up."""
    names = list(waiting)
    for _ in range(ROUNDS):
        world.run()
        for (kind, name), obj in list(world.objects.items()):
            if kind == "Pod" and obj["metadata"].get("deletionTimestamp"):
                world.end(name)
    return sum(bool(world.get("Pod", name)["spec"].get("nodeName")) for name in names) >= needed


def copy(world: World) -> World:
    """The same objects, and a scheduler that has just started."""
    return World(
        nodes=deepcopy(world.nodes),
        slices=deepcopy(world.slices),
        classes=deepcopy(world.classes),
        objects=deepcopy(world.objects),
        uids=set(world.uids),
    )


def after_leaving(world: World, names: Iterable[str]) -> World:
    made = copy(world)
    for name in names:
        made.end(name)
    return made


def devices_of(world: World, name: str) -> int:
    return len(world.bound().get(name, []))


def fewest_devices(world: World, waiting: list[str], needed: int) -> int | None:
    """The fewest devices that leaving pods free, of all sets of pods that are enough."""
    bound = [n for n in world.bound() if n not in waiting]
    best: int | None = None
    for size in range(len(bound) + 1):
        for some in combinations(bound, size):
            freed = sum(devices_of(world, name) for name in some)
            if best is not None and freed >= best:
                continue
            if is_placed(after_leaving(world, some), waiting, needed):
                best = freed
    return best


def relaxed(world: World, waiting: Iterable[str], some: Iterable[Constraint]) -> World:
    """The waiting pods and their claims without these constraints."""
    made = copy(world)
    for name in waiting:
        for one in some:
            _relax(made, made.get("Pod", name), one)
    return made


def _relax(world: World, pod: Obj, one: Constraint) -> None:
    spec = pod["spec"]
    match one:
        case OuterLevel():
            group = world.get("PodGroup", spec["schedulingGroup"]["podGroupName"])
            annotations = group["metadata"]["annotations"]
            annotations.pop(TOPOLOGY_REQUIRED, None)
            if one.to:
                annotations[TOPOLOGY_REQUIRED] = one.to
            annotations.setdefault(TOPOLOGY_PREFERRED, one.level)
        case Tolerate():
            entry = {"key": one.key, "operator": "Equal", "value": one.value, "effect": one.effect}
            spec["tolerations"] = [*spec.get("tolerations", []), entry]
        case DropNodeLabel():
            spec["nodeSelector"].pop(one.key, None)
        case DropAffinityTerm():
            _drop_term(spec, one)
        case _:
            for entry in spec["resourceClaims"]:
                claim = world.get("ResourceClaim", entry["resourceClaimName"])
                _relax_claim(claim["spec"]["devices"], one)


def _drop_term(spec: Obj, one: DropAffinityTerm) -> None:
    required = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    term = required["nodeSelectorTerms"][one.term]
    term["matchExpressions"] = [
        e
        for e in term["matchExpressions"]
        if (e["key"], e["operator"], tuple(e.get("values", ())))
        != (one.key, one.operator, one.values)
    ]
    if not term["matchExpressions"]:
        del spec["affinity"]


def _relax_claim(devices: Obj, one: Constraint) -> None:
    if isinstance(one, DropDeviceConstraint):
        devices["constraints"] = [
            c for c in devices.get("constraints", []) if c.get("matchAttribute") != one.attribute
        ]
    for request in devices["requests"]:
        if isinstance(one, DropDeviceSelector) and request["name"] == one.request:
            kept = request["exactly"].get("selectors", [])
            request["exactly"]["selectors"] = [
                s for s in kept if s["cel"]["expression"] != one.expression
            ]
        if isinstance(one, TolerateDevice) and request["name"] == one.request:
            entry = {"key": one.key, "operator": "Equal", "value": one.value, "effect": one.effect}
            request["exactly"].setdefault("tolerations", []).append(entry)


def made(
    world: World,
    waiting: list[str],
    change: Leave | Relax | FewerMembers | FewerDevices | SmallerRequest,
) -> World:
    """The world once the change is made."""
    if isinstance(change, Leave):
        return after_leaving(world, [key.name for key in change.pods])
    if isinstance(change, Relax):
        return relaxed(world, waiting, change.constraints)
    changed = copy(world)
    if isinstance(change, FewerMembers):
        changed.get("PodGroup", "gang")["spec"]["schedulingPolicy"]["gang"]["minCount"] = (
            change.most
        )
    elif isinstance(change, FewerDevices):
        for name in waiting:
            set_count(changed, name, change.request, change.most)
    else:
        for name in waiting:
            container = changed.get("Pod", name)["spec"]["containers"][0]
            container["resources"]["requests"][change.resource] = f"{change.most}m"
    return changed


def set_count(world: World, pod: str, request: str, count: int) -> None:
    for entry in world.get("Pod", pod)["spec"]["resourceClaims"]:
        claim = world.get("ResourceClaim", entry["resourceClaimName"])
        for one in claim["spec"]["devices"]["requests"]:
            if one["name"] == request:
                one["exactly"]["count"] = count


def subsets(listed: list[Constraint], most: int) -> Iterator[tuple[Constraint, ...]]:
    for size in range(1, most + 1):
        yield from combinations(listed, size)


def held_twice(world: World) -> list[str]:
    """Devices that two pods hold: there must be none."""
    nodes = {n: o["spec"].get("nodeName") for (k, n), o in world.objects.items() if k == "Pod"}
    held = [f"{nodes[pod]}/{d}" for pod, devices in world.bound().items() for d in devices]
    return sorted({h for h in held if held.count(h) > 1})
