"""Who has to leave, by trying every permitted set: for nodes of identical devices.

Against `mizzen.scheduler.core.preemption.victims.find_victims`, for a single preemptor that wants `want`
devices on one node.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product


@dataclass(frozen=True)
class Running:
    """A pod that holds `devices` on `node`; `gang` "" for a single one.

    `chips` is what its losses count, where that is not the devices (a pod of cores alone: 1).
    """

    name: str
    gang: str
    rank: int
    priority: int
    node: str
    devices: int
    chips: int = 0

    @property
    def weight(self) -> int:
        return self.chips or self.devices


def cheapest(
    running: Sequence[Running],
    minimum: dict[str, int],
    free: dict[str, int],
    want: int,
    below: int,
    fits: Callable[[Sequence[Running]], bool] | None = None,
) -> Cost | None:
    """The least cost of any permitted set that frees enough on some node; None if there is none.

    `fits` says instead what is enough, told of all that leave.
    """
    groups: dict[str, list[Running]] = {}
    for pod in running:
        groups.setdefault(pod.gang or f"pod/{pod.name}", []).append(pod)
    for members in groups.values():
        members.sort(key=lambda p: -p.rank)
    permitted = [
        levels(members, minimum.get(name, len(members)))
        for name, members in groups.items()
        if max(p.priority for p in members) < below
    ]
    costs: list[Cost] = []
    for chosen in product(*permitted):
        freed = dict(free)
        for leaving in chosen:
            for pod, *_ in leaving:
                freed[pod.node] += pod.devices
        gone = [pod for leaving in chosen for pod, *_ in leaving]
        if fits(gone) if fits is not None else any(a >= want for a in freed.values()):
            costs.append(cost([entry for leaving in chosen for entry in leaving]))
    return min(costs) if costs else None


Cost = tuple[list[tuple[bool, int, int]], int]
Entry = tuple[Running, bool, int]  # a pod that leaves, whether with all the rest, what is lost


def cost(leaving: Sequence[Entry]) -> Cost:
    """What is lost, whole gangs and pods before surplus, by priority; then how many pods leave."""
    lost: dict[tuple[bool, int], int] = {}
    for pod, is_whole, loss in leaving:
        key = (is_whole, pod.priority)
        lost[key] = lost.get(key, 0) + loss
    return sorted(((*key, amount) for key, amount in lost.items()), reverse=True), len(leaving)


def levels(members: list[Running], least: int) -> list[list[Entry]]:
    """What may leave: surplus from the highest rank on, then all the rest.

    Nobody says what is at weight: shrinking is 1 s of each device that leaves, a restart 5 s of
    each the gang has, put down to its lowest rank here.
    """
    surplus = [(pod, False, 1_000 * pod.weight) for pod in members[: max(0, len(members) - least)]]
    found: list[list[Entry]] = [surplus[:count] for count in range(len(surplus) + 1)]
    rest = members[len(surplus) :]
    if rest:
        total = 5_000 * sum(pod.weight for pod in members)
        found.append([*surplus, *((pod, True, total if pod is rest[-1] else 0) for pod in rest)])
    return found
