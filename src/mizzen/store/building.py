"""A store file made anew: from one of the old format, or from what could be saved of one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from mizzen.host import private
from mizzen.store import values
from mizzen.store.inspection import CHECKED_FORMAT, DATA, OLD_FORMAT, Contents, format_of, table
from mizzen.store.lmdb_file import LmdbFile
from mizzen.store.pages import Broken, PageFile
from mizzen.store.store import ObjectKey, Record, Stored
from mizzen.store.values import CHECKSUM, REVISION, Totals

_T = TypeVar("_T")
TABLES = ("objects", "history")
GROWING = frozenset({"history"})
_NEXT = "next"  # the folder in which the new file is made
_BATCH_BYTES = 8 << 20  # written in one transaction


@dataclass(slots=True)
class Saved:
    """The objects recovered from a damaged store. `problems`: the losses, in words."""

    objects: dict[ObjectKey, Stored] = field(default_factory=dict[ObjectKey, Stored])
    records: list[Record] = field(default_factory=list[Record])
    format: int = CHECKED_FORMAT
    newest: int = 0  # the last revision ever given, as far as the totals still say: none is reused
    restored: int = 0  # objects that only the history still had
    problems: list[str] = field(default_factory=list[str])


def migrate(path: Path, contents: Contents, keep_bytes: int) -> None:
    """Puts a file with checksums in the place of one without; a crash leaves either.

    `contents` is what was inspected. Errors: NoRoom, OSError.
    """
    remove_leftovers(path)
    spare = max(0, contents.totals.history.size_bytes - keep_bytes)

    def records() -> Iterator[Record]:
        left = spare
        with closing(PageFile(path / DATA)) as file:
            trees, _ = file.tables()
            for at, value in file.entries(table(trees, "history")):
                left -= len(value)
                if left < 0:
                    yield values.read_old_record(at, value)

    (path / _NEXT).mkdir(mode=0o700)
    build(path / _NEXT, contents.objects, records(), contents.totals.newest, format=CHECKED_FORMAT)
    os.replace(path / _NEXT / DATA, path / DATA)
    private.sync_folder(path)
    remove_leftovers(path)


def remove_leftovers(path: Path) -> None:
    shutil.rmtree(path / _NEXT, ignore_errors=True)


def salvage(path: Path, folder: Path) -> Saved:
    """A new store in `folder` of all that has its checksum. Errors: OSError, NoRoom; Broken where
    there is nothing to begin with."""
    folder.mkdir(mode=0o700)
    try:
        saved = read_what_can_be(path)
        found = sorted(saved.objects.values(), key=lambda stored: values.place(stored.key))
        newest = max(
            saved.newest,
            max((stored.revision for stored in found), default=0),
            saved.records[-1].revision if saved.records else 0,
        )
        build(folder, found, saved.records, newest, format=saved.format)
    except BaseException:  # half a store must not be taken for one
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return saved


def read_what_can_be(path: Path) -> Saved:
    """Objects in their newest form, of both tables. Errors: Broken, OSError."""
    saved = Saved()
    with closing(PageFile(path / DATA, lambda error: saved.problems.append(str(error)))) as file:
        trees, beside = file.tables()
        saved.format = format_of(beside)
        is_old = saved.format == OLD_FORMAT
        with suppress(Broken):
            saved.newest = Totals.unpack(beside.get(b"totals", b"")).newest
        read_object = _old_object if is_old else values.read_object
        read_record = values.read_old_record if is_old else values.read_record
        for at, value in file.entries(table(trees, "objects")):
            if (stored := _try(read_object, at, value, saved)) is not None:
                saved.objects[stored.key] = stored
        for at, value in file.entries(table(trees, "history")):
            if (record := _try(read_record, at, value, saved)) is not None:
                saved.records.append(record)
    saved.records.sort(key=lambda record: record.revision)
    last = {record.key: record for record in saved.records}
    for key, record in last.items():
        stored = saved.objects.get(key)
        if stored is not None and stored.revision >= record.revision:
            continue
        if record.type == "DELETED":
            saved.objects.pop(key, None)
        else:
            saved.objects[key] = Stored(key, record.revision, record.data)
            saved.restored += 1
    return saved


def _try(read: Callable[[bytes, bytes], _T], at: bytes, value: bytes, saved: Saved) -> _T | None:
    try:
        return read(at, value)
    except (Broken, ValueError, LookupError) as error:
        saved.problems.append(str(error))
        return None


def build(
    path: Path,
    objects: Iterable[Stored],
    records: Iterable[Record],
    newest: int,
    *,
    format: int,
    restored: int = 0,
) -> None:
    """A store file in an empty folder; objects in the order of their places, records of theirs.

    `format`: of what they were read from, CHECKED_FORMAT at least. `restored`: as of `Log`.
    """
    file = LmdbFile(path, TABLES, GROWING, sync=False)
    totals = Totals(newest=newest)
    puts: list[tuple[str, bytes, bytes | None]] = []
    size = 0
    try:
        for entry in _entries(objects, records, totals):
            puts.append(entry)
            size += len(entry[2] or b"")
            if size >= _BATCH_BYTES:
                file.write(puts)
                puts, size = [], 0
        puts.append(("", b"format", str(max(format, CHECKED_FORMAT)).encode()))
        puts.append(("", b"totals", totals.pack()))
        if restored:
            puts.append(("", values.RESTORED, values.restored_value(restored)))
        file.write(puts)
    finally:
        file.close()
    private.sync_folder(path)


def _entries(
    objects: Iterable[Stored], records: Iterable[Record], totals: Totals
) -> Iterator[tuple[str, bytes, bytes | None]]:
    for stored in objects:
        at = values.place(stored.key)
        checksum = values.data_checksum(stored.data)
        value = values.object_value(
            values.name_of(stored.key), stored.revision, stored.data, checksum
        )
        totals.objects.add(len(at), len(value), CHECKSUM.unpack_from(value)[0])
        yield "objects", at, value
    for record in records:
        at = REVISION.pack(record.revision)
        value = values.record_value(record, values.data_checksum(record.data))
        totals.history.add(len(at), len(value), CHECKSUM.unpack_from(value)[0])
        totals.time_ns = record.time_ns
        yield "history", at, value


def _old_object(_at: bytes, value: bytes) -> Stored:
    return values.read_old_object(value)
