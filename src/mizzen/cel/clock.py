"""Timestamps and durations: reading and writing them, and their parts in a time zone.

Source: google/cel-go common/types/{timestamp,duration}.go, v0.26; Go's time.Parse (RFC 3339) and
time.ParseDuration.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from zoneinfo import ZoneInfo

from mizzen.cel import arithmetic
from mizzen.cel.values import INT_MAX, Duration, Err, Timestamp, no_overload

_SECOND = 10**9
_RFC3339 = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:[.,]([0-9]+))?"
    r"(?:(Z)|([+-])([0-9]{2}):([0-9]{2}))\Z"
)
_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": _SECOND,
          "m": 60 * _SECOND, "h": 3600 * _SECOND}  # fmt: skip
_PART = re.compile(r"([0-9]*)(?:\.([0-9]*))?(ns|us|µs|μs|ms|s|m|h)")
_WHOLE_DIGITS_MAX = 19  # of an int64
_FRACTION_DIGITS = 30  # more make no nanosecond of an hour
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_timestamp(args: list[object]) -> object:
    match args[0]:
        case str() as text:
            return _parsed_time(text)
        case int() as seconds:
            return arithmetic.timestamp(seconds * _SECOND)
        case other:
            return no_overload(other)


_NO_TIMESTAMP = Err("type conversion error from 'string' to 'google.protobuf.Timestamp'")
_NO_DURATION = Err("type conversion error from 'string' to 'google.protobuf.Duration'")


def _parsed_time(text: str) -> Timestamp | Err:
    match = _RFC3339.match(text)
    if match is None:
        return _NO_TIMESTAMP
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    sign = -1 if match[9] == "-" else 1
    offset = 0 if match[8] else sign * (int(match[10]) * 3600 + int(match[11]) * 60)
    if not match[8] and (int(match[10]) > 24 or int(match[11]) > 60):
        return _NO_TIMESTAMP
    try:
        local = datetime(max(year, 1), month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return _NO_TIMESTAMP
    if year == 0:
        return Err("timestamp overflow")
    seconds = (local - _EPOCH) // timedelta(seconds=1) - offset
    ns = int((match[7] or "").ljust(9, "0")[:9])
    return arithmetic.timestamp(seconds * _SECOND + ns, offset)


def to_duration(args: list[object]) -> object:
    if not isinstance(args[0], str):
        return no_overload(args[0])
    text = args[0]
    bad = _NO_DURATION
    body = text[1:] if text[:1] in ("+", "-") else text
    if body == "0":
        return Duration(0)
    total, at = 0, 0
    while at < len(body):
        match = _PART.match(body, at)
        if match is None or not (match[1] or match[2]):
            return bad
        unit = _UNITS[match[3]]
        whole, fraction = match[1].lstrip("0"), (match[2] or "")[:_FRACTION_DIGITS]
        if len(whole) > _WHOLE_DIGITS_MAX:
            return bad
        total += int(whole or 0) * unit
        total += int(Fraction(int(fraction or 0), 10 ** len(fraction)) * unit)
        at = match.end()
    if not body or total > INT_MAX + (text[0] == "-"):
        return bad
    return Duration(-total if text[0] == "-" else total)


def time_text(value: Timestamp) -> str:
    """RFC 3339 in the zone it was written in, with as many decimals as needed."""
    seconds, ns = divmod(value.ns, _SECOND)
    local = _EPOCH.replace(tzinfo=None) + timedelta(seconds=seconds + value.offset_s)
    fraction = f".{ns:09d}".rstrip("0").rstrip(".")
    zone = "Z"
    if value.offset_s:
        minutes = abs(value.offset_s) // 60
        zone = f"{'-' if value.offset_s < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}"
    return f"{local.isoformat()}{fraction}{zone}"


def duration_text(value: Duration) -> str:
    """Seconds, with as many decimals as a double needs."""
    seconds = abs(value.ns) // _SECOND + (abs(value.ns) % _SECOND) / 1e9
    text = f"{seconds:.9f}".rstrip("0").rstrip(".") if seconds < 2**22 else repr(seconds)
    return f"{'-' if value.ns < 0 else ''}{text.removesuffix('.0')}s"


def _whole(ns: int, unit: int) -> int:
    return abs(ns) // unit * (-1 if ns < 0 else 1)


_OF_DURATION: dict[str, int] = {
    "getHours": 3600 * _SECOND,
    "getMinutes": 60 * _SECOND,
    "getSeconds": _SECOND,
    "getMilliseconds": 10**6,
}
_OF_TIME: dict[str, Callable[[datetime], int]] = {
    "getFullYear": lambda t: t.year,
    "getMonth": lambda t: t.month - 1,
    "getDayOfYear": lambda t: t.timetuple().tm_yday - 1,
    "getDayOfMonth": lambda t: t.day - 1,
    "getDate": lambda t: t.day,
    "getDayOfWeek": lambda t: t.isoweekday() % 7,
    "getHours": lambda t: t.hour,
    "getMinutes": lambda t: t.minute,
    "getSeconds": lambda t: t.second,
    "getMilliseconds": lambda t: t.microsecond // 1000,
}
GETTERS = tuple(_OF_TIME)


def getter(name: str) -> Callable[[list[object]], object]:
    def get(args: list[object]) -> object:
        value = args[0]
        if isinstance(value, Duration) and name in _OF_DURATION and len(args) == 1:
            return _whole(value.ns, _OF_DURATION[name])
        if not isinstance(value, Timestamp):
            return no_overload(value)
        zone = _zone(args[1]) if len(args) > 1 else UTC
        if isinstance(zone, Err):
            return zone
        try:
            local = (_EPOCH + timedelta(microseconds=value.ns // 1000)).astimezone(zone)
        except OverflowError:
            return Err("timestamp overflow in this time zone")
        return _OF_TIME[name](local)

    return get


def _zone(name: object) -> timezone | ZoneInfo | Err:
    if not isinstance(name, str):
        return no_overload(name)
    hours, colon, minutes = name.partition(":")
    try:
        if not colon:
            return ZoneInfo(name) if name not in ("", "UTC") else UTC
        offset = int(hours) * 60 + (-int(minutes) if name.startswith("-") else int(minutes))
        return timezone(timedelta(minutes=offset))
    except (ValueError, OSError) as error:  # ZoneInfoNotFoundError is a KeyError
        return Err(f"unknown time zone {name[:100]!r}: {error}")
    except KeyError:
        return Err(f"unknown time zone {name[:100]!r}")
