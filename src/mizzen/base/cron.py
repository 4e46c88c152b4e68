"""Schedules of CronJobs: five fields, or @hourly and the like, in a time zone.

A schedule is moments at which a clock on the wall shows what its fields say. Where the clock is set
forward, what lies between is left out; where it is set back, both passes count.
Source: robfig/cron v3, the parser of Kubernetes, its errors included.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

YEARS_MAX = 5  # within which the next moment must lie
_SECOND_NS = 1_000_000_000
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_UNITS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h)")
_DESCRIPTORS = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0", "@daily": "0 0 * * *", "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Bounds:
    least: int
    most: int
    names: dict[str, int]


_FIELDS = (
    _Bounds(0, 59, {}),
    _Bounds(0, 23, {}),
    _Bounds(1, 31, {}),
    _Bounds(1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    _Bounds(0, 6, {name: number for number, name in enumerate(_DAYS)}),
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """`every_ns` is of schedules that know no clock; days may be any, by day of month or of week."""

    minutes: frozenset[int] = frozenset()
    hours: frozenset[int] = frozenset()
    days: frozenset[int] = frozenset()
    months: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset()
    is_any_day: bool = False
    is_any_weekday: bool = False
    every_ns: int = 0

    def next(self, after_ns: int, zone: ZoneInfo | None = None) -> int | None:
        """The first moment after this one, in ns since the epoch; None where there is none."""
        if self.every_ns:
            return (after_ns // _SECOND_NS) * _SECOND_NS + self.every_ns
        whole = datetime.fromtimestamp(after_ns // _SECOND_NS + 1, UTC)
        found = self._next(whole, zone)
        return None if found is None else int(found.timestamp()) * _SECOND_NS

    def _next(self, start: datetime, zone: ZoneInfo | None) -> datetime | None:
        tz = zone or UTC
        at = start.astimezone(tz)
        limit = at.year + YEARS_MAX
        if at.second:
            at = _plus(at, timedelta(seconds=60 - at.second))
        while at.year <= limit:
            if at.month not in self.months:
                at = _midnight(at, months=1)
            elif not self._is_day(at):
                at = _midnight(at, days=1)
            elif at.hour not in self.hours:
                at = _plus(at, timedelta(minutes=60 - at.minute))
            elif at.minute not in self.minutes:
                at = _plus(at, timedelta(minutes=1))
            else:
                return at
        return None

    def _is_day(self, at: datetime) -> bool:
        by_month = at.day in self.days
        by_week = (at.weekday() + 1) % 7 in self.weekdays
        if self.is_any_day or self.is_any_weekday:
            return by_month and by_week
        return by_month or by_week


def _plus(at: datetime, span: timedelta) -> datetime:
    """Later by so much real time, whatever the clock on the wall does meanwhile."""
    return (at.astimezone(UTC) + span).astimezone(at.tzinfo)


def _midnight(at: datetime, *, days: int = 0, months: int = 0) -> datetime:
    """The start of a later day, or of the first of a later month; where the clock skips midnight,
    the first moment after it."""
    first = at.replace(hour=0, minute=0, fold=0)
    if months:
        first = (first.replace(day=1) + timedelta(days=32)).replace(day=1)
    later = first + timedelta(days=days)
    return later.astimezone(UTC).astimezone(at.tzinfo)


def parse(text: str) -> Schedule:
    """Errors: ValueError in the words of upstream's parser."""
    if not text:
        raise ValueError("empty spec string")
    if text.startswith("@"):
        return _descriptor(text)
    fields = text.split()
    if len(fields) != len(_FIELDS):
        found = f"[{' '.join(fields)}]"
        raise ValueError(f"expected exactly {len(_FIELDS)} fields, found {len(fields)}: {found}")
    read = [_field(each, bounds) for each, bounds in zip(fields, _FIELDS, strict=True)]
    minutes, hours, days, months, weekdays = (values for values, _ in read)
    return Schedule(
        minutes, hours, days, months, weekdays, is_any_day=read[2][1], is_any_weekday=read[4][1]
    )


def _descriptor(text: str) -> Schedule:
    known = _DESCRIPTORS.get(text)
    if known is not None:
        return parse(known)
    if not text.startswith("@every "):
        raise ValueError(f"unrecognized descriptor: {text}")
    duration = text.removeprefix("@every ")
    if not re.fullmatch(f"[+]?(?:{_DURATION.pattern})+", duration):
        raise ValueError(f'failed to parse duration {text}: time: invalid duration "{duration}"')
    ns = sum(int(Fraction(number) * _UNITS[unit]) for number, unit in _DURATION.findall(duration))
    return Schedule(every_ns=max(ns // _SECOND_NS, 1) * _SECOND_NS)


def _field(text: str, bounds: _Bounds) -> tuple[frozenset[int], bool]:
    """The values, and whether the field is a star."""
    values: set[int] = set()
    is_star = False
    for part in filter(None, text.split(",")):
        found, star = _range(part, bounds)
        values.update(found)
        is_star = is_star or star
    return frozenset(values), is_star


def _range(text: str, bounds: _Bounds) -> tuple[range, bool]:
    span, *steps = text.split("/")
    low, *high = span.split("-")
    is_star = low in ("*", "?")
    if is_star:
        start, end = bounds.least, bounds.most
    else:
        start = _number(low, bounds)
        if len(high) > 1:
            raise ValueError(f"too many hyphens: {text}")
        end = _number(high[0], bounds) if high else start
    if len(steps) > 1:
        raise ValueError(f"too many slashes: {text}")
    step = _number(steps[0]) if steps else 1
    if steps and not high:
        end = bounds.most
    if step > 1:
        is_star = False
    if start < bounds.least:
        raise ValueError(f"beginning of range ({start}) below minimum ({bounds.least}): {text}")
    if end > bounds.most:
        raise ValueError(f"end of range ({end}) above maximum ({bounds.most}): {text}")
    if start > end:
        raise ValueError(f"beginning of range ({start}) beyond end of range ({end}): {text}")
    if step == 0:
        raise ValueError(f"step of range should be a positive number: {text}")
    return range(start, end + 1, step), is_star


def _number(text: str, bounds: _Bounds | None = None) -> int:
    named = bounds.names.get(text.lower()) if bounds is not None else None
    if named is not None:
        return named
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise ValueError(
            f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax'
        )
    return int(text)
