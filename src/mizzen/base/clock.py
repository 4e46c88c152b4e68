"""Time as something passed in, so that simulations and tests own it."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol


class Clock(Protocol):
    """A source of time; the real one lives in `mizzen.host.clock`."""

    def now_ns(self) -> int:
        """Wall time, integer nanoseconds since the Unix epoch; never runs backwards."""
        ...

    def monotonic_ns(self) -> int:
        """Nanoseconds since an arbitrary start, for durations."""
        ...


def rfc3339(ns: int) -> str:
    """metav1.Time: whole seconds, UTC."""
    return _second(ns // 1_000_000_000)


@lru_cache(maxsize=64)  # what happens together is stamped alike
def _second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat()[:19]}Z"  # four digits of year, too


def rfc3339_micro(ns: int) -> str:
    """metav1.MicroTime: microseconds, UTC."""
    seconds, rest = divmod(ns, 1_000_000_000)
    base = datetime.fromtimestamp(seconds, UTC).isoformat()
    return f"{base[:19]}.{rest // 1000:06d}Z"


@lru_cache(maxsize=64)  # what is made together is of one second
def parse_rfc3339(text: str) -> int:
    """Nanoseconds since the epoch; errors: ValueError for anything but RFC 3339."""
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        raise ValueError(f"time {text!r} lacks a zone; end it with Z")
    whole = int(moment.replace(microsecond=0).timestamp())
    return whole * 1_000_000_000 + moment.microsecond * 1000
