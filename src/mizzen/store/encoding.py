"""The rules for stored objects: the one place that every object passes on its way into a store."""

from __future__ import annotations

import orjson

from mizzen.base.errors import Invalid, TooLarge
from mizzen.base.limits import OBJECT_BYTES_MAX, OBJECT_DEPTH_MAX, ROOM, with_room
from mizzen.store.store import ObjectKey, Stored, Write

_DELETE = "delete"  # the verb of deletions, and of the mark that announces one
_MARK_BYTES_MAX = 256  # that the mark adds: the time, the grace, a finalizer


def encode(write: Write, before: Stored | None) -> bytes:
    """The object as JSON, in bytes of exact size.

    Errors: Invalid when it is no JSON or nested too deeply; TooLarge. What was too large before
    may shrink, and whatever its size it may be deleted.
    """
    key = write.key
    try:
        # orjson's own buffer is several times the text; the copy has its exact size.
        data = bytes(memoryview(orjson.dumps(with_room(write.object)))[ROOM:-ROOM])
    except TypeError as error:  # orjson.JSONEncodeError is one
        reason = str(error)
        if "Recursion" in reason:
            reason = f"it is nested deeper than {OBJECT_DEPTH_MAX} levels"
        raise Invalid(
            f"{_named(key)} cannot be stored: {reason}", kind=key.resource, name=key.name
        ) from error
    limit = OBJECT_BYTES_MAX
    if len(data) > limit and before is not None:
        limit = max(limit, len(before.data))
    if len(data) <= limit + (_MARK_BYTES_MAX if write.verb == _DELETE else 0):
        return data
    raise TooLarge(
        f"{_named(key)} is too large: it would have {len(data)} bytes with all defaults, the limit is "
        f"{OBJECT_BYTES_MAX}; split it",
        kind=key.resource,
        name=key.name,
    )


def _named(key: ObjectKey) -> str:
    return f'{key.resource} "{key.name}"'
