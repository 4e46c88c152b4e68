"""Tries to give pods places in the room, all or none, and remembers what did not fit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mizzen.scheduler.core.fit import Misfit, fit
from mizzen.scheduler.core.room import Room
from mizzen.scheduler.core.types import NodeView, Placement, PodSpecView


@dataclass(frozen=True, slots=True)
class Attempt:
    """Placements now put into the room; or, when `pod` is set, why that pod has none.

    `before` pods fitted before it did not.
    """

    placements: tuple[Placement, ...] = ()
    pod: PodSpecView | None = None
    misfits: tuple[Misfit, ...] = ()
    before: int = 0

    @property
    def fits(self) -> bool:
        return self.pod is None


@dataclass(slots=True)
class Placer:
    """Places pods on the nodes of one room, first fit in name order, preferred nodes first."""

    room: Room
    nodes: tuple[NodeView, ...]

    def place(self, pods: Sequence[PodSpecView], only: str = "") -> Attempt:
        """Puts all of them into the room, or leaves it as it was. `only` names a single node."""
        mark = self.room.mark()
        placements: list[Placement] = []
        for pod in pods:
            found = self._place_one(pod, placements, only)
            if not isinstance(found, Placement):
                self.room.rollback(mark)
                return Attempt(pod=pod, misfits=found, before=len(placements))
            self.room.put(found)
            placements.append(found)
        return Attempt(tuple(placements))

    def _place_one(
        self, pod: PodSpecView, before: Iterable[Placement], only: str
    ) -> Placement | tuple[Misfit, ...]:
        misfits: list[Misfit] = []
        for node in self._candidates(pod, before, only):
            found = fit(self.room, pod, node)
            if isinstance(found, Placement):
                return found
            misfits.append(found)
        return tuple(misfits)

    def _candidates(
        self, pod: PodSpecView, before: Iterable[Placement], only: str
    ) -> Iterable[NodeView]:
        """Where victims left for this pod, then beside its gang, then all by name."""
        known = self.room.snapshot.nodes
        if only:
            return (known[only],)
        first = [pod.nominated_node, *dict.fromkeys(p.node for p in before)]
        liked = [known[name] for name in dict.fromkeys(first) if name in known]
        if not liked:
            return self.nodes
        names = {node.name for node in liked}
        return (*liked, *(node for node in self.nodes if node.name not in names))
