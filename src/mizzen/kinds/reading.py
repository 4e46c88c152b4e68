"""`base.reading` for dotted paths, the form in which kinds name fields (`spec.model.path`)."""

from __future__ import annotations

from typing import Any, cast

from mizzen.base.objects import Obj


def get(obj: Any, path: str) -> Any:
    """The value at a dotted path, None where a part is missing."""
    for name in path.split("."):
        if not isinstance(obj, dict):
            return None
        obj = cast("Obj", obj).get(name)
    return obj


# Every validation asks for dozens of fields, nearly all of them at hand: those are not split.
_get = dict[str, Any].get


def part(obj: Any, path: str) -> Obj:
    """The object at a dotted path; an empty one, not attached, where there is none."""
    given: Any = obj
    is_here = type(obj) is dict and "." not in path
    found: Obj | None = _get(given, path) if is_here else get(obj, path)
    return found if isinstance(found, dict) else {}


def entries(obj: Any, path: str) -> list[Any]:
    """The list at a dotted path; an empty one, not attached, where there is none."""
    given: Any = obj
    is_here = type(obj) is dict and "." not in path
    found: list[Any] | None = _get(given, path) if is_here else get(obj, path)
    return found if isinstance(found, list) else []
