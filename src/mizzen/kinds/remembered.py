"""Pure functions of JSON values that remember their answers by the bytes of what they were given.

Pods come from templates: the ten thousand of one Deployment have the same spec, so what follows from
it is worked out once. An answer depends on nothing but those bytes; whatever else counts (quotas,
classes, defaults of a namespace) is asked anew for each object, and makes other bytes where it
changes them. Answers are shared: never to be changed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import orjson

# Of one function; the oldest go first. A value is a few kilobytes, its answers about as much.
ENTRIES_MAX = 512
BYTES_MAX = 4 << 20  # of the values together
MET_MAX = 2048  # keys met once that are known to have been
VALUE_BYTES_MAX = 32 << 10  # what is larger is worked out each time
# Values that are no JSON as they stand are none of ours.
_EXACTLY = (
    orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_SUBCLASS
)  # fmt: skip

T = TypeVar("T")


def key_of(value: Any) -> bytes | None:
    """The bytes by which a value is known again; None where it is not to be."""
    try:
        key = orjson.dumps(value, option=_EXACTLY)
    except TypeError:  # orjson.JSONEncodeError is one
        return None
    return key if len(key) <= VALUE_BYTES_MAX else None


class Memory(Generic[T]):
    """The newest answers by key, bounded in number and in bytes of their keys.

    A key is kept when it is met for the second time: values that are all different cost no memory.
    """

    def __init__(self) -> None:
        self._known: dict[bytes, T] = {}
        self._bytes = 0
        self._met: set[int] = set()  # the doorkeeper's: hashes of keys that are not kept
        self.find = self._known.get

    def recurs(self, key: bytes) -> bool:
        """True if a key that is not kept was met before, so that its answer is to be."""
        mark, met = hash(key), self._met
        if mark in met:
            met.discard(mark)
            return True
        if len(met) >= MET_MAX:
            met.clear()
        met.add(mark)
        return False

    def keep(self, key: bytes, answer: T) -> None:
        known = self._known
        if key not in known:
            self._bytes += len(key)
        known[key] = answer
        while len(known) > ENTRIES_MAX or self._bytes > BYTES_MAX:
            oldest = next(iter(known))
            del known[oldest]
            self._bytes -= len(oldest)

    def __len__(self) -> int:
        return len(self._known)


def remembered(compute: Callable[[Any], T]) -> Callable[[Any], T]:
    """The same function of JSON values; its answers, which are never None, are shared."""
    memory = Memory[T]()

    def answer(value: Any) -> T:
        key = key_of(value)
        if key is None:
            return compute(value)
        found = memory.find(key)
        if found is None:
            found = compute(value)
            if memory.recurs(key):
                memory.keep(key, found)
        return found

    return answer
