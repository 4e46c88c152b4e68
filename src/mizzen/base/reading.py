"""Reads fields of API objects that may be absent at any depth, with types a checker can follow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from mizzen.base.objects import Obj

_get = dict[str, Any].get  # read often: no cast at each step


def field(obj: Mapping[str, Any], *path: str) -> Any:
    """The value at this path, None where any step is absent or null."""
    found: Any = obj
    try:
        for name in path:
            if found is None:
                return None
            found = _get(found, name)
    except TypeError:  # a step is no object
        return None
    return found


def part(obj: Mapping[str, Any], *path: str) -> Obj:
    """The object at this path; an empty one, not attached, where there is none."""
    found = field(obj, *path)
    return cast("Obj", found) if isinstance(found, dict) else {}


def entries(obj: Mapping[str, Any], *path: str) -> list[Obj]:
    """The list of objects at this path; an empty one, not attached, where there is none."""
    found = field(obj, *path)
    return cast("list[Obj]", found) if isinstance(found, list) else []


def text(obj: Mapping[str, Any], *path: str) -> str:
    """The string at this path, "" where there is none."""
    found = field(obj, *path)
    return "" if found is None else str(found)


def number(obj: Mapping[str, Any], *path: str) -> int:
    """The number at this path, 0 where there is none."""
    found = field(obj, *path)
    return 0 if found is None else int(found)
