"""The real clock."""

from __future__ import annotations

import time


class RealClock:
    """`base.clock.Clock` on the machine's own clocks.

    The wall clock may be stepped back by the administrator or NTP; intervals in the ledger must
    not, and what counts by them must not stop. So `now_ns` goes on at half the speed until the wall
    has caught up. `not_before_ns`: what another clock of this instance said last.
    """

    def __init__(self, not_before_ns: int = 0) -> None:
        self._latest_ns = not_before_ns
        self._behind: tuple[int, int] | None = None  # when the wall fell behind: now, monotonic

    def now_ns(self) -> int:
        wall = time.time_ns()
        if wall >= self._latest_ns:
            self._latest_ns, self._behind = wall, None
            return wall
        steady = time.monotonic_ns()
        if self._behind is None:
            self._behind = self._latest_ns, steady
        began, since = self._behind
        self._latest_ns = began + (steady - since) // 2
        return self._latest_ns

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()
