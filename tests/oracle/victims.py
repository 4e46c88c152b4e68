"""Who has to leave, by trying every permitted set: for nodes of identical devices.

Against `mizzen.scheduler.core.victims.find_victims`, for a single preemptor that wants `want`
devices on one node.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product


@dataclass(frozen=True)
class Running:
    """A pod that holds `devices` on `node`; `gang` "" for a single one."""

    name: str
    gang: str
    rank: int
    priority: int
    node: str
    devices: int


def cheapest(
    running: Sequence[Running],
    minimum: dict[str, int],
    free: dict[str, int],
    want: int,
    below: int,
) -> tuple[list[int], int, list[int]] | None:
    """The least cost of any permitted set that frees enough on some node; None if there is none.

    Cost: priorities of what dies whole (descending), how many pods that is, priorities of surplus.
    """
    groups: dict[str, list[Running]] = {}
    for pod in running:
        groups.setdefault(pod.gang or f"pod/{pod.name}", []).append(pod)
    for members in groups.values():
        members.sort(key=lambda p: -p.rank)
    permitted = [
        _levels(members, minimum.get(name, len(members)))
        for name, members in groups.items()
        if max(p.priority for p in members) < below
    ]
    costs: list[tuple[list[int], int, list[int]]] = []
    for chosen in product(*permitted):
        freed = dict(free)
        whole: list[int] = []
        surplus: list[int] = []
        pods = 0
        for leaving, is_whole in chosen:
            for pod in leaving:
                freed[pod.node] += pod.devices
            priority = max((p.priority for p in leaving), default=0)
            if is_whole:
                whole.append(priority)
                pods += len(leaving)
            else:
                surplus += [priority] * len(leaving)
        if any(amount >= want for amount in freed.values()):
            costs.append((sorted(whole, reverse=True), pods, sorted(surplus, reverse=True)))
    return min(costs) if costs else None


def _levels(members: list[Running], least: int) -> list[tuple[list[Running], bool]]:
    surplus = max(0, len(members) - least)
    return [(members[:count], False) for count in range(surplus + 1)] + [(members, True)]
