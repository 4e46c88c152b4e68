"""Records this process's activity as touching intervals in the ring; reads the clocks."""

from __future__ import annotations

import os
import time
from pathlib import Path

from mizzen.base.ring import Recorder, Ring
from mizzen.train.files import Words

Reading = tuple[int, int]  # wall ns since the epoch, ns of process CPU


class Activity:
    """The ledger's view of this worker; the first stretch begins with the process itself."""

    def __init__(self, words: Words) -> None:
        self._recorder = Recorder(Ring(words.view), process_start_ns(), 0)

    def end(self, line: int, step: int = 0, at: Reading | None = None) -> int:
        """Since the last boundary this process did `line`; returns the boundary's wall time.

        `at` moves the boundary to an earlier `reading`.
        """
        now, cpu = at or self.reading()
        self._recorder.end(line, now, cpu, step)
        return now

    def reading(self) -> Reading:
        return time.time_ns(), time.process_time_ns()

    @property
    def since_ns(self) -> int:
        return self._recorder.since_ns


def process_start_ns() -> int:
    """The wall time at which the kernel started this process; up to one clock tick late.

    Source: proc(5), /proc/pid/stat field 22 (ticks since boot).
    """
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    tick_ns = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    age = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - (int(fields[19]) + 1) * tick_ns
    return time.time_ns() - max(age, 0)
