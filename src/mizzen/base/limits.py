"""The size limit of one object, however it grew."""

from __future__ import annotations

from typing import Any

OBJECT_BYTES_MAX = 3 << 20  # as JSON: upstream's limit of a request's body, and of etcd's with it
# Objects and lists within each other. orjson writes 254: what shows objects has the rest.
OBJECT_DEPTH_MAX = 240
ROOM = 254 - OBJECT_DEPTH_MAX


def with_room(value: Any) -> Any:
    """The value within as many lists as may be put around an object: orjson writes it exactly if
    the value is not nested too deeply, and between `ROOM` brackets stands the value's own text."""
    for _ in range(ROOM):
        value = [value]
    return value
