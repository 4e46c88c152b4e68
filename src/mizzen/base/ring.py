"""The ring of recorded intervals in a rank file: one writer, any number of readers.

Pure over a buffer (usually a view of an mmap) and over clock readings that the caller passes
in. Training library and inference engine both write through `Recorder`, so the ledger reads
one form for every kind of work.
"""

from __future__ import annotations

from dataclasses import dataclass

from mizzen.base import segment

_NEXT = segment.RANK_OFFSET_RING_NEXT // 8
_FIRST = segment.RING_OFFSET // 8


@dataclass(frozen=True, slots=True)
class Interval:
    """One stretch of one activity (`segment.Line`); times in ns since the epoch, `cpu` in ns."""

    start: int
    end: int
    cpu: int
    line: int
    step: int = 0


class Ring:
    """The words of a rank file that hold its ring; `buffer` begins where the file does.

    Commit order: the slot first, then the count, each word whole. A reader copies slots, then
    reads the count again and drops what the writer may have overtaken meanwhile.
    """

    def __init__(self, buffer: memoryview) -> None:
        self._words = buffer.cast("B").cast("Q")

    @property
    def count(self) -> int:
        """The number of intervals ever written."""
        return self._words[_NEXT]

    def append(self, interval: Interval) -> None:
        """Adds an interval, over the oldest one when the ring is full."""
        count = self._words[_NEXT]
        at = _FIRST + (count % segment.RING_SLOTS) * 4
        self._words[at] = interval.start
        self._words[at + 1] = interval.end
        self._words[at + 2] = interval.cpu
        self._words[at + 3] = interval.line | interval.step << 8
        self._words[_NEXT] = count + 1

    def read(self, since: int) -> tuple[list[Interval], int, int]:
        """Intervals number `since` and later: (intervals, number to ask for next, how many were lost).

        Lost are those that the writer overwrote before they were read.
        """
        count = self._words[_NEXT]
        first = max(since, count - segment.RING_SLOTS)
        found: list[Interval] = []
        for number in range(first, count):
            at = _FIRST + (number % segment.RING_SLOTS) * 4
            start, end, cpu, tag = self._words[at : at + 4]
            found.append(Interval(start, end, cpu, tag & 0xFF, tag >> 8))
        # The slot being written now is one beyond the count, hence the + 1.
        safe = max(first, self._words[_NEXT] + 1 - segment.RING_SLOTS)
        return found[safe - first :], max(count, since), safe - since

    def release(self) -> None:
        """Lets go of the buffer, so that an mmap under it can be closed."""
        self._words.release()


class Recorder:
    """Cuts a process's life into touching intervals: each ends where the next begins."""

    def __init__(self, ring: Ring, now_ns: int, cpu_ns: int) -> None:
        self._ring = ring
        self._start, self._cpu = now_ns, cpu_ns

    @property
    def since_ns(self) -> int:
        """The beginning of the stretch that is not yet recorded."""
        return self._start

    def end(self, line: int, now_ns: int, cpu_ns: int, step: int = 0) -> None:
        """Records the time since the last boundary as `line`; empty stretches leave no trace."""
        if now_ns <= self._start:
            return
        self._ring.append(Interval(self._start, now_ns, max(cpu_ns - self._cpu, 0), line, step))
        self._start, self._cpu = now_ns, cpu_ns
