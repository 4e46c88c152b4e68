"""A device's log: gapless whatever happens, and never further than is known."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mizzen.base.ledger import DeviceId, Owner, check, totals
from mizzen.base.ring import Interval as RingInterval
from mizzen.base.segment import Line
from mizzen.node.core.usage import CPUS_MAX, CpuSamples, DeviceLog, resumed

DEVICE = DeviceId("n", "cpu.mizzen.dev", "core-0")
OWNER = Owner("p", "u", "Pod/p", "default", "default/c")
S = 1_000_000_000


def lines(record: Any) -> list[tuple[str, int, int]]:
    return [(i["line"], i["start"], i["end"]) for i in record["spec"]["intervals"]]


def hear(log: DeviceLog, intervals: list[RingInterval]) -> None:
    log.on_intervals(intervals, now=10**18)


def test_what_cannot_be_is_no_record() -> None:
    """Any program may write into its rank file."""
    log = DeviceLog(DEVICE, 0, 0)
    log.change_owner(OWNER, 100, 0)
    log.on_spawn(110, is_reporter=True)
    far = 2**64 - 1
    odd = [(far, far), (150, far), (300, 200), (200, 200), (0, 0), (far, 120), (120, 9000)]
    log.on_intervals(
        [RingInterval(a, b, far, Line.USEFUL_STEP, far >> 8) for a, b in odd], now=8000
    )
    log.on_intervals([RingInterval(120, 150, far, 77, 3)], now=8000)
    record = log.flush(0)
    assert lines(record) == [("starting", 100, 120), ("unknown", 120, 150)]
    assert record is not None and record["spec"]["intervals"][-1]["cpu"] == 30 * CPUS_MAX


def test_a_workers_life() -> None:
    log = DeviceLog(DEVICE, 0, 0)
    assert lines(log.change_owner(OWNER, 100, 0)) == [("free", 0, 100)]
    log.on_spawn(110, is_reporter=True)
    log.advance(500)
    assert lines(log.flush(0)) == [("starting", 100, 110)]
    hear(
        log,
        [
            RingInterval(120, 200, 30, Line.STARTING),
            RingInterval(200, 260, 50, Line.USEFUL_STEP, 7),
        ],
    )
    log.advance(900)
    assert lines(log.flush(80)) == [("starting", 110, 200), ("usefulStep", 200, 260)]
    log.on_kill(300)
    log.on_exit(310, is_clean=False, again=True)
    log.on_spawn(320, is_reporter=True)
    hear(log, [RingInterval(330, 400, 1, Line.STARTING)])
    log.on_kill(410)
    log.on_exit(412, is_clean=True, again=False)
    record = log.change_owner(None, 450, 90)
    assert lines(record) == [
        ("unknown", 260, 300),
        ("stopping", 300, 310),
        ("starting", 310, 400),
        ("stopping", 400, 450),
    ]
    assert record is not None and record["spec"]["kernelCPU"] == 10


def test_a_silent_process_is_running() -> None:
    log = DeviceLog(DEVICE, 0, 0)
    log.change_owner(OWNER, 10, 0)
    log.on_spawn(20, is_reporter=False)
    log.advance(5 * S)
    assert log.cursor == 20
    log.advance(11 * S)
    assert lines(log.flush(0)) == [("starting", 10, 20), ("running", 20, 11 * S)]
    hear(log, [RingInterval(10 * S, 12 * S, 100, Line.SERVING_BUSY)])
    assert lines(log.flush(0)) == [("servingBusy", 11 * S, 12 * S)]


def test_a_device_that_changed_hands_unrecorded_is_taken_over() -> None:
    """The agent was killed before the new owner's first record was written."""
    log = DeviceLog(DEVICE, 0, 0)
    log.advance(100)
    free = log.flush(0)
    log.change_owner(OWNER, 150, 0)
    again = resumed(DEVICE, free, 500)
    assert lines(again.restore_owner(OWNER, log.since)) == [("free", 100, 150)]
    assert (again.owner, again.begin) == (OWNER, 150)
    hear(again, [RingInterval(160, 300, 5, Line.USEFUL_STEP, 1)])
    written = again.flush(10)
    assert lines(written) == [("starting", 150, 160), ("usefulStep", 160, 300)]
    # Released, and that unrecorded too; then told once more what the records know by now.
    third = resumed(DEVICE, written, 900)
    assert third.restore_owner(OWNER, 150) is None
    assert lines(third.restore_owner(None, 400)) == [("unknown", 300, 400)]
    third.advance(900)
    assert lines(third.flush(0)) == [("free", 400, 900)]


