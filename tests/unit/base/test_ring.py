"""Tests of the ring of intervals."""

from __future__ import annotations

from mizzen.base import segment
from mizzen.base.ring import Interval, Recorder, Ring


def ring() -> Ring:
    return Ring(memoryview(bytearray(segment.BUFFERS_OFFSET)))


def test_what_was_appended_is_read_once() -> None:
    written = [Interval(10 * n, 10 * n + 10, n, segment.Line.USEFUL_STEP, n) for n in range(5)]
    target = ring()
    for interval in written:
        target.append(interval)
    assert target.read(0) == (written, 5, 0)
    assert target.read(3) == (written[3:], 5, 0)
    assert target.read(5) == ([], 5, 0)


def test_a_slow_reader_learns_how_much_it_lost() -> None:
    target = ring()
    extra = 7
    for n in range(segment.RING_SLOTS + extra):
        target.append(Interval(n, n + 1, 0, segment.Line.STARTING))
    found, following, lost = target.read(0)
    assert following == segment.RING_SLOTS + extra
    assert lost == extra + 1  # one more: the slot that the writer may fill right now
    assert found[0].start == lost
    assert found[-1].end == following


def test_layout_is_the_one_that_segment_describes() -> None:
    page = bytearray(segment.BUFFERS_OFFSET)
    Ring(memoryview(page)).append(Interval(1, 2, 3, segment.Line.REFORMING, 9))
    assert segment.INTERVAL.unpack_from(page, segment.RING_OFFSET) == (1, 2, 3, 5 | 9 << 8)
    assert segment.WORD.unpack_from(page, segment.RANK_OFFSET_RING_NEXT) == (1,)


def test_recorded_intervals_touch_and_empty_ones_vanish() -> None:
    target = ring()
    recorder = Recorder(target, now_ns=100, cpu_ns=40)
    recorder.end(segment.Line.STARTING, 150, 70)
    recorder.end(segment.Line.CHECKPOINT_STALL, 150, 70)
    recorder.end(segment.Line.USEFUL_STEP, 140, 90)  # the clock was set back
    recorder.end(segment.Line.USEFUL_STEP, 200, 95, step=1)
    assert target.read(0)[0] == [
        Interval(100, 150, 30, segment.Line.STARTING),
        Interval(150, 200, 25, segment.Line.USEFUL_STEP, 1),
    ]
    assert recorder.since_ns == 200
