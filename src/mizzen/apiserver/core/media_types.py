"""Content-Type and Accept as Go's libraries read them.

Source: Go's mime/mediatype.go; github.com/munnerz/goautoneg.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_VALUE = rf'(?:{_TOKEN}|"(?:[^"\\\r\n]|\\.)*")'
_MEDIA_TYPE = re.compile(
    rf"[ \t]*({_TOKEN}(?:/{_TOKEN})?)[ \t]*"
    rf"((?:;[ \t]*{_TOKEN}[ \t]*=[ \t]*{_VALUE}[ \t]*)*);?[ \t]*"
)
_NAME = re.compile(rf";[ \t]*({_TOKEN})[ \t]*=")
_SORTED_IN_PLACE_MAX = 12  # what Go sorts by insertion


class Clause(NamedTuple):
    """One alternative of an Accept header."""

    type: str
    subtype: str
    quality: float
    params: dict[str, str]

    def takes(self, media: str) -> bool:
        whole, _, part = media.partition("/")
        return self.subtype in ("*", part) and (
            self.type == whole or (self.type, self.subtype) == ("*", "*")
        )


def media_type(content_type: str) -> str:
    """The type that a Content-Type names, in lower case. One that cannot be read is returned whole:
    nobody has a type of that name."""
    if content_type == "application/json":  # which nearly all say
        return content_type
    found = _MEDIA_TYPE.fullmatch(content_type)
    if found is None:
        return content_type
    names = [name.lower() for name in _NAME.findall(found[2])]
    return found[1].lower() if len({*names}) == len(names) else content_type


def clauses(accept: str) -> list[Clause]:
    """The alternatives of an Accept header, the most wanted first."""
    found = [made for part in accept.split(",") if (made := _clause(part)) is not None]
    if len(found) > _SORTED_IN_PLACE_MAX:
        return sorted(
            found, key=lambda each: (-each.quality, each.type == "*", each.subtype == "*")
        )
    for at in range(1, len(found)):
        while at and _is_before(found[at], found[at - 1]):
            found[at - 1], found[at] = found[at], found[at - 1]
            at -= 1
    return found


def _is_before(one: Clause, other: Clause) -> bool:
    return (
        one.quality > other.quality
        or (one.type != "*" and other.type == "*")
        or (one.subtype != "*" and other.subtype == "*")
    )


def _clause(part: str) -> Clause | None:
    media, *rest = part.split(";")
    names = [each.strip() for each in media.split("/")]
    if names == ["*"]:
        names = ["*", "*"]
    if len(names) != 2 or not names[1]:
        return None
    quality, params = 1.0, dict[str, str]()
    for each in rest:
        name, *values = each.split("=")
        if len(values) != 1 or not values[0]:
            continue
        if name.strip() == "q":
            quality = _quality(values[0])
        else:
            params[name.strip()] = values[0].strip()
    return Clause(names[0], names[1], quality, params)


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
