"""Records what the replica's device was used for, in the file that the node agent reads.

Intervals touch by construction: each begins where the one before ended. Layout: base/segment.py.
"""

from __future__ import annotations

import mmap
import os
import time
from pathlib import Path

from mizzen.base.clock import Clock
from mizzen.base.segment import (
    BUFFERS_OFFSET,
    INTERVAL,
    RANK_MAGIC,
    RANK_OFFSET_HEARTBEAT,
    RANK_OFFSET_MAGIC,
    RANK_OFFSET_RING_NEXT,
    RANK_OFFSET_STATE,
    RING_OFFSET,
    RING_SLOTS,
    WORD,
    Line,
    RankState,
)

RECORD_NS = 1_000_000_000  # longest interval


class Recorder:
    """Turns "busy now", "idle now" into intervals; without a file it does nothing."""

    def __init__(self, path: Path | None, clock: Clock) -> None:
        self._clock = clock
        self._map = _open(path) if path else None
        self._view = memoryview(self._map) if self._map else None
        self._line = Line.STARTING
        self._since = clock.now_ns()
        self._cpu = 0  # CPU of the process up to `_since`; the interpreter's start counts
        self._state(RankState.STARTING)

    def loaded(self) -> None:
        """The start is over; what follows is serving, idle at first."""
        self._turn(Line.SERVING_IDLE)
        self._state(RankState.JOINED)

    def mark(self, busy: bool) -> None:
        """Says what is going on now. Call at every change, and at least once a second."""
        line = Line.SERVING_BUSY if busy else Line.SERVING_IDLE
        if self._view is not None and (
            line != self._line or self._clock.now_ns() - self._since >= RECORD_NS
        ):
            self._turn(line)

    def close(self) -> None:
        """Records up to now; the rest of the exit belongs to no request."""
        self._turn(self._line)
        self._state(RankState.LEFT)

    def _turn(self, line: int) -> None:
        if self._view is None:
            return
        now, cpu = self._clock.now_ns(), time.process_time_ns()
        if now > self._since:
            _append(self._view, self._since, now, max(0, cpu - self._cpu), self._line)
            self._since, self._cpu = now, cpu
        self._line = line
        WORD.pack_into(self._view, RANK_OFFSET_HEARTBEAT, now)

    def _state(self, state: int) -> None:
        if self._view is not None:
            WORD.pack_into(self._view, RANK_OFFSET_STATE, state)


def _append(view: memoryview, start: int, end: int, cpu: int, line: int) -> None:
    """Slot first, then the count: a reader never sees a slot that is not whole."""
    (written,) = WORD.unpack_from(view, RANK_OFFSET_RING_NEXT)
    slot = RING_OFFSET + (written % RING_SLOTS) * INTERVAL.size
    INTERVAL.pack_into(view, slot, start, end, cpu, line)
    WORD.pack_into(view, RANK_OFFSET_RING_NEXT, written + 1)


def _open(path: Path) -> mmap.mmap:
    """The rank file, made when the agent has not; errors: OSError."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.fstat(descriptor).st_size < BUFFERS_OFFSET:
            os.ftruncate(descriptor, BUFFERS_OFFSET)
        mapping = mmap.mmap(descriptor, BUFFERS_OFFSET)
    finally:
        os.close(descriptor)
    WORD.pack_into(mapping, RANK_OFFSET_MAGIC, RANK_MAGIC)
    return mapping
