"""Detects forward steps of the wall clock, so that deadlines move along."""

from __future__ import annotations

from mizzen.base.clock import Clock

STEP_NS_MIN = 1_000_000_000  # less is drift, or the moment between two looks


class ClockSteps:
    """Compares the wall with the steady clock, which counts no time that a machine slept either.

    Steps back need no care: `RealClock` goes on, slower, until the wall has caught up.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead = self._look()

    def forward_ns(self) -> int:
        """By how much the wall was set forward since this was asked last, 0 for less than a second."""
        ahead = self._look()
        step = ahead - self._ahead
        if step < 0 or step >= STEP_NS_MIN:
            self._ahead = ahead
        return step if step >= STEP_NS_MIN else 0

    def _look(self) -> int:
        return self._clock.now_ns() - self._clock.monotonic_ns()
