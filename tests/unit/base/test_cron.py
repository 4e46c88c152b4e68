"""Schedules are read and followed as Kubernetes' parser does."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from mizzen.base import cron

NS = 1_000_000_000
BERLIN = ZoneInfo("Europe/Berlin")


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * NS


def following(schedule: str, after: str, count: int = 1, zone: ZoneInfo | None = None) -> list[str]:
    parsed, at = cron.parse(schedule), ns(after)
    found: list[str] = []
    for _ in range(count):
        moment = parsed.next(at, zone)
        assert moment is not None
        at = moment
        shown = datetime.fromtimestamp(at // NS, zone or ZoneInfo("UTC"))
        found.append(shown.strftime("%Y-%m-%d %H:%M%z"))
    return found


@pytest.mark.parametrize(
    ("schedule", "after", "next_one"),
    [
        ("* * * * *", "2026-01-01T00:00:00Z", "2026-01-01 00:01+0000"),
        ("*/15 * * * *", "2026-01-01T00:14:59Z", "2026-01-01 00:15+0000"),
        ("5-10/5 9 * * *", "2026-01-01T09:05:00Z", "2026-01-01 09:10+0000"),
        ("0 0 1 * *", "2026-01-31T12:00:00Z", "2026-02-01 00:00+0000"),
        ("0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29 00:00+0000"),
        ("0 9 * * mon-fri", "2026-01-02T10:00:00Z", "2026-01-05 09:00+0000"),
        ("0 0 13 * 5", "2026-02-01T00:00:00Z", "2026-02-06 00:00+0000"),
        ("0 0 13 * *", "2026-02-01T00:00:00Z", "2026-02-13 00:00+0000"),
        ("0 0 */2 * 5", "2026-02-01T00:00:01Z", "2026-02-03 00:00+0000"),
        ("30 6,18 * jan,dec *", "2026-01-31T18:30:00Z", "2026-12-01 06:30+0000"),
        ("@hourly", "2026-01-01T00:00:00Z", "2026-01-01 01:00+0000"),
        ("@weekly", "2026-01-01T00:00:00Z", "2026-01-04 00:00+0000"),
        ("@every 90m", "2026-01-01T00:10:00Z", "2026-01-01 01:40+0000"),
    ],
)
def test_the_next_moment(schedule: str, after: str, next_one: str) -> None:
    assert following(schedule, after) == [next_one]


def test_what_a_clock_skips_is_left_out_and_what_it_shows_twice_counts_twice() -> None:
    assert following("30 2 * * *", "2026-03-28T12:00:00Z", 1, BERLIN) == ["2026-03-30 02:30+0200"]
    assert following("30 2 * * *", "2026-10-24T12:00:00Z", 3, BERLIN) == [
        "2026-10-25 02:30+0200", "2026-10-25 02:30+0100", "2026-10-26 02:30+0100",
    ]  # fmt: skip


def test_a_day_that_never_comes_has_no_next_moment() -> None:
    assert cron.parse("0 0 31 2 *").next(ns("2026-01-01T00:00:00Z")) is None


@pytest.mark.parametrize(
    ("schedule", "problem"),
    [
        ("", "empty spec string"),
        ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("9-5 * * * *", "beginning of range (9) beyond end of range (5): 9-5"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("1/2/3 * * * *", "too many slashes: 1/2/3"),
        ("x * * * *", 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'),
        ("@noon", "unrecognized descriptor: @noon"),
        ("@every soon", 'failed to parse duration @every soon: time: invalid duration "soon"'),
    ],
)
def test_what_is_no_schedule_is_told(schedule: str, problem: str) -> None:
    with pytest.raises(ValueError) as error:
        cron.parse(schedule)
    assert str(error.value) == problem
