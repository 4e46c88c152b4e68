"""Liveness of a role: it writes a byte into its pipe from its own main loop.

What is silent has hung (a blocked call, SIGSTOP) or is long at one piece of work. The two look
alike from outside but for the CPU that the main thread uses.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mizzen.base.clock import Clock

BEAT = b"."
SYNCING = b"syncing"  # followed by how many objects are known so far
BEAT_S = 2.0  # a role writes so often
LOOK_S = 2.0  # the supervisor looks so often
SILENT_S_MAX = 10.0  # of a role whose main thread rests, or is stopped
BUSY_S_MAX = 120.0  # of one that computes: a plan for a million chips, a large store's sum
STOPPING_SILENT_S_MAX = 5.0  # while an instance stops nobody waits for more than this
BETWEEN_LOOKS_S = 1.0  # so far apart the CPU ticks of something that works differ
_AT_WORK = b"RD"  # runnable, or in the middle of the kernel's own work (a disk that is slow)


class AwakeClock:
    """Nanoseconds in which this process itself ran, as far as its looks at the clock tell.

    When the whole machine is paused (a closed lid, SIGSTOP to everything) nobody grows older:
    between two looks at most twice the usual time counts.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._looked_at = clock.monotonic_ns()
        self.now_ns = 0

    def look(self) -> int:
        now = self._clock.monotonic_ns()
        self.now_ns += min(now - self._looked_at, int(2 * LOOK_S * 1e9))
        self._looked_at = now
        return self.now_ns


@dataclass(slots=True)
class Pulse:
    """The liveness of one run of a role. Times are an AwakeClock's.

    Nothing is judged before the first beat, which comes when a role is ready: what starts may load
    a large store in one go.
    """

    pid: int = 0
    beat_at: int | None = None
    looked_at: int | None = None  # while it is silent
    ticks: int = 0  # CPU of the main thread by then

    def beat(self, now_ns: int) -> None:
        self.beat_at, self.looked_at = now_ns, None

    def silent_s(self, now_ns: int) -> float:
        return 0.0 if self.beat_at is None else (now_ns - self.beat_at) / 1e9

    def is_hung(self, now_ns: int, silent_s_max: float) -> bool:
        """True if it may be killed: long silent and without work since the last check, or silent
        for longer than any work takes. Call it repeatedly."""
        silent_s = self.silent_s(now_ns)
        if silent_s <= silent_s_max:
            return False
        if self.looked_at is not None and now_ns - self.looked_at < BETWEEN_LOOKS_S * 1e9:
            return False
        is_first, before = self.looked_at is None, self.ticks
        state, self.ticks = _main_thread(self.pid)
        self.looked_at = now_ns
        if is_first:
            return False
        return silent_s > BUSY_S_MAX or not (state in _AT_WORK or self.ticks != before)


def _main_thread(pid: int) -> tuple[bytes, int]:
    """Its state and CPU ticks. Source: proc(5), /proc/PID/task/TID/stat."""
    try:
        data = Path(f"/proc/{pid}/task/{pid}/stat").read_bytes()
    except OSError:
        return b"X", 0
    fields = data[data.rindex(b")") + 2 :].split()
    return fields[0], int(fields[11]) + int(fields[12])
