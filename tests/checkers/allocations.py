"""An independent check of what was given out, from API objects alone.

Shares no code with the scheduler, on purpose. It recomputes whether a device is in two
allocations, whether shares and partitions fit the capacity and counters of what they are cut from,
whether a node's CPU, memory and places suffice for its pods, and whether each bound pod has its
claims allocated, reserved and on its own node.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

Obj = Mapping[str, Any]
DeviceName = tuple[str, str, str]  # driver, pool, device
_UNITS = {"": 0, "Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40}
_FINISHED = {"Succeeded", "Failed"}


def faults(
    nodes: Iterable[Obj], slices: Iterable[Obj], claims: Iterable[Obj], pods: Iterable[Obj]
) -> list[str]:
    """Everything that is wrong, one sentence each."""
    published = devices_of(slices)
    allocated = [c for c in claims if (c.get("status") or {}).get("allocation")]
    running = [p for p in pods if _is_charged(p)]
    by_key = {(c["metadata"]["namespace"], c["metadata"]["name"]): c for c in claims}
    return [
        *given_twice(allocated),
        *shares_overdrawn(allocated, published),
        *counters_overdrawn(allocated, slices, published),
        *nodes_overdrawn({n["metadata"]["name"]: n for n in nodes}, running),
        *(fault for pod in running for fault in _without_claims(pod, by_key)),
    ]


def devices_of(slices: Iterable[Obj]) -> dict[DeviceName, Obj]:
    """The devices published now: each pool's newest generation."""
    newest: dict[tuple[str, str], int] = defaultdict(int)
    for item in slices:
        pool = item["spec"]["pool"]
        key = (item["spec"]["driver"], pool["name"])
        newest[key] = max(newest[key], pool["generation"])
    found: dict[DeviceName, Obj] = {}
    for item in slices:
        spec = item["spec"]
        key = (spec["driver"], spec["pool"]["name"])
        if spec["pool"]["generation"] == newest[key]:
            found |= {(*key, d["name"]): d for d in spec.get("devices") or ()}
    return found


def results_of(claim: Obj) -> list[Obj]:
    allocation = (claim.get("status") or {}).get("allocation") or {}
    return list((allocation.get("devices") or {}).get("results") or ())


def _named(result: Obj) -> DeviceName:
    return (result["driver"], result["pool"], result["device"])


def given_twice(allocated: Iterable[Obj]) -> list[str]:
    """Whole devices have one holder and no share beside it; shares differ. Admin access is free."""
    holders: dict[DeviceName, list[str]] = defaultdict(list)
    shares: dict[DeviceName, set[str]] = defaultdict(set)
    found: list[str] = []
    for claim in allocated:
        for result in results_of(claim):
            if result.get("adminAccess"):
                continue
            device, share = _named(result), result.get("shareID")
            if not share:
                holders[device].append(claim["metadata"]["name"])
            elif share in shares[device]:
                found.append(f"{device}: share {share} is given twice")
            else:
                shares[device].add(share)
    found += [f"{device} is given to {who}" for device, who in holders.items() if len(who) > 1]
    return found + [f"{d} is given whole and in shares" for d in holders.keys() & shares.keys()]


def shares_overdrawn(allocated: Iterable[Obj], published: Mapping[DeviceName, Obj]) -> list[str]:
    used: dict[DeviceName, Counter[str]] = defaultdict(Counter)
    for claim in allocated:
        for result in results_of(claim):
            if not result.get("adminAccess"):
                for name, amount in (result.get("consumedCapacity") or {}).items():
                    used[_named(result)][name] += amount_of(amount)
    return [
        f"{device}: {name} gives {amount} of {have}"
        for device, amounts in used.items()
        if device in published
        for name, amount in amounts.items()
        if amount > (have := amount_of(published[device]["capacity"][name]["value"]))
    ]


def counters_overdrawn(
    allocated: Iterable[Obj], slices: Iterable[Obj], published: Mapping[DeviceName, Obj]
) -> list[str]:
    """Each device charges its pool's counters once, however many share it."""
    have: dict[tuple[str, str, str, str], Fraction] = {}
    for item in slices:
        spec = item["spec"]
        for counters in spec.get("sharedCounters") or ():
            for name, value in counters["counters"].items():
                key = (spec["driver"], spec["pool"]["name"], counters["name"], name)
                have[key] = amount_of(value["value"])
    used: dict[tuple[str, str, str, str], Fraction] = defaultdict(Fraction)
    taken = {
        _named(r) for claim in allocated for r in results_of(claim) if not r.get("adminAccess")
    }
    for device in taken & published.keys():
        for consumed in published[device].get("consumesCounters") or ():
            for name, value in consumed["counters"].items():
                used[device[0], device[1], consumed["counterSet"], name] += amount_of(
                    value["value"]
                )
    return [
        f"{key}: {n} used of {have.get(key, 0)}" for key, n in used.items() if n > have.get(key, 0)
    ]


def nodes_overdrawn(nodes: Mapping[str, Obj], running: Iterable[Obj]) -> list[str]:
    used: dict[str, Counter[str]] = defaultdict(Counter)
    for pod in running:
        used[pod["spec"]["nodeName"]] += requests_of(pod)
    return [
        f"node {node}: {name} gives {amount} of {have}"
        for node, amounts in used.items()
        if node in nodes
        for name, amount in amounts.items()
        if amount > (have := amount_of(nodes[node]["status"]["allocatable"].get(name, "0")))
    ]


def requests_of(pod: Obj) -> Counter[str]:
    """What its containers request, and its own place."""
    total: Counter[str] = Counter({"pods": 1})
    for container in pod["spec"]["containers"]:
        for name, text in ((container.get("resources") or {}).get("requests") or {}).items():
            total[name] += amount_of(text)
    return total


def amount_of(text: str) -> Fraction:
    """A quantity with a plain or binary suffix, or in thousandths."""
    number, unit = re.fullmatch(r"([0-9.]+)([KMGT]i|m|)", str(text)).groups()  # type: ignore[union-attr]
    return Fraction(number) / 1000 if unit == "m" else Fraction(number) * 2 ** _UNITS[unit]


def _is_charged(pod: Obj) -> bool:
    return bool(pod["spec"].get("nodeName")) and pod["status"].get("phase") not in _FINISHED


def _without_claims(pod: Obj, claims: Mapping[tuple[str, str], Obj]) -> list[str]:
    """A running pod's claims, where they still exist, are allocated and reserved for it."""
    metadata = pod["metadata"]
    if metadata.get("deletionTimestamp"):
        return []
    found: list[str] = []
    for entry in pod["spec"].get("resourceClaims") or ():
        claim = claims.get((metadata["namespace"], entry["resourceClaimName"]))
        if claim is None:
            continue
        status = claim.get("status") or {}
        users = {user["uid"] for user in status.get("reservedFor") or ()}
        if not status.get("allocation"):
            found.append(f"pod {metadata['name']} runs, and {entry['name']} is not allocated")
        elif metadata["uid"] not in users:
            found.append(f"pod {metadata['name']} runs, and {entry['name']} is not its own")
    return found
