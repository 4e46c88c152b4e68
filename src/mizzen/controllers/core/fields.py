"""Reading nested fields that may be absent at any depth."""

from __future__ import annotations

from typing import Any, cast

from mizzen.base.objects import Obj


def field(obj: Obj, *path: str) -> Any:
    """The value at `path`, or None where any step is absent or null."""
    value: Any = obj
    for name in path:
        if not isinstance(value, dict):
            return None
        value = cast("Obj", value).get(name)
    return value


def mapping(obj: Obj, *path: str) -> Obj:
    """The mapping at `path`, empty where there is none."""
    value = field(obj, *path)
    return cast("Obj", value) if isinstance(value, dict) else {}


def entries(obj: Obj, *path: str) -> list[Obj]:
    """The list of mappings at `path`, empty where there is none."""
    value = field(obj, *path)
    return cast("list[Obj]", value) if isinstance(value, list) else []
