# pyright: basic
"""A typed, narrow view of py-lmdb, which has no stubs."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import lmdb

MAP_BYTES = 16 << 30  # address space, not disk or memory; the file grows as it is written
_CHUNK = 512
_CHUNK_BYTES = 1 << 20
# LMDB reports a write cut short by a full disk as EIO. In each of these cases the transaction
# was dropped before its root was written; a root that fails is a panic, which is not among them.
_NO_ROOM = tuple(os.strerror(code) for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO))


class NoRoom(Exception):
    """The disk (or the map) is full; the transaction was dropped whole."""


class LmdbFile:
    """Named tables of sorted keys; table "" is the unnamed main one.

    New keys of a table in `growing` lie behind all others of it. Told so, LMDB fills pages where
    it would leave halves free: half the pages to write.
    """

    def __init__(
        self, path: Path, tables: Sequence[str], growing: frozenset[str] = frozenset()
    ) -> None:
        self._env = lmdb.open(
            str(path), map_size=MAP_BYTES, max_dbs=len(tables), readahead=False, mode=0o600
        )
        named = {name: self._env.open_db(name.encode()) for name in tables}
        self._tables = {"": None, **named}
        self._growing = growing

    def get(self, table: str, key: bytes) -> bytes | None:
        with self._env.begin(db=self._tables[table]) as transaction:
            return transaction.get(key)

    def first(self, table: str) -> tuple[bytes, bytes] | None:
        with self._env.begin(db=self._tables[table]) as transaction:
            cursor = transaction.cursor()
            return (cursor.key(), cursor.value()) if cursor.first() else None

    def last(self, table: str) -> tuple[bytes, bytes] | None:
        with self._env.begin(db=self._tables[table]) as transaction:
            cursor = transaction.cursor()
            return (cursor.key(), cursor.value()) if cursor.last() else None

    def count(self, table: str) -> int:
        with self._env.begin() as transaction:
            return transaction.stat(self._tables[table])["entries"]

    def scan(
        self, table: str, start: bytes, limit: int = 0, bytes_max: int = 0
    ) -> Iterator[tuple[bytes, bytes]]:
        """Entries from `start` on, in short read transactions: `limit` of them, `bytes_max` of
        values but at least one (0: all)."""
        count = size = 0
        while True:
            chunk, more = self._chunk(table, start)
            for entry in chunk:
                size += len(entry[1])
                if bytes_max and count and size > bytes_max:
                    return
                yield entry
                count += 1
                if count == limit:
                    return
            if not more:
                return
            start = chunk[-1][0] + b"\0"

    def _chunk(self, table: str, start: bytes) -> tuple[list[tuple[bytes, bytes]], bool]:
        chunk: list[tuple[bytes, bytes]] = []
        size = 0
        with self._env.begin(db=self._tables[table]) as transaction:
            cursor = transaction.cursor()
            if cursor.set_range(start):
                for entry in cursor:
                    chunk.append(entry)
                    size += len(entry[1])
                    if len(chunk) == _CHUNK or size >= _CHUNK_BYTES:
                        return chunk, True
        return chunk, False

    def write(
        self,
        puts: Sequence[tuple[str, bytes, bytes | None]],
        deletes: Sequence[tuple[str, bytes]],
    ) -> None:
        """One transaction, on disk when this returns; a put of None deletes. Errors: NoRoom."""
        try:
            with self._env.begin(write=True) as transaction:
                for table, key, value in puts:
                    if value is None:
                        transaction.delete(key, db=self._tables[table])
                    else:
                        grows = table in self._growing
                        put = transaction.put(key, value, append=grows, db=self._tables[table])
                        assert put, f"{table} has a key behind {key!r}"
                for table, key in deletes:
                    transaction.delete(key, db=self._tables[table])
        except (lmdb.MapFullError, lmdb.DiskError) as error:
            raise NoRoom(str(error)) from error
        except lmdb.Error as error:
            if any(text in str(error) for text in _NO_ROOM):
                raise NoRoom(str(error)) from error
            raise OSError(errno.EIO, f"the store cannot be written: {error}") from error

    def close(self) -> None:
        self._env.close()
