"""Device allocation, slow and obvious: try everything in the order the sheet gives, take the first.

Against `mizzen.scheduler.core.devices.allocate` without preference. No backtracking: the full
product of all alternatives and combinations, so only for a handful of devices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations, product

from mizzen.scheduler.core.dra.model import (
    ClaimRequest,
    Device,
    DeviceId,
    MatchAttribute,
    SubRequest,
)

Matching = Callable[[SubRequest], Sequence[Device]]
Choice = tuple[SubRequest, tuple[Device, ...]]


def first_allocation(
    claims: Sequence[ClaimRequest], matching: Matching, in_use: frozenset[DeviceId]
) -> list[list[tuple[str, DeviceId]]] | None:
    """For each claim its (request, device) lines, or None when nothing fits."""
    slots = [(index, r) for index, claim in enumerate(claims) for r in claim.requests]
    for chosen in product(*(_choices(r.alternatives, matching) for _, r in slots)):
        ids = [d.id for _, devices in chosen for d in devices]
        if len(set(ids)) < len(ids) or in_use & set(ids):
            continue
        lines: list[list[Choice]] = [[] for _ in claims]
        for (index, _), choice in zip(slots, chosen, strict=True):
            lines[index].append(choice)
        if all(
            _agree(constraint, of_claim)
            for claim, of_claim in zip(claims, lines, strict=True)
            for constraint in claim.constraints
        ):
            return [
                [(sub.name, d.id) for sub, devices in of_claim for d in devices]
                for of_claim in lines
            ]
    return None


def _choices(alternatives: Sequence[SubRequest], matching: Matching) -> list[Choice]:
    result: list[Choice] = []
    for sub in alternatives:
        devices = matching(sub)
        if sub.all_devices:
            result += [(sub, tuple(devices))] if devices else []
        else:
            result += [(sub, some) for some in combinations(devices, sub.count)]
    return result


def _agree(constraint: MatchAttribute, choices: Sequence[Choice]) -> bool:
    values = [
        device.attributes.get(constraint.attribute)
        for sub, devices in choices
        if not constraint.requests
        or sub.name in constraint.requests
        or sub.name.partition("/")[0] in constraint.requests
        for device in devices
    ]
    return None not in values and len({(type(v), v) for v in values}) <= 1
