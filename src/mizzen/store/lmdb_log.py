"""The log on LMDB: two tables, changed together in one durable transaction.

    objects   place -> revision, key, JSON
    history   revision (8 bytes, big endian) -> who, when, what, JSON

LMDB writes the changed pages, calls fdatasync, then writes one 4 KiB meta page through an
O_DSYNC descriptor: a crash at any moment leaves the old root or the new one. A disk without
room fails the transaction and leaves the old root. Other processes may read the files.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import orjson

from mizzen.store.lmdb_file import LmdbFile, NoRoom
from mizzen.store.store import EventType, ObjectKey, Record, Stored

FORMAT = 1
_REVISION = struct.Struct(">Q")
_HEAD = struct.Struct(">QI")  # revision, bytes of the JSON head that follows
_LENGTH = struct.Struct(">I")
_KEY_BYTES = 500  # LMDB allows 511
_PRUNE_BATCH = 1000
_TYPES: dict[str, EventType] = {"A": "ADDED", "M": "MODIFIED", "D": "DELETED"}


class LmdbLog:
    """`Log` in a folder. One writer, by an advisory lock on the file `writer`."""

    def __init__(self, path: Path, keep: int) -> None:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = os.open(path / "writer", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._lock)
            raise BlockingIOError(
                errno.EWOULDBLOCK, f"the store {path} is in use by another process"
            ) from error
        self._file = LmdbFile(path, ("objects", "history"), growing=frozenset({"history"}))
        self._keep = keep
        self._check_format(path)
        first = self._file.first("history")
        newest = self._file.last("history")
        self._newest = _REVISION.unpack(newest[0])[0] if newest else 0
        self._oldest = _REVISION.unpack(first[0])[0] - 1 if first else self._newest
        self._time_ns = _record(*newest).time_ns if newest else 0
        self._count = self._file.count("history")

    @property
    def oldest(self) -> int:
        return self._oldest

    def load(self) -> tuple[int, int, Iterable[Stored]]:
        return self._newest, self._time_ns, self._objects()

    def append(self, transactions: Sequence[Sequence[Record]]) -> list[bool]:
        """One durable commit for all of them. If that finds no room, one commit each: the
        first that fits not is refused, and so is all behind it that might rest on it."""
        if self._write([record for records in transactions for record in records]):
            return [True] * len(transactions)
        kept: list[bool] = []
        refused: set[ObjectKey] = set()
        for records in transactions:
            rests = any(record.key in refused for record in records)
            if not rests and self._write(records):
                kept.append(True)
            else:
                kept.append(False)
                refused.update(record.key for record in records)
        return kept

    def read(self, since: int, limit: int, bytes_max: int) -> list[Record]:
        found = self._file.scan("history", _REVISION.pack(since + 1), limit, bytes_max)
        return [_record(key, value) for key, value in found]

    def find(self, revision: int) -> Record | None:
        value = self._file.get("history", _REVISION.pack(revision))
        return None if value is None else _record(_REVISION.pack(revision), value)

    def close(self) -> None:
        self._file.close()
        os.close(self._lock)

    def _check_format(self, path: Path) -> None:
        found = self._file.get("", b"format")
        if found is None:
            self._file.write([("", b"format", str(FORMAT).encode())], [])
        elif found != str(FORMAT).encode():
            raise OSError(
                errno.EINVAL,
                f"the store {path} has format {found.decode()}, this version reads {FORMAT}",
            )

    def _objects(self) -> Iterator[Stored]:
        for _, value in self._file.scan("objects", b""):
            revision, length = _HEAD.unpack_from(value)
            at = _HEAD.size + length
            resource, namespace, name = value[_HEAD.size : at].decode().split("\0")
            yield Stored(ObjectKey(resource, namespace, name), revision, value[at:])

    def _write(self, records: Sequence[Record]) -> bool:
        """One LMDB transaction; False when there was no room for it."""
        puts: dict[tuple[str, bytes], bytes | None] = {}
        for record in records:
            place = _place(record.key)
            if record.type == "DELETED":
                puts[("objects", place)] = None
            else:
                full = "\0".join(record.key).encode()
                head = _HEAD.pack(record.revision, len(full))
                puts[("objects", place)] = head + full + record.data
            puts[("history", _REVISION.pack(record.revision))] = _encode(record)
        old = self._prunable(len(records))
        try:
            self._file.write(
                [(table, key, value) for (table, key), value in puts.items()],
                [("history", key) for key in old],
            )
        except NoRoom:
            return False
        self._count += len(records) - len(old)
        if old:
            self._oldest = _REVISION.unpack(old[-1])[0]
        if records:
            self._newest = records[-1].revision
        return True

    def _prunable(self, more: int) -> list[bytes]:
        """The keys of a batch of the oldest records, once there is a whole batch too many."""
        if self._count + more < self._keep + _PRUNE_BATCH:
            return []
        many = self._count + more - self._keep
        return [key for key, _ in self._file.scan("history", b"", min(many, 4 * _PRUNE_BATCH))]


def _place(key: ObjectKey) -> bytes:
    text = "\0".join(key).encode()
    if len(text) <= _KEY_BYTES:
        return text
    return text[: _KEY_BYTES - 65] + b"\0" + hashlib.sha256(text).hexdigest().encode()


def _encode(record: Record) -> bytes:
    head = orjson.dumps(
        [
            record.time_ns,
            record.identity,
            record.verb,
            *record.key,
            record.plan,
            record.type[0],
            record.previous,
        ]
    )
    return _LENGTH.pack(len(head)) + head + record.data


def _record(key: bytes, value: bytes) -> Record:
    (length,) = _LENGTH.unpack_from(value)
    at = _LENGTH.size + length
    time_ns, identity, verb, resource, namespace, name, plan, kind, previous = orjson.loads(
        value[_LENGTH.size : at]
    )
    return Record(
        _REVISION.unpack(key)[0],
        time_ns,
        identity,
        verb,
        ObjectKey(resource, namespace, name),
        plan,
        _TYPES[kind],
        previous,
        value[at:],
    )
