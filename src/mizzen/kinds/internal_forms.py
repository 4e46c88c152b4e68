"""Objects as upstream's refusals show them: in its internal types, as Go's encoder writes those.

Fields have their Go names there, and all of them are written. The table is derived from upstream's
sources by `scripts/derive_internal_types.py`. Source: apimachinery `util/diff`, pmezard/go-difflib.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, cast

import orjson

from mizzen.base.errors import Cause
from mizzen.base.go_text import escaped
from mizzen.base.objects import Obj

_ZEROS: Mapping[str, Any] = {
    "string": "", "number": 0, "bool": False, "quantity": "0", "time": None, "either": 0, "any": None,
}  # fmt: skip


def internal(name: str, value: Any) -> Obj:
    """What the encoder is given of a value of this internal type, such as `core.PodSpec`."""
    return cast("Obj", _written(name, value, {}))


def is_same(name: str, old: Any, new: Any) -> bool:
    """True if two values of this type say the same: what is empty may as well not be there."""
    return old == new or _plain(internal(name, old)) == _plain(internal(name, new))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        entries = cast("Obj", value).items()
        return {name: _plain(each) for name, each in entries if each not in ({}, [], None)}
    return [_plain(each) for each in cast("list[Any]", value)] if isinstance(value, list) else value


def fixed(name: str, path: str, new: Any, old: Any) -> list[Cause]:
    """A cause if a value of this type, which may not change, is another one."""
    if is_same(name, old, new):
        return []
    shown = escaped(json.dumps(internal(name, new), ensure_ascii=False, separators=(",", ":")))
    return [Cause(path, f"Invalid value: {shown}: field is immutable")]


def difference(name: str, old: Any, new: Any) -> str:
    """What of a value of this type changed, line by line, with three lines around each change."""
    one, other = (_lines(internal(name, each)) for each in (old, new))
    return "".join(list(difflib.unified_diff(one, other))[2:])


def _lines(value: Any) -> list[str]:
    text = escaped(json.dumps(value, indent=1, ensure_ascii=False))
    return [f"{line}\n" for line in text.split("\n")]


def _written(kind: str, value: Any, parent: Mapping[str, Any]) -> Any:
    if kind.startswith("*"):
        return None if value is None else _written(kind[1:], value, parent)
    if kind.startswith("[]"):
        items = cast("Sequence[Any] | None", value)
        return None if items is None else [_written(kind[2:], each, parent) for each in items]
    if kind.startswith("{}"):
        if value is None:
            return None
        entries = sorted(cast("Mapping[str, Any]", value).items())
        return {name: _written(kind[2:], each, parent) for name, each in entries}
    if kind in _ZEROS:
        return _ZEROS[kind] if value is None else value
    obj = cast("Mapping[str, Any]", value or {})
    made: Obj = {}
    for shown, original, holds, is_omitted in _table()[kind]:
        found = _written(holds, _found(obj, parent, original), obj)
        if found or not is_omitted:
            made[shown] = found
    return made


def _found(obj: Mapping[str, Any], parent: Mapping[str, Any], name: str) -> Any:
    if name.startswith("^"):  # of the published type it is a field of the struct around
        return parent.get(name[1:])
    first, _, second = name.partition("/")
    found = obj.get(first)
    return cast("Mapping[str, Any]", found or {}).get(second) if second else found


@cache
def _table() -> Mapping[str, Sequence[tuple[str, str, str, bool]]]:
    text = files("mizzen.kinds").joinpath("internal_types.json").read_bytes()
    found: Mapping[str, Sequence[tuple[str, str, str, bool]]] = orjson.loads(text)
    return found
