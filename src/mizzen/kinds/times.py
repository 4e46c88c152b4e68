"""Moments as Kubernetes writes them: RFC 3339 in UTC, in whole seconds (Time) or with six digits
(MicroTime).

Source: apimachinery meta/v1 `time.go`, `micro_time.go`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

EXAMPLE = "2026-01-31T12:00:00Z"
_LENGTH_MAX = 64  # characters; what was read is remembered
_MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]+))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)


def canonical(text: str, *, micro: bool = False) -> str:
    """The text that clients of every language read. Errors: ValueError when it is no moment."""
    if len(text) > _LENGTH_MAX:
        raise ValueError(f"{text[:_LENGTH_MAX]!r}… is longer than the {_LENGTH_MAX} characters")
    return _canonical(text, micro=micro)


@lru_cache(maxsize=1024)  # the same few come with every status
def _canonical(text: str, *, micro: bool) -> str:
    moment, fraction = _parse(text)
    written = moment.isoformat()[:19]
    return f"{written}.{fraction[:6]:0<6}Z" if micro else f"{written}Z"


def is_moment(text: str) -> bool:
    """True if the text is a moment of some calendar."""
    try:
        canonical(text)
    except ValueError:
        return False
    return True


def _parse(text: str) -> tuple[datetime, str]:
    """The second in UTC, and the digits after its point."""
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not of the form {EXAMPLE}")
    whole, fraction, sign, hours, minutes = match.groups()
    moment = datetime.fromisoformat(whole.upper()).replace(tzinfo=UTC)
    if sign:
        if int(hours) > 23 or int(minutes) > 59:
            raise ValueError(f"{text!r} has an offset of more than a day")
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        try:
            moment = moment - offset if sign == "+" else moment + offset
        except OverflowError as error:
            raise ValueError(f"{text!r} is outside the years 1 to 9999") from error
    return moment, fraction or ""
