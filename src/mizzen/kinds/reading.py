"""`base.reading` for dotted paths, the form in which kinds name fields (`spec.model.path`)."""

from __future__ import annotations

from typing import Any, cast

from mizzen.base import reading
from mizzen.base.objects import Obj


def get(obj: Any, path: str) -> Any:
    """The value at a dotted path, None where a part is missing."""
    return reading.field(obj, *path.split("."))


def part(obj: Any, path: str) -> Obj:
    """The object at a dotted path; an empty one, not attached, where there is none."""
    return reading.part(obj, *path.split("."))


def entries(obj: Any, path: str) -> list[Any]:
    """The list at a dotted path; an empty one, not attached, where there is none."""
    return cast("list[Any]", reading.entries(obj, *path.split(".")))