def test_resumes_without_a_gap() -> None:
    log = DeviceLog(DEVICE, 0, 0)
    log.change_owner(OWNER, 10, 0)
    log.on_spawn(20, is_reporter=True)
    hear(log, [RingInterval(25, 50, 5, Line.USEFUL_STEP, 1)])
    record = log.flush(5)
    assert record is not None
    again = resumed(DEVICE, record, 500)
    hear(
        again,
        [
            RingInterval(25, 50, 5, Line.USEFUL_STEP, 1),
            RingInterval(50, 90, 5, Line.USEFUL_STEP, 2),
        ],
    )
    assert lines(again.flush(10)) == [("usefulStep", 50, 90)]


MARKS = st.lists(
    st.tuples(
        st.sampled_from(
            ["take", "free", "spawn", "kill", "exit", "again", "hear", "advance", "flush"]
        ),
        st.integers(1, 20 * S),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(MARKS)
def test_any_sequence_of_marks_sums_to_the_time(marks: list[tuple[str, int]]) -> None:
    log = DeviceLog(DEVICE, 0, 0)
    records: list[Any] = []
    now = 0
    for kind, pause in marks:
        before, now = now, now + pause
        match kind:
            case "take":
                records.append(log.change_owner(OWNER, now, 0))
            case "free":
                records.append(log.change_owner(None, now, 0))
            case "spawn" if log.owner and not log.is_live:
                log.on_spawn(now, is_reporter=bool(pause % 2))
            case "kill":
                log.on_kill(now)
            case "exit" | "again" if log.is_live:
                log.on_exit(now, bool(pause % 2), kind == "again")
            case "hear" if log.is_live:
                hear(
                    log,
                    [RingInterval(before + 1, now, pause // 3, Line.USEFUL_STEP, 1)]
                    if now > before + 1
                    else [],
                )
            case "advance":
                log.advance(now)
            case _:
                records.append(log.flush(0))
    records.append(log.change_owner(None, now + 1, 0))
    records = [r for r in records if r is not None]
    assert check(records) == []
    assert totals(records).all == log.cursor


def test_the_time_while_the_instance_was_down_is_its_own_line() -> None:
    """For a device that is held as for a free one; what follows is a start, or free again."""
    held, free = DeviceLog(DEVICE, 0, 0), DeviceLog(DEVICE, 0, 0)
    held.change_owner(OWNER, 0, 0)
    held.on_spawn(10, is_reporter=True)
    records: list[Any] = []
    for log in (held, free):
        if log.owner is not None:
            hear(log, [RingInterval(10, 40, 5, Line.USEFUL_STEP, 1)])
            log.on_exit(50, is_clean=True, again=False)
        log.advance(50)
        last = log.flush(0)
        again = resumed(DEVICE, last, 100)
        again.on_downtime(50, 100)
        again.advance(120)
        records.append(again.flush(0))
        assert last is not None and check([last, records[-1]]) == []
    assert [
        [(i["line"], i["start"], i["end"]) for i in record["spec"]["intervals"]]
        for record in records
    ] == [
        [("down", 50, 100), ("starting", 100, 120)],
        [("down", 50, 100), ("free", 100, 120)],
    ]


def test_cpu_between_samples_is_straight() -> None:
    samples = CpuSamples()
    samples.add(0, 0)
    samples.add(100, 50)
    assert (samples.at(50), samples.at(100), samples.at(200)) == (25, 50, 50)
