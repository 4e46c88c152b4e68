"""Tries to give pods places in the room, all or none, and remembers what did not fit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from mizzen.scheduler.core.dra.model import ClaimRequest
from mizzen.scheduler.core.fit import Misfit, fit
from mizzen.scheduler.core.room import Room
from mizzen.scheduler.core.types import NodeView, Placement, PodShape, PodSpecView


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


FitKey = tuple[PodShape, tuple[ClaimRequest, ...]]  # pods equal in this fit the same nodes


@dataclass(slots=True)
class Placer:
    """Places pods on the nodes of one room, first fit in name order, preferred nodes first.

    A room only fills up until something is freed (`Room.freed`). Till then nodes that refused one
    pod are not tried again for others like it: their misfits are remembered, from the front.
    """

    room: Room
    nodes: tuple[NodeView, ...]
    _refused: dict[FitKey, list[Misfit]] = field(default_factory=dict[FitKey, list[Misfit]])
    _refused_at: int = -1

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
        if only:
            found = fit(self.room, pod, self.room.snapshot.nodes[only])
            return found if isinstance(found, Placement) else (found,)
        for node in self._liked(pod, before):
            found = fit(self.room, pod, node)
            if isinstance(found, Placement):
                return found
        misfits = self._known_misfits(pod)
        for index in range(len(misfits), len(self.nodes)):
            found = fit(self.room, pod, self.nodes[index])
            if isinstance(found, Placement):
                return found
            misfits.append(found)
        return tuple(misfits)

    def _liked(self, pod: PodSpecView, before: Iterable[Placement]) -> Iterable[NodeView]:
        """Where victims left for this pod, then beside its gang."""
        known = self.room.snapshot.nodes
        names = dict.fromkeys([pod.nominated_node, *(p.node for p in before)])
        return [known[name] for name in names if name in known]

    def _known_misfits(self, pod: PodSpecView) -> list[Misfit]:
        """Of the first nodes in order, for pods like this; to be extended by the caller."""
        if self._refused_at != self.room.freed:
            self._refused.clear()
            self._refused_at = self.room.freed
        states = [self.room.claims[c.claim] for c in pod.claims if c.claim is not None]
        if any(state.allocation is not None for state in states):
            return []  # tied to where its claim is: unlike any other
        key = (pod.shape, tuple(state.claim.request for state in states))
        return self._refused.setdefault(key, [])
