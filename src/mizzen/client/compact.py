"""Many objects of one resource in little memory: the newest parsed, all others as packed bytes.

A parsed object takes about five times the bytes of its JSON, and its JSON fifteen times what zstd
makes of it beside others of its kind: pods of a few templates differ in little but names. So the
objects that changed or were unpacked last stay parsed, and the rest is packed against a
dictionary made of the first ones. To unpack and parse one costs about as much as a watch event.
"""

from __future__ import annotations

import json
import struct
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator, MutableMapping

import orjson

from mizzen.base.objects import Key, Obj, revision_of

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_LEVEL = 1
_DICTIONARY_BYTES = 16 << 10
_SAMPLES = 4  # objects that the dictionary is made of
_REVISION = struct.Struct(">Q")


class CompactObjects(MutableMapping[Key, Obj]):
    """A mapping that keeps `parsed_max` objects parsed; in the order they came in, like a dict.

    Of those that `is_settled` says will hardly change or be asked for it keeps `settled_max`
    parsed, for those who come at the same time. What is read may be a fresh copy each time: equal,
    never to be mutated, not to be compared by identity.
    """

    def __init__(
        self,
        parsed_max: int,
        settled_max: int = _SAMPLES,
        is_settled: Callable[[Obj], bool] | None = None,
    ) -> None:
        assert min(parsed_max, settled_max) >= _SAMPLES, "the dictionary is made of parsed objects"
        self._is_settled = is_settled
        self._parsed_max, self._settled_max = parsed_max, settled_max
        self._parsed: OrderedDict[Key, Obj] = OrderedDict()  # the oldest first
        self._settled: OrderedDict[Key, Obj] = OrderedDict()  # the same, of those that are
        self._packed: dict[Key, bytes | None] = {}  # all keys; None: not packed since it changed
        self._dictionary: zstd.ZstdDict | None = None
        self._packer = zstd.ZstdCompressor(_LEVEL)

    def __getitem__(self, key: Key) -> Obj:
        obj = self._parsed.get(key) or self._settled.get(key)
        if obj is None:
            packed = self._packed[key]
            assert packed is not None, "what is not parsed is packed"
            obj = self._unpack(packed)
            self._keep_parsed(key, obj)
        return obj

    def __setitem__(self, key: Key, obj: Obj) -> None:
        if key in self._packed:
            self._forget_parsed(key)
        self._packed[key] = None
        self._keep_parsed(key, obj)

    def __delitem__(self, key: Key) -> None:
        del self._packed[key]
        self._forget_parsed(key)

    def __iter__(self) -> Iterator[Key]:
        return iter(self._packed)

    def __len__(self) -> int:
        return len(self._packed)

    def __contains__(self, key: object) -> bool:
        return key in self._packed

    def revision(self, key: Key) -> int:
        """The revision of an object, which is not unpacked for it. Errors: KeyError."""
        packed = self._packed[key]
        return _REVISION.unpack_from(packed)[0] if packed else revision_of(self[key])

    def _keep_parsed(self, key: Key, obj: Obj) -> None:
        parsed, parsed_max = self._parsed, self._parsed_max
        if self._is_settled is not None and self._is_settled(obj):
            parsed, parsed_max = self._settled, self._settled_max
        parsed[key] = obj
        if len(parsed) <= parsed_max:
            return
        if self._dictionary is None:
            self._learn_dictionary(list(parsed.values()))
        key, obj = parsed.popitem(last=False)
        if self._packed[key] is None:
            self._packed[key] = self._pack(obj)

    def _forget_parsed(self, key: Key) -> None:
        if self._parsed.pop(key, None) is None:
            self._settled.pop(key, None)

    def _learn_dictionary(self, parsed: list[Obj]) -> None:
        """Builds the dictionary from objects spread over all; neighbours are often alike."""
        chosen = parsed[:: len(parsed) // _SAMPLES][:_SAMPLES]
        text = b"".join(map(_text, chosen))
        self._dictionary = zstd.ZstdDict(text[-_DICTIONARY_BYTES:], is_raw=True)
        self._packer = zstd.ZstdCompressor(_LEVEL, zstd_dict=self._dictionary)

    def _pack(self, obj: Obj) -> bytes:
        packer = self._packer
        frame = packer.compress(_text(obj), packer.FLUSH_FRAME)
        return _REVISION.pack(revision_of(obj)) + frame

    def _unpack(self, packed: bytes) -> Obj:
        frame = packed[_REVISION.size :]
        return orjson.loads(zstd.decompress(frame, zstd_dict=self._dictionary))


def _text(obj: Obj) -> bytes:
    try:
        return orjson.dumps(obj)
    except TypeError:  # it reads what is nested more deeply than it writes
        return json.dumps(obj).encode()
