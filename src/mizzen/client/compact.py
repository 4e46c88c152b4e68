"""Many objects of one resource in little memory: the newest parsed, all others as packed bytes.

A parsed object takes about five times the bytes of its JSON, and its JSON ten times what deflate
makes of it beside others of its kind: pods of a few templates differ in little but names. So the
objects that changed or were asked for last stay parsed, and the rest is packed against a
dictionary made of the first ones. To unpack and parse one costs about as much as a watch event.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections import OrderedDict
from collections.abc import Iterator, MutableMapping

import orjson

from mizzen.base.objects import Key, Obj, revision_of

# Raw deflate with a window that its dictionary fills; one small state is copied for each object.
_LEVEL, _WINDOW_BITS, _MEMORY = 1, -13, 5
_DICTIONARY_BYTES = (1 << 13) - 262  # what such a window can hold of one
_SAMPLES = 4  # objects that the dictionary is made of
_REVISION = struct.Struct(">Q")


class CompactObjects(MutableMapping[Key, Obj]):
    """A mapping that keeps `parsed_max` objects parsed; in the order they came in, like a dict.

    What is read may be a fresh copy each time: equal, never to be mutated, not to be compared
    by identity.
    """

    def __init__(self, parsed_max: int) -> None:
        assert parsed_max >= _SAMPLES, "the dictionary is made of parsed objects"
        self._parsed_max = parsed_max
        self._parsed: OrderedDict[Key, Obj] = OrderedDict()  # the oldest first
        self._packed: dict[Key, bytes | None] = {}  # all keys; None: not packed since it changed
        self._dictionary = b""
        self._packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW_BITS, _MEMORY)

    def __getitem__(self, key: Key) -> Obj:
        obj = self._parsed.get(key)
        if obj is None:
            packed = self._packed[key]
            assert packed is not None, "what is not parsed is packed"
            obj = self._parsed[key] = self._unpack(packed)
            self._make_room()
        return obj

    def __setitem__(self, key: Key, obj: Obj) -> None:
        self._packed[key] = None
        self._parsed.pop(key, None)
        self._parsed[key] = obj
        self._make_room()

    def __delitem__(self, key: Key) -> None:
        del self._packed[key]
        self._parsed.pop(key, None)

    def __iter__(self) -> Iterator[Key]:
        return iter(self._packed)

    def __len__(self) -> int:
        return len(self._packed)

    def __contains__(self, key: object) -> bool:
        return key in self._packed

    def revision(self, key: Key) -> int:
        """The revision of an object, which is not unpacked for it. Errors: KeyError."""
        packed = self._packed[key]
        return _REVISION.unpack_from(packed)[0] if packed else revision_of(self._parsed[key])

    def _make_room(self) -> None:
        if len(self._parsed) <= self._parsed_max:
            return
        if not self._dictionary:
            self._learn_dictionary()
        key, obj = self._parsed.popitem(last=False)
        if self._packed[key] is None:
            self._packed[key] = self._pack(obj)

    def _learn_dictionary(self) -> None:
        """Of objects spread over those that are there: neighbours are often of one template."""
        parsed = list(self._parsed.values())
        chosen = parsed[:: len(parsed) // _SAMPLES][:_SAMPLES]
        text = b"".join(map(_text, chosen))
        self._dictionary = text[-_DICTIONARY_BYTES:]
        self._packer = zlib.compressobj(
            _LEVEL, zlib.DEFLATED, _WINDOW_BITS, _MEMORY, zdict=self._dictionary
        )

    def _pack(self, obj: Obj) -> bytes:
        packer, text = self._packer.copy(), _text(obj)
        return b"".join((_REVISION.pack(revision_of(obj)), packer.compress(text), packer.flush()))

    def _unpack(self, packed: bytes) -> Obj:
        unpacker = zlib.decompressobj(_WINDOW_BITS, zdict=self._dictionary)
        return orjson.loads(unpacker.decompress(packed[_REVISION.size :]))


def _text(obj: Obj) -> bytes:
    try:
        return orjson.dumps(obj)
    except TypeError:  # it reads what is nested more deeply than it writes
        return json.dumps(obj).encode()
