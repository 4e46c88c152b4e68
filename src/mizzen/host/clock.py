"""The real clock."""

from __future__ import annotations

import time


class RealClock:
    """`base.clock.Clock` on the machine's own clocks.

    The wall clock may be stepped back by the administrator or NTP; intervals in the ledger must
    not, so `now_ns` stands still until the wall has caught up.
    """

    def __init__(self) -> None:
        self._latest_ns = 0

    def now_ns(self) -> int:
        self._latest_ns = max(self._latest_ns, time.time_ns())
        return self._latest_ns

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()
