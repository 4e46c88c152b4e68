"""Devices as published, and what a pod's claims mean for the processes that run it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mizzen.base import names, quantity
from mizzen.base.objects import Obj, uid_of
from mizzen.base.reading import entries, text


@dataclass(frozen=True, slots=True)
class Device:
    """One device of this node; attributes and capacity in wire form (capacity as text)."""

    driver: str
    name: str
    attributes: Obj
    capacity: Mapping[str, str]

    def to_wire(self) -> Obj:
        return {
            "name": self.name,
            "attributes": self.attributes,
            "capacity": {k: {"value": v} for k, v in self.capacity.items()},
        }


@dataclass(frozen=True, slots=True)
class Allocated:
    """An allocated device, with its claim and pod."""

    device: Device
    claim: str  # namespace/name
    pod_uid: str  # "" while no pod holds the claim
    pod_name: str = ""
    pod_uids: frozenset[str] = frozenset()  # of all pods that hold it
    groups: frozenset[str] = frozenset()  # PodGroups that hold it for their pods, by name


@dataclass(frozen=True, slots=True)
class Placement:
    """The cores of a pod's processes, and milli-CPU where cores are shared by quota."""

    cpus: tuple[int, ...]
    quota_milli: int | None


def slices(devices: Iterable[Device], node: str, generation: Mapping[str, int]) -> list[Obj]:
    """One ResourceSlice for each driver; pool = node name. Slices hold at most 128 devices."""
    by_driver: dict[str, list[Device]] = {}
    for device in devices:
        by_driver.setdefault(device.driver, []).append(device)
    result: list[Obj] = []
    for driver, members in sorted(by_driver.items()):
        parts = [members[i : i + 128] for i in range(0, len(members), 128)]
        for number, part in enumerate(parts):
            result.append(
                {
                    "apiVersion": "resource.k8s.io/v1",
                    "kind": "ResourceSlice",
                    "metadata": {"name": f"{node}-{driver}-{number}"},
                    "spec": {
                        "driver": driver,
                        "nodeName": node,
                        "pool": {
                            "name": node,
                            "generation": generation.get(driver, 1),
                            "resourceSliceCount": len(parts),
                        },
                        "devices": [d.to_wire() for d in part],
                    },
                }
            )
    return result


def allocations(
    claims: Iterable[Obj], devices: Sequence[Device], node: str
) -> dict[str, Allocated]:
    """This node's allocated devices: driver/name -> allocation."""
    known = {f"{d.driver}/{d.name}": d for d in devices}
    result: dict[str, Allocated] = {}
    for claim in claims:
        reserved = entries(claim, "status", "reservedFor")
        holders = [r for r in reserved if r.get("resource") == "pods"]
        uids = frozenset(str(r["uid"]) for r in holders)
        groups = frozenset(str(r["name"]) for r in reserved if r.get("resource") == "podgroups")
        uid, pod = (holders[0]["uid"], holders[0]["name"]) if holders else ("", "")
        for entry in entries(claim, "status", "allocation", "devices", "results"):
            key = f"{entry['driver']}/{entry['device']}"
            if entry.get("pool") == node and key in known:
                name = f"{claim['metadata'].get('namespace')}/{claim['metadata']['name']}"
                result[key] = Allocated(known[key], name, uid, pod, uids, groups)
    return result


def claim_names(pod: Obj) -> list[str] | None:
    """The ResourceClaims a pod uses; None while one of them has not been made yet."""
    wanted = entries(pod, "spec", "resourceClaims")
    made: dict[str, str | None] = {
        s["name"]: s.get("resourceClaimName")
        for s in entries(pod, "status", "resourceClaimStatuses")
    }
    result: list[str] = []
    for entry in wanted:
        name: str | None = entry.get("resourceClaimName") or made.get(entry["name"])
        if name is None and entry["name"] not in made:
            return None
        if name:
            result.append(name)
    extended = text(pod, "status", "extendedResourceClaimStatus", "resourceClaimName")
    return [*result, extended] if extended else result


def held_by(pod: Obj, allocated: Mapping[str, Allocated]) -> tuple[Device, ...]:
    """The devices that are reserved for this pod, or for its PodGroup, in name order."""
    uid, group = uid_of(pod), text(pod, "spec", "schedulingGroup", "podGroupName")
    named = {f"{pod['metadata'].get('namespace')}/{name}" for name in claim_names(pod) or ()}
    return tuple(
        a.device
        for _, a in sorted(allocated.items())
        if uid in a.pod_uids or (group in a.groups and a.claim in named)
    )


def without_driver(pod: Obj, claims: Iterable[Obj], devices: Sequence[Device]) -> str:
    """A device that is allocated to the pod and that this node does not have; "" if none is."""
    wanted, namespace = claim_names(pod) or (), text(pod, "metadata", "namespace")
    known = {f"{d.driver}/{d.name}" for d in devices}
    for claim in claims:
        metadata = claim["metadata"]
        if metadata["name"] in wanted and text(claim, "metadata", "namespace") == namespace:
            for entry in entries(claim, "status", "allocation", "devices", "results"):
                if f"{entry['driver']}/{entry['device']}" not in known:
                    return f"{entry['driver']}/{entry['pool']}/{entry['device']}"
    return ""


def placement(
    held: Sequence[Device], all_devices: Sequence[Device], allocated: Mapping[str, Allocated]
) -> Placement:
    """Claimed cores alone for a pod that holds some, else every core not wholly claimed."""
    cores = [d for d in held if d.driver == names.CPU_DRIVER]
    if cores:
        milli = sum(quantity.to_milli(d.capacity["cpu"]) for d in cores)
        cpus = tuple(sorted({_core(d) for d in cores}))
        return Placement(cpus, milli if milli < 1000 * len(cpus) else None)
    return Placement(shared_cpus(all_devices, allocated), None)


def shared_cpus(devices: Sequence[Device], allocated: Mapping[str, Allocated]) -> tuple[int, ...]:
    """Cores with an unclaimed part; all of them when none is left (low weight then decides)."""
    cores = [d for d in devices if d.driver == names.CPU_DRIVER]
    free = {_core(d) for d in cores if f"{d.driver}/{d.name}" not in allocated}
    return tuple(sorted(free or {_core(d) for d in cores}))


def _core(device: Device) -> int:
    return int(device.attributes["core"]["int"])
