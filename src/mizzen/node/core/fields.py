"""Reading what may be absent in an object, with a type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mizzen.base.objects import Obj


def part(obj: Mapping[str, Any], *path: str) -> Obj:
    """The mapping at this path, {} where something on the way is absent or null."""
    found: Any = obj
    for name in path:
        found = found.get(name) or {}
    return found


def entries(obj: Mapping[str, Any], *path: str) -> list[Obj]:
    """The list of objects at this path, [] where it is absent."""
    return part(obj, *path[:-1]).get(path[-1]) or []


def text(obj: Mapping[str, Any], *path: str) -> str:
    """The string at this path, "" where it is absent."""
    return part(obj, *path[:-1]).get(path[-1]) or ""
