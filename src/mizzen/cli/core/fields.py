"""Reads nested fields of API objects, where anything may be absent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from mizzen.base.objects import Obj


def value(obj: Mapping[str, Any], *path: str) -> Any:
    """What is at this path; None where any part of it is missing."""
    found: Any = obj
    for name in path:
        if not isinstance(found, Mapping):
            return None
        found = cast("Mapping[str, Any]", found).get(name)
    return found


def section(obj: Mapping[str, Any], *path: str) -> Obj:
    found = value(obj, *path)
    return cast("Obj", found) if isinstance(found, dict) else {}


def entries(obj: Mapping[str, Any], *path: str) -> list[Obj]:
    found = value(obj, *path)
    return cast("list[Obj]", found) if isinstance(found, list) else []


def text(obj: Mapping[str, Any], *path: str) -> str:
    found = value(obj, *path)
    return "" if found is None else str(found)


def number(obj: Mapping[str, Any], *path: str) -> int:
    found = value(obj, *path)
    return int(found) if found is not None else 0
