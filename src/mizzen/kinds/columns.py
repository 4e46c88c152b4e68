"""Cells of printed columns: ages, counts and fields, as kubectl shows them.

Source: apimachinery `util/duration.HumanDuration`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mizzen.base.clock import parse_rfc3339
from mizzen.base.objects import Obj
from mizzen.kinds.kind import Cell, Column
from mizzen.kinds.reading import get

NONE = "<none>"
UNKNOWN = "<unknown>"
_SECOND = 1_000_000_000


def human_duration(ns: int) -> str:
    """A duration in two significant units: 90 s -> "90s", 200 s -> "3m20s", 3 h -> "3h"."""
    seconds = ns // _SECOND
    if seconds < -1:
        return "<invalid>"
    if seconds < 60 * 2:
        return f"{max(seconds, 0)}s"
    minutes = seconds // 60
    if minutes < 10:
        return f"{minutes}m" + (f"{seconds % 60}s" if seconds % 60 else "")
    if minutes < 60 * 3:
        return f"{minutes}m"
    hours = minutes // 60
    if hours < 8:
        return f"{hours}h" + (f"{minutes % 60}m" if minutes % 60 else "")
    if hours < 48:
        return f"{hours}h"
    if hours < 24 * 8:
        return f"{hours // 24}d" + (f"{hours % 24}h" if hours % 24 else "")
    days = hours // 24
    if days < 365 * 2:
        return f"{days}d"
    if days < 365 * 8:
        return f"{days // 365}y" + (f"{days % 365}d" if days % 365 else "")
    return f"{days // 365}y"


def since(moment: Any, now_ns: int) -> str:
    """The age of an RFC 3339 time; "<unknown>" without one."""
    if not moment:
        return UNKNOWN
    try:
        return human_duration(now_ns - parse_rfc3339(str(moment)))
    except ValueError:
        return UNKNOWN


def of(path: str, missing: Cell = "") -> Callable[[Obj, int], Cell]:
    """The cell that shows the field at a dotted path."""

    def cell(obj: Obj, now_ns: int) -> Cell:
        value = get(obj, path)
        return missing if value is None else value

    return cell


def keys(path: str) -> Callable[[Obj, int], Cell]:
    """The cell that counts the entries of a map or list."""

    def cell(obj: Obj, now_ns: int) -> Cell:
        return len(get(obj, path) or ())

    return cell


NAME = Column(
    "Name", lambda obj, now: obj["metadata"].get("name", ""), format="name",
    description="Name of the object.",
)  # fmt: skip
AGE = Column(
    "Age", lambda obj, now: since(obj["metadata"].get("creationTimestamp"), now),
    description="Time since the object was created.",
)  # fmt: skip
