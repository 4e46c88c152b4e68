"""A `base.clock.Clock` that a test sets."""

from __future__ import annotations

S = 1_000_000_000


class Clocks:
    """Both clocks, set by hand."""

    def __init__(self) -> None:
        self.wall, self.steady = 1_700_000_000 * S, 50 * S

    def now_ns(self) -> int:
        return self.wall

    def monotonic_ns(self) -> int:
        return self.steady
