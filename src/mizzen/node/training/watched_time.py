"""Time as far as this agent was there to look: what deadlines of workers count by."""

from __future__ import annotations

from mizzen.base.clock import Clock

GAP_NS_MAX = 2_000_000_000  # looks are 0.2 s apart; a longer gap is the agent's own absence


class WatchedTime:
    """Nanoseconds that go on from the wall's time at the start, and from there only forwards.

    A clock that is set counts for nothing, and of a machine that slept, or an agent that was
    stopped with its workers, at most GAP_NS_MAX: nobody is late for time that he could not use.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._passed = clock.now_ns()
        self._seen = clock.monotonic_ns()

    def now_ns(self) -> int:
        seen = self._clock.monotonic_ns()
        self._passed += min(seen - self._seen, GAP_NS_MAX)
        self._seen = seen
        return self._passed
