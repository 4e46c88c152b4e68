"""How many pods nodes and domains take, by asking every node for one pod after another.

Against `core/placing`: counts by signature, domains by totals. Nothing is remembered here.
"""

from __future__ import annotations

from collections.abc import Iterable

from mizzen.scheduler.core.placing import exact
from mizzen.scheduler.core.placing.room import Room
from mizzen.scheduler.core.types import Placement, PodSpecView


def fits_on(room: Room, pod: PodSpecView, node: int) -> bool:
    return isinstance(exact.fit(room, pod, room.shape_of(pod), node), Placement)


def count_on(room: Room, pods: Iterable[PodSpecView], node: int) -> int:
    """How many of these pods, all alike, fit the node one after another."""
    mark = room.mark()
    count = 0
    for pod in pods:
        found = exact.fit(room, pod, room.shape_of(pod), node)
        if not isinstance(found, Placement):
            break
        room.put(found)
        count += 1
    room.rollback(mark)
    return count


def totals(room: Room, pods: list[PodSpecView], label: str) -> dict[str, int]:
    """How many of these pods each domain of one label takes, nodes without the label left out."""
    nodes = room.cluster.nodes
    found: dict[str, int] = {}
    for node in nodes.live():
        value = nodes.views[node].labels.get(label)
        if value is not None:
            found[value] = found.get(value, 0) + count_on(room, pods, node)
    return found
