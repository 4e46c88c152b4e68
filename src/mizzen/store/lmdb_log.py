"""The log on LMDB: two tables, changed together in one durable transaction.

    objects   place -> checksum, revision, key, JSON
    history   revision (8 bytes, big endian) -> checksum, who, when, what, JSON

The main table beside them has the format and the totals: how many entries each table has, their
bytes and the sum of their checksums. All of it is verified before the store is opened.

LMDB writes the changed pages, calls fdatasync, then writes one 4 KiB meta page through an
O_DSYNC descriptor: a crash at any moment leaves the old root or the new one. A disk without
room fails the transaction and leaves the old root. Other processes may read the files.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from mizzen.base.errors import Unavailable
from mizzen.host import private
from mizzen.host.files import write_atomically
from mizzen.host.records import Damaged
from mizzen.store import building, values
from mizzen.store.inspection import (
    CHECKED_FORMAT,
    DATA,
    FORMAT,
    OLD_FORMAT,
    WRITER,
    Contents,
    damaged,
    gone,
    has_data,
    inspect,
    was_begun,
)
from mizzen.store.lmdb_file import RESERVE_BYTES, LmdbFile, NoRoom, Removed, WriteFailed
from mizzen.store.pages import Broken
from mizzen.store.store import ObjectKey, Record, Stored
from mizzen.store.values import CHECKSUM, REVISION, Totals

_PRUNE_BATCH = 1000
_PRUNED_AT_ONCE = 4 * _PRUNE_BATCH
_PRUNE_BYTES_FROM = 65 / 64  # of what is kept: then a batch is due
_KEPT_WHEN_FULL = 1000  # revisions that are not given up to make room
_DELETE = "delete"


class LmdbLog:
    """`Log` in a folder. One writer, by an advisory lock on the file `writer`.

    Once it was made, that file is not empty, and `mark` is there, which does not go with the folder.
    `format` is what is written: a file of an older one is raised to it.
    """

    def __init__(
        self,
        path: Path,
        keep: int,
        keep_bytes: int,
        mark: Path | None = None,
        format: int = FORMAT,
    ) -> None:
        assert format >= CHECKED_FORMAT, "formats without checksums are only read"
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path, self._keep, self._keep_bytes = path, keep, keep_bytes
        self._lock = lock_for_writing(path)
        try:
            found = self._verified(was_begun(path, mark), format)
            self._file = LmdbFile(path, building.TABLES, building.GROWING)
        except BaseException:
            os.close(self._lock)
            raise
        self._totals = found.totals
        self._oldest, self._restored = found.oldest, found.restored
        self._objects: list[Stored] = found.objects
        if self._file.get("", b"format") != (text := str(format).encode()):
            self._file.write([("", b"format", text), ("", b"totals", self._totals.pack())])
            private.sync_folder(path)
        # From now on an empty file is not a new store, nor is an empty folder.
        os.pwrite(self._lock, b"format %d\n" % format, 0)
        if mark is not None and not mark.exists():
            with contextlib.suppress(OSError):  # on a full disk: the next start makes it
                write_atomically(mark, f"there is a store in {path}\n".encode(), mode=0o600)
        self._file.reserve()

    @property
    def oldest(self) -> int:
        return self._oldest

    @property
    def restored(self) -> int:
        return self._restored

    def load(self) -> tuple[int, int, Iterable[Stored]]:
        objects, self._objects = self._objects, []
        return self._totals.newest, self._totals.time_ns, objects

    def append(self, transactions: Sequence[Sequence[Record]]) -> list[str]:
        """One durable commit for all of them. If that finds no room, one commit each: the
        first that fits not is refused, and so is all behind it that might rest on it."""
        if not self._write([record for records in transactions for record in records]):
            return [""] * len(transactions)
        outcome: list[str] = []
        refused: dict[ObjectKey, str] = {}
        for records in transactions:
            why = next((refused[r.key] for r in records if r.key in refused), "")
            why = why or self._write(records)
            outcome.append(why)
            if why:
                refused.update((record.key, why) for record in records)
        return outcome

    def read(self, since: int, limit: int, bytes_max: int) -> list[Record]:
        found = self._file.scan("history", REVISION.pack(since + 1), limit, bytes_max)
        return [self._record(at, value) for at, value in found]

    def find(self, revision: int) -> Record | None:
        at = REVISION.pack(revision)
        value = self._file.get("history", at)
        return None if value is None else self._record(at, value)

    def close(self) -> None:
        self._file.close()
        os.close(self._lock)

    # -- opening ----------------------------------------------------------------

    def _verified(self, was_begun: bool, format: int) -> Contents:
        """The folder's verified content, with checksums. Errors: Damaged, OSError."""
        if not has_data(self._path):
            if was_begun:
                raise gone(self._path)
            return Contents()
        building.remove_leftovers(self._path)
        found = inspect(self._path)
        if found.is_unmade and was_begun:
            raise damaged(self._path, "there is nothing in it, and there was")
        if found.format > format and not found.is_unmade:
            raise Damaged(
                f"the store {self._path / DATA} has format {found.format}, and format {format} is "
                "asked for: `mizzen rollback` says whether it can have it"
            )
        if found.format == OLD_FORMAT:
            try:
                building.migrate(self._path, found, self._keep_bytes)
            except NoRoom as error:
                raise Damaged(
                    f"the store {self._path / DATA} must be written anew, with checksums: there is no room, "
                    f"{error} is full; free some space"
                ) from error
            found = inspect(self._path)
        return found

    def _record(self, at: bytes, value: bytes) -> Record:
        try:
            return values.read_record(at, value)
        except (Broken, ValueError) as error:
            raise damaged(self._path, str(error)) from error

    # -- writing ----------------------------------------------------------------

    def _write(self, records: Sequence[Record]) -> str:
        """One LMDB transaction; why it was not written, or "".

        Errors: Unavailable once the file was removed.
        """
        try:
            reserve = self._file.reserve()
        except Removed as error:
            raise Unavailable(
                f"the store {self._path / DATA} was removed while the API server runs: nothing of "
                "this request was written. Objects can still be read: save what you need, then "
                "`mizzen down`, and put the store back from a copy"
            ) from error
        is_short = reserve < RESERVE_BYTES
        if is_short and not _may_use(records, reserve):
            return "the disk of the store is full"
        puts, totals = self._puts(records)
        old = self._prunable(totals, is_short)
        for at, size, head in old:
            totals.history.subtract(len(at), size, CHECKSUM.unpack(head)[0])
        puts.append(("", b"totals", totals.pack()))
        try:
            self._file.write(puts, [("history", at) for at, _, _ in old])
        except NoRoom as error:
            return f"{error} is full"
        except WriteFailed as error:
            return str(error.strerror)
        except OSError as error:
            if not self._is_on_disk(totals):
                return f"the disk of the store failed ({error.strerror or error})"
        self._totals = totals
        if old:
            self._oldest = REVISION.unpack(old[-1][0])[0]
        return ""

    def _puts(
        self, records: Sequence[Record]
    ) -> tuple[list[tuple[str, bytes, bytes | None]], Totals]:
        """The values to write, and the totals after that."""
        totals = self._totals.copy()
        puts: list[tuple[str, bytes, bytes | None]] = []
        objects: dict[bytes, bytes | None] = {}
        for record in records:
            data = record.data
            checksum = values.data_checksum(data)
            name = values.name_of(record.key)
            at = values.place_of(name)
            is_gone = record.type == "DELETED"
            objects[at] = (
                None if is_gone else values.object_value(name, record.revision, data, checksum)
            )
            value = values.record_value(record, checksum)
            at = REVISION.pack(record.revision)
            totals.history.add(len(at), len(value), CHECKSUM.unpack_from(value)[0])
            puts.append(("history", at, value))
        before = self._file.heads("objects", list(objects), CHECKSUM.size)
        for (at, value), old in zip(objects.items(), before, strict=True):
            if old is not None:
                totals.objects.subtract(len(at), old[0], CHECKSUM.unpack(old[1])[0])
            puts.append(("objects", at, value))
            if value is not None:
                totals.objects.add(len(at), len(value), CHECKSUM.unpack_from(value)[0])
        totals.newest, totals.time_ns = records[-1].revision, records[-1].time_ns
        return puts, totals

    def _prunable(self, totals: Totals, is_short: bool) -> list[tuple[bytes, int, bytes]]:
        """A batch of the oldest records, once there is a whole batch or a byte too many; on a full
        disk an eighth of them, whose pages are written again."""
        count, size = totals.history.entries, totals.history.size_bytes
        many = count - self._keep if count >= self._keep + _PRUNE_BATCH else 0
        if is_short and count > _KEPT_WHEN_FULL:
            many = max(many, min(count // 8, count - _KEPT_WHEN_FULL))
        large = size - self._keep_bytes if size > self._keep_bytes * _PRUNE_BYTES_FROM else 0
        by_count = self._oldest_records(min(many, _PRUNED_AT_ONCE), size) if many else []
        by_bytes = self._oldest_records(_PRUNED_AT_ONCE, large) if large else []
        return max(by_count, by_bytes, key=len)

    def _oldest_records(self, limit: int, size_bytes: int) -> list[tuple[bytes, int, bytes]]:
        return self._file.first_heads("history", limit, size_bytes, CHECKSUM.size)

    def _is_on_disk(self, totals: Totals) -> bool:
        """True if a write of unknown fate is in the file. Errors: OSError, Damaged.

        What the file shows may be in memory alone, and after a sync that failed no other one brings
        it to the disk. So it is believed once one more root is there, which rests on it.
        """
        self._file.reopen()
        packed = totals.pack()
        if self._file.get("", b"totals") != packed:
            return False
        self._file.write([("", b"totals", packed)])
        return True


def _may_use(records: Sequence[Record], reserve_bytes: int) -> bool:
    """Half of the reserve is for deletions alone."""
    if all(record.type == "DELETED" or record.verb == _DELETE for record in records):
        return True
    wanted = 2 * sum(len(record.data) for record in records)
    return reserve_bytes - wanted >= RESERVE_BYTES // 2


def lock_for_writing(path: Path) -> int:
    """The held lock of the one writer. Errors: BlockingIOError."""
    lock = os.open(path / WRITER, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise BlockingIOError(
            errno.EWOULDBLOCK, f"the store {path} is in use by another process"
        ) from error
    return lock
