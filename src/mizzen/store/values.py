"""The encoding of objects and records as values, each with a checksum, and their sums.

    object    CRC-32 | revision, bytes of the key | key | JSON
    record    CRC-32 | bytes of the head | head as JSON | JSON

Both checksums begin with the JSON, which is the same in both, so it is gone through once. That of
an object covers its key, that of a record its revision: a value in another's place does not pass.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, field, replace
from sys import intern
from zlib import crc32

import orjson

from mizzen.store.pages import Broken
from mizzen.store.store import EventType, ObjectKey, Record, Stored

REVISION = struct.Struct(">Q")  # the key of a record
CHECKSUM = struct.Struct(">I")
RESTORED = b"restored"  # the key in the main table
_HEAD = struct.Struct(">QI")  # revision, bytes of the key that follows
_LENGTH = struct.Struct(">I")
_SUMS = struct.Struct(">QQQ")
_KEY_BYTES = 500  # LMDB allows 511
_MODULUS = 1 << 64
_TYPES: dict[str, EventType] = {"A": "ADDED", "M": "MODIFIED", "D": "DELETED"}


def name_of(key: ObjectKey) -> bytes:
    """The key as it stands in an object's value."""
    return "\0".join(key).encode()


def place(key: ObjectKey) -> bytes:
    """Under which an object is kept: its key, unless that is too long."""
    return place_of(name_of(key))


def place_of(text: bytes) -> bytes:
    """The same by the key as `name_of` has it."""
    if len(text) <= _KEY_BYTES:
        return text
    return text[: _KEY_BYTES - 65] + b"\0" + hashlib.sha256(text).hexdigest().encode()


def data_checksum(data: bytes) -> int:
    return crc32(data)


def object_value(name: bytes, revision: int, data: bytes, checksum: int) -> bytes:
    """`name` as of `name_of`; `checksum` is that of the data."""
    head = _HEAD.pack(revision, len(name)) + name
    return CHECKSUM.pack(crc32(head, checksum)) + head + data


def record_value(record: Record, checksum: int) -> bytes:
    """`checksum` is that of the data."""
    revision, time_ns, identity, verb, key, plan, type, previous, data = record
    words = orjson.dumps([time_ns, identity, verb, *key, plan, type[0], previous])
    head = _LENGTH.pack(len(words)) + words
    checksum = crc32(head, crc32(REVISION.pack(revision), checksum))
    return CHECKSUM.pack(checksum) + head + data


def read_object(at: bytes, value: bytes) -> Stored:
    """Errors: Broken where the checksum says so."""
    name, length = CHECKSUM.size + _HEAD.size, len(value)
    if length >= name:
        revision, key_bytes = _HEAD.unpack_from(value, CHECKSUM.size)
        start = name + key_bytes
        data = value[start:]
        if start <= length and _matches(value, crc32(value[CHECKSUM.size : start], crc32(data))):
            text = value[name:start]
            resource, namespace, own = text.decode().split("\0")
            key = ObjectKey(intern(resource), intern(namespace), own)  # one for all that are in it
            if at == (text if key_bytes <= _KEY_BYTES else place(key)):
                return Stored(key, revision, data)
    raise Broken(f"object {at.decode(errors='replace')!r} does not have its checksum")


def read_record(at: bytes, value: bytes) -> Record:
    """Errors: Broken where the checksum says so."""
    start = check_record(at, value)
    words = orjson.loads(value[CHECKSUM.size + _LENGTH.size : start])
    return _record(at, words, value[start:])


def check_record(at: bytes, value: bytes) -> int:
    """The offset of its JSON. Errors: Broken if the checksum does not match."""
    words, length = CHECKSUM.size + _LENGTH.size, len(value)
    if length >= words and len(at) == REVISION.size:
        start = words + _LENGTH.unpack_from(value, CHECKSUM.size)[0]
        checksum = crc32(value[CHECKSUM.size : start], crc32(at, crc32(value[start:])))
        if start <= length and _matches(value, checksum):
            return start
    revision = int.from_bytes(at, "big")
    raise Broken(f"revision {revision} of the history does not have its checksum")


def restored_value(revision: int) -> bytes:
    text = REVISION.pack(revision)
    return CHECKSUM.pack(crc32(text)) + text


def read_restored(value: bytes) -> int:
    """0 where there is none. Errors: Broken where the checksum says so."""
    if not value:
        return 0
    text = value[CHECKSUM.size :]
    if len(text) != REVISION.size or not _matches(value, crc32(text)):
        raise Broken("the revision at which it was restored does not have its checksum")
    return REVISION.unpack(text)[0]


def read_old_object(value: bytes) -> Stored:
    """As format 1 had it, without a checksum. Errors: Broken, ValueError."""
    revision, key_bytes = _HEAD.unpack_from(value)
    start = _HEAD.size + key_bytes
    key = ObjectKey(*value[_HEAD.size : start].decode().split("\0"))
    return Stored(key, revision, value[start:])


def read_old_record(at: bytes, value: bytes) -> Record:
    """As format 1 had it, without a checksum. Errors: ValueError."""
    start = _LENGTH.size + _LENGTH.unpack_from(value)[0]
    return _record(at, orjson.loads(value[_LENGTH.size : start]), value[start:])


def _record(at: bytes, words: list[object], data: bytes) -> Record:
    time_ns, identity, verb, resource, namespace, name, plan, kind, previous = words
    key = ObjectKey(str(resource), str(namespace), str(name))
    return Record(
        REVISION.unpack(at)[0],
        int(str(time_ns)),
        str(identity),
        str(verb),
        key,
        str(plan),
        _TYPES[str(kind)],
        int(str(previous)),
        data,
    )


def _matches(value: bytes, checksum: int) -> bool:
    return CHECKSUM.unpack_from(value)[0] == checksum


@dataclass(slots=True)
class Sums:
    """The sums of a table: entries, bytes of keys and values, the sum of their checksums."""

    entries: int = 0
    size_bytes: int = 0
    checksums: int = 0

    def add(self, key_bytes: int, value_bytes: int, checksum: int) -> None:
        self.entries += 1
        self.size_bytes += key_bytes + value_bytes
        self.checksums = (self.checksums + checksum) % _MODULUS

    def subtract(self, key_bytes: int, value_bytes: int, checksum: int) -> None:
        self.entries -= 1
        self.size_bytes -= key_bytes + value_bytes
        self.checksums = (self.checksums - checksum) % _MODULUS


@dataclass(slots=True)
class Totals:
    """The sums of a whole store. `newest` is the last revision that was ever given."""

    newest: int = 0
    time_ns: int = 0
    objects: Sums = field(default_factory=Sums)
    history: Sums = field(default_factory=Sums)

    def copy(self) -> Totals:
        return replace(self, objects=replace(self.objects), history=replace(self.history))

    def pack(self) -> bytes:
        text = struct.pack(">QQ", self.newest, self.time_ns) + b"".join(
            _SUMS.pack(sums.entries, sums.size_bytes, sums.checksums)
            for sums in (self.objects, self.history)
        )
        return CHECKSUM.pack(crc32(text)) + text

    @classmethod
    def unpack(cls, value: bytes) -> Totals:
        """Errors: Broken."""
        text = value[CHECKSUM.size :]
        if len(text) != 16 + 2 * _SUMS.size or not _matches(value, crc32(text)):
            raise Broken("its totals do not have their checksum")
        newest, time_ns = struct.unpack_from(">QQ", text)
        objects, history = Sums(*_SUMS.unpack_from(text, 16)), Sums(*_SUMS.unpack_from(text, 40))
        return cls(newest, time_ns, objects, history)
