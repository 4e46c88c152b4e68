from __future__ import annotations

import itertools
from pathlib import Path

from mizzen.base.segment import INTERVAL, RANK_OFFSET_RING_NEXT, RING_OFFSET, WORD, Line
from mizzen.engine.ledger import RECORD_NS, ServingLedger


class SteppedClock:
    def __init__(self) -> None:
        self.ns = 1_000

    def now_ns(self) -> int:
        return self.ns

    def monotonic_ns(self) -> int:
        return self.ns


def intervals(path: Path) -> list[tuple[int, int, int, int]]:
    data = path.read_bytes()
    (count,) = WORD.unpack_from(data, RANK_OFFSET_RING_NEXT)
    return [INTERVAL.unpack_from(data, RING_OFFSET + i * INTERVAL.size) for i in range(count)]


def test_intervals_touch_and_say_what_was_done(tmp_path: Path) -> None:
    clock, path = SteppedClock(), tmp_path / "rank"
    ledger = ServingLedger(path, clock)
    clock.ns = 2_000
    ledger.loaded()
    clock.ns = 3_000
    ledger.mark(True)
    clock.ns = 4_000
    ledger.mark(True)
    clock.ns = 5_000
    ledger.mark(False)
    clock.ns += RECORD_NS
    ledger.mark(False)
    ledger.close()
    found = intervals(path)
    lines = [line for _, _, _, line in found]
    assert lines == [Line.STARTING, Line.SERVING_IDLE, Line.SERVING_BUSY, Line.SERVING_IDLE]
    assert [(start, end) for start, end, _, _ in found[:3]] == [
        (1_000, 2_000),
        (2_000, 3_000),
        (3_000, 5_000),
    ]
    assert all(before[1] == after[0] for before, after in itertools.pairwise(found))
    assert sum(cpu for _, _, cpu, _ in found) > 0


def test_without_a_file_nothing_happens() -> None:
    ledger = ServingLedger(None, SteppedClock())
    ledger.loaded()
    ledger.mark(True)
    ledger.close()
