"""The answer of an attempt to place pods: all of them have places, or one that has none, and why."""

from __future__ import annotations

from dataclasses import dataclass

from mizzen.scheduler.core.placing.what_if import Misfits
from mizzen.scheduler.core.types import Placement, PodSpecView


@dataclass(frozen=True, slots=True)
class Attempt:
    """Placements now assumed; or, when `pod` is set, why that pod has none.

    `before` pods fitted before it did not. `misfits` has each reason with its number of nodes.
    """

    placements: tuple[Placement, ...] = ()
    pod: PodSpecView | None = None
    misfits: Misfits = ()
    before: int = 0

    @property
    def fits(self) -> bool:
        return self.pod is None
