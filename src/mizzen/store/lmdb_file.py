# pyright: basic
"""A typed, narrow view of py-lmdb, which has no stubs."""

from __future__ import annotations

import errno
import os
import resource
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import lmdb

from mizzen.store.mapped import LONG_READ, MappedPages

MAP_BYTES = 16 << 30  # address space, not disk or memory; the file grows as it is written
MAP_BYTES_MAX = 1 << 40  # that the map may grow to
RESERVE_BYTES = 8 << 20  # that the file is longer than what is in it: half of it for deletions
_CHUNK = 512
_CHUNK_BYTES = 1 << 20
_LOCK_BYTES = 8192  # of LMDB's lock file, for 126 readers
# LMDB reports a write cut short by a full disk as EIO. In each of these cases the transaction
# was dropped before its root was written; after a root that fails everything else is a panic.
_NO_ROOM = tuple(os.strerror(code) for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO))


_IO_ERROR = os.strerror(errno.EIO)


class NoRoom(Exception):
    """Something is full, the message says what; the transaction was dropped whole."""


class WriteFailed(OSError):
    """The disk refused a write or a sync; the transaction was dropped whole.

    What the kernel forgot of it then is not relied on: its pages are free, and whoever takes them
    next writes them whole and syncs again.
    """


class Removed(Exception):
    """Somebody removed the file from its folder: what is written to it now goes with its process."""


