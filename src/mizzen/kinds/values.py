"""JSON values: as members of sets, where true is not 1, while 1 equals 1.0; and their copies."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any, cast

import orjson


def mark_of(value: Any) -> Hashable:
    """Equal for equal values of JSON, and only for them."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict | list):
        return (list, orjson.dumps(value, option=orjson.OPT_SORT_KEYS))
    return (bool, value) if isinstance(value, bool) else (None, value)


def one_of(allowed: Iterable[Any]) -> Callable[[Any], bool]:
    """A test whether a value is among these, in constant time."""
    marks = frozenset(map(mark_of, allowed))
    return lambda value: mark_of(value) in marks


def fresh(value: Any) -> Any:
    """A copy that its owner may change."""
    if type(value) is dict:
        return {key: fresh(part) for key, part in cast("dict[str, Any]", value).items()}
    if type(value) is list:
        return [fresh(part) for part in cast("list[Any]", value)]
    return value


def has_null(value: Any) -> bool:
    """True if there is a null anywhere in a value of JSON."""
    if isinstance(value, dict):
        return any(map(has_null, cast("dict[str, Any]", value).values()))
    if isinstance(value, list):
        return any(map(has_null, cast("list[Any]", value)))
    return value is None


def without_nulls(value: Any) -> Any:
    """A value of JSON without the members of its objects that are null."""
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value).items()
        return {name: without_nulls(each) for name, each in members if each is not None}
    if isinstance(value, list):
        return [without_nulls(each) for each in cast("list[Any]", value)]
    return value
