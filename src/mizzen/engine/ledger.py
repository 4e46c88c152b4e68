"""Records what the replica's device was used for, in the file that the node agent reads.

Intervals touch by construction: each begins where the one before ended. Layout: base/segment.py.
"""

from __future__ import annotations

import mmap
import os
import time
from pathlib import Path

from mizzen.base.clock import Clock
from mizzen.base.ring import Recorder, Ring
from mizzen.base.segment import (
    BUFFERS_OFFSET,
    RANK_MAGIC,
    RANK_OFFSET_HEARTBEAT,
    RANK_OFFSET_MAGIC,
    RANK_OFFSET_STATE,
    WORD,
    Line,
    RankState,
)

RECORD_NS = 1_000_000_000  # longest interval


class ServingLedger:
    """Turns "busy now", "idle now" into intervals; without a file it does nothing.

    The first interval, starting, carries all CPU since the process began.
    """

    def __init__(self, path: Path | None, clock: Clock) -> None:
        self._clock = clock
        self._map = _open(path) if path else None
        self._line = Line.STARTING
        if self._map is not None:
            self._recorder = Recorder(Ring(memoryview(self._map)), clock.now_ns(), 0)
        self._state(RankState.STARTING)

    def loaded(self) -> None:
        """The start is over; what follows is serving, idle at first."""
        self._turn(Line.SERVING_IDLE)
        self._state(RankState.JOINED)

    def mark(self, busy: bool) -> None:
        """Records busy or idle. Call at every change, and at least once a second."""
        line = Line.SERVING_BUSY if busy else Line.SERVING_IDLE
        if self._map is not None and (
            line != self._line or self._clock.now_ns() - self._recorder.since_ns >= RECORD_NS
        ):
            self._turn(line)

    def close(self) -> None:
        """Records up to now; the rest of the exit belongs to no request."""
        self._turn(self._line)
        self._state(RankState.LEFT)

    def _turn(self, line: int) -> None:
        if self._map is None:
            return
        now = self._clock.now_ns()
        self._recorder.end(self._line, now, time.process_time_ns())
        self._line = line
        WORD.pack_into(self._map, RANK_OFFSET_HEARTBEAT, now)

    def _state(self, state: int) -> None:
        if self._map is not None:
            WORD.pack_into(self._map, RANK_OFFSET_STATE, state)


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
