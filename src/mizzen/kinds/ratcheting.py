"""What the schema of a custom kind does not hold against an update: parts that have not changed.

Source: apiextensions `pkg/apiserver/validation/ratcheting.go`; k8s.io/apiserver
`pkg/cel/common/equality.go`; v0.36 (CRDValidationRatcheting, KEP-4008).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.kinds.decoding import decode
from mizzen.kinds.report import Path, Unplaced, render
from mizzen.kinds.schema import Schema
from mizzen.kinds.values import mark_of

_DUPLICATE = "FieldValueDuplicate"


def unforgiven(schema: Schema, new: Obj, old: Obj, found: list[Cause]) -> list[Cause]:
    """Those of the causes against `new` that are about something that has changed.

    Lists that had duplicates before may have them.
    """
    same = list(_unchanged(schema, new, old, None))
    left = [cause for cause in found if not _is_within(_place(cause), same)]
    if any(cause.reason == _DUPLICATE for cause in left):
        before = decode(schema, old, is_custom=True).causes
        if any(cause.reason == _DUPLICATE for cause in before):
            left = [cause for cause in left if cause.reason != _DUPLICATE]
    return left


def is_of_status(cause: Cause) -> bool:
    """True of what is in the status of an object, or the status itself."""
    return _is_within(_place(cause), ["status"])


def _place(cause: Cause) -> str:
    return cause.place if isinstance(cause, Unplaced) else cause.field


def _is_within(place: str, same: list[str]) -> bool:
    return any(
        not each or place == each or place.startswith((f"{each}.", f"{each}[")) for each in same
    )


def _unchanged(schema: Schema, new: Any, old: Any, path: Path) -> Iterator[str]:
    """The highest places whose values are what they were: by name, and in lists of type map by key."""
    if new == old:
        yield render(path)
        return
    if isinstance(new, dict) and isinstance(old, dict):
        before = cast("Obj", old)
        for name, value in cast("Obj", new).items():
            below = schema.fields.get(name) or schema.values
            is_type = path is None and name in ("apiVersion", "kind")
            if below is not None and name in before and not is_type:
                yield from _unchanged(below, value, before[name], (path, name))
    elif isinstance(new, list) and isinstance(old, list) and schema.list_keys and schema.items:
        known = {_mark(each, schema.list_keys): each for each in cast("list[Any]", old)}
        for index, each in enumerate(cast("list[Any]", new)):
            former = known.get(_mark(each, schema.list_keys))
            if former is not None:
                yield from _unchanged(schema.items, each, former, (path, index))


def _mark(item: Any, keys: tuple[str, ...]) -> Any:
    entry: Obj = cast("Obj", item) if isinstance(item, dict) else {}
    return mark_of([entry.get(key) for key in keys])