class LmdbFile:
    """Named tables of sorted keys; table "" is the unnamed main one.

    New keys of a table in `growing` lie behind all others of it. Told so, LMDB fills pages where
    it would leave halves free: half the pages to write. One thread writes, others may read.
    """

    def __init__(
        self,
        path: Path,
        tables: Sequence[str],
        growing: frozenset[str] = frozenset(),
        *,
        map_bytes: int = MAP_BYTES,
        sync: bool = True,
    ) -> None:
        self._path, self._names, self._growing, self._sync = path, tables, growing, sync
        self._reading = threading.Lock()  # against the map's being moved under a reader
        self._map_bytes = map_bytes
        self._open()

    def _open(self) -> None:
        _allocate_lock(self._path / "lock.mdb")
        data = self._path / "data.mdb"
        size = data.stat().st_size if data.exists() else 0
        while self._map_bytes < 2 * size:
            self._map_bytes *= 2
        try:
            self._env = lmdb.open(
                str(self._path), map_size=self._map_bytes, max_dbs=len(self._names),
                readahead=False, mode=0o600, sync=self._sync,
            )  # fmt: skip
        except lmdb.MemoryError as error:
            raise OSError(
                errno.ENOMEM,
                f"the store needs {self._map_bytes >> 30} GiB of address space, which is not "
                "memory; raise the limit (`ulimit -v`)",
                str(self._path),
            ) from error
        named = {name: self._env.open_db(name.encode()) for name in self._names}
        self._tables = {"": None, **named}
        self._page_bytes = self._env.stat()["psize"]
        self._data = os.open(data, os.O_RDWR | os.O_CLOEXEC)
        self._mapped = MappedPages(self._data)

    def reopen(self) -> None:
        """After a write whose fate is unknown: LMDB refuses all others until then."""
        with self._reading:
            self.close()
            self._open()

    # -- reading ----------------------------------------------------------------

    def get(self, table: str, key: bytes) -> bytes | None:
        with self._reading, self._env.begin(db=self._tables[table]) as transaction:
            return transaction.get(key)

    def first(self, table: str) -> tuple[bytes, bytes] | None:
        with self._reading, self._env.begin(db=self._tables[table]) as transaction:
            cursor = transaction.cursor()
            return (cursor.key(), cursor.value()) if cursor.first() else None

    def last(self, table: str) -> tuple[bytes, bytes] | None:
        with self._reading, self._env.begin(db=self._tables[table]) as transaction:
            cursor = transaction.cursor()
            return (cursor.key(), cursor.value()) if cursor.last() else None

    def heads(
        self, table: str, keys: Sequence[bytes], head_bytes: int
    ) -> list[tuple[int, bytes] | None]:
        """The length and first bytes of each value; None for missing ones."""
        with self._reading, self._env.begin(db=self._tables[table], buffers=True) as transaction:
            found = (transaction.get(key) for key in keys)
            return [None if v is None else (len(v), bytes(v[:head_bytes])) for v in found]

    def first_heads(
        self, table: str, limit: int, bytes_wanted: int, head_bytes: int
    ) -> list[tuple[bytes, int, bytes]]:
        """The first keys with the length and first bytes of their values: up to `limit`, and until
        they have `bytes_wanted` together."""
        found: list[tuple[bytes, int, bytes]] = []
        size = 0
        with self._reading, self._env.begin(db=self._tables[table], buffers=True) as transaction:
            for key, value in transaction.cursor():
                if len(found) == limit or size >= bytes_wanted:
                    break
                found.append((bytes(key), len(value), bytes(value[:head_bytes])))
                size += len(key) + len(value)
        return found

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
        with self._reading, self._env.begin(db=self._tables[table]) as transaction:
            cursor = transaction.cursor()
            if cursor.set_range(start):
                for entry in cursor:
                    chunk.append(entry)
                    size += len(entry[1])
                    if len(chunk) == _CHUNK or size >= _CHUNK_BYTES:
                        self._mapped.used(LONG_READ)
                        return chunk, True
        return chunk, False

    # -- writing ----------------------------------------------------------------

    def reserve(self) -> int:
        """Makes the file longer than its contents, so that a full disk does not stop deletions;
        how many bytes it is longer now. Errors: Removed."""
        used = (self._env.info()["last_pgno"] + 1) * self._page_bytes
        found = os.fstat(self._data)
        if not found.st_nlink:
            raise Removed
        size = found.st_size
        if size - used < RESERVE_BYTES:
            try:
                os.posix_fallocate(self._data, size, used + 2 * RESERVE_BYTES - size)
            except OSError:
                return max(0, size - used)
            size = used + 2 * RESERVE_BYTES
        return size - used

    def write(
        self,
        puts: Sequence[tuple[str, bytes, bytes | None]],
        deletes: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        """One transaction, on disk when this returns; a put of None deletes. No key is in it twice.

        Errors: NoRoom; WriteFailed; any other OSError where it is not known whether it is on the
        disk, and `reopen` tells.
        """
        while True:
            try:
                self._write(puts, deletes)
                with self._reading:
                    self._mapped.used()
                return
            except lmdb.MapFullError as error:
                if self._map_bytes >= MAP_BYTES_MAX:
                    raise NoRoom(f"the map of the store ({self._map_bytes} bytes)") from error
                with self._reading:
                    self._map_bytes *= 2
                    self._env.set_mapsize(self._map_bytes)
            except lmdb.Error as error:
                if self._has_panicked():  # the root may be on the disk or not
                    raise OSError(errno.EIO, f"the store cannot be written: {error}") from error
                if _IO_ERROR in str(error) and self._has_room():
                    raise WriteFailed(
                        errno.EIO, f"the disk of the store failed ({_IO_ERROR})"
                    ) from error
                if isinstance(error, lmdb.DiskError) or any(t in str(error) for t in _NO_ROOM):
                    raise NoRoom("the disk of the store") from error
                raise OSError(errno.EIO, f"the store cannot be written: {error}") from error

    def _has_panicked(self) -> bool:
        """True if a root could not be written: LMDB refuses everything until it is opened anew."""
        try:
            self._env.begin(write=True).abort()
        except lmdb.PanicError:
            return True
        return False

    def _has_room(self) -> bool:
        """True if a write that was cut short has another reason than a full disk or a limit."""
        if resource.getrlimit(resource.RLIMIT_FSIZE)[0] != resource.RLIM_INFINITY:
            return False
        disk = os.fstatvfs(self._data)
        return disk.f_bavail * disk.f_frsize > RESERVE_BYTES

    def _write(
        self,
        puts: Sequence[tuple[str, bytes, bytes | None]],
        deletes: Sequence[tuple[str, bytes]],
    ) -> None:
        deleted = [*deletes, *((table, key) for table, key, value in puts if value is None)]
        with self._env.begin(write=True) as transaction:
            for name, table in self._tables.items():
                pairs = [
                    (key, value) for of, key, value in puts if of == name and value is not None
                ]
                if pairs:  # one call for all of a table
                    cursor = transaction.cursor(db=table)
                    _, put = cursor.putmulti(pairs, append=name in self._growing)
                    assert put == len(pairs), f"{name} has a key behind one of {pairs[0][0]!r}..."
                    cursor.close()
            for name, key in deleted:
                transaction.delete(key, db=self._tables[name])

    def close(self) -> None:
        if not self._sync:
            self._env.sync(True)
        self._env.close()
        data, self._data = self._data, -1  # its number is soon another file's
        os.close(data)


def copy_file(path: Path, to: Path) -> None:
    """Copies the tables as they are at this moment into a new folder, while others may write.

    The copy holds no free pages. Errors: NoRoom, OSError.
    """
    try:
        with lmdb.open(str(path), readonly=True, map_size=MAP_BYTES) as environment:
            environment.copy(str(to), compact=True)
    except lmdb.Error as error:
        if any(text in str(error) for text in _NO_ROOM):
            raise NoRoom(str(to)) from error
        raise OSError(errno.EIO, f"the store cannot be copied: {error}", str(to)) from error


def _allocate_lock(path: Path) -> None:
    """LMDB maps this file and writes to it: on a full disk a page that it does not have yet would
    be a SIGBUS. Errors: OSError."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(file, 0, _LOCK_BYTES)
    finally:
        os.close(file)
