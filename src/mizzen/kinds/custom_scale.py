"""That the numbers of the scale subresource are numbers in an object of a custom kind.

Source: apiextensions `pkg/registry/customresource/validator.go`; apimachinery
`pkg/apis/meta/v1/unstructured/helpers.go`; v0.36.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from mizzen.base.errors import Cause
from mizzen.base.go_text import printed
from mizzen.base.objects import Obj
from mizzen.kinds import causes as words

_INT32_MAX = 2**31 - 1
_TYPES = {
    str: "string", bool: "bool", int: "int64", float: "float64", list: "[]interface {}",
    dict: "map[string]interface {}",
}  # fmt: skip


def check_replicas(obj: Obj, path: str) -> Iterator[Cause]:
    """Causes against the number of replicas at a dotted path."""
    value, problem = _found(obj, path, int)
    if problem:
        yield words.invalid(f".{path}", 0, problem)
    elif value is not None and value < 0:
        yield words.invalid(f".{path}", value, "should be a non-negative integer")
    elif value is not None and value > _INT32_MAX:
        yield words.invalid(f".{path}", value, f"should be less than or equal to {_INT32_MAX}")


def check_selector(obj: Obj, path: str) -> Iterator[Cause]:
    """Causes against the selector at a dotted path."""
    _, problem = _found(obj, path, str)
    if problem:
        yield words.invalid(f".{path}", "", problem)


def _found(obj: Obj, path: str, wanted: type) -> tuple[Any, str]:
    """The value, None where there is none; and why it is none of this type."""
    at: Any = obj
    names = path.split(".")
    for index, name in enumerate(names):
        if at is None:
            return None, ""
        if not isinstance(at, dict):
            return None, _problem(names[:index], at, "map[string]interface{}")
        inside = cast("Obj", at)
        if name not in inside:
            return None, ""
        at = inside[name]
    if type(at) is not wanted:
        return None, _problem(names, at, _TYPES[wanted])
    return at, ""


def _problem(names: list[str], value: Any, wanted: str) -> str:
    kind = _TYPES.get(cast("type[Any]", type(value)), "<nil>")
    shown = "<nil>" if value is None else _shown(value)
    return f".{'.'.join(names)} accessor error: {shown} is of the type {kind}, expected {wanted}"


def _shown(value: Any) -> str:
    """As Go prints it without being told how."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return printed(value)
    if isinstance(value, list):
        return f"[{' '.join(map(_shown, cast('list[Any]', value)))}]"
    if isinstance(value, dict):
        inside = sorted(cast("Obj", value).items())
        return f"map[{' '.join(f'{name}:{_shown(each)}' for name, each in inside)}]"
    return "<nil>" if value is None else str(value)
