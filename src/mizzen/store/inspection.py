"""Reads a whole store, accepted only if everything in it fits: pages, checksums, sums."""

from __future__ import annotations

import struct
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mizzen.host.records import Damaged
from mizzen.store import values
from mizzen.store.pages import Broken, PageFile, Tree
from mizzen.store.store import Record, Stored
from mizzen.store.values import CHECKSUM, REVISION, Sums, Totals

DATA = "data.mdb"
WRITER = "writer"  # locked by the one process that writes; not empty once the store was made
FORMAT = 3  # the newest; its bytes are those of format 2, but kinds that it may hold are more
CHECKED_FORMAT = 2  # the first with checksums
OLD_FORMAT = 1  # without checksums; read once, and written anew
_WRONG = (Broken, ValueError, LookupError, struct.error)


@dataclass(slots=True)
class Contents:
    """The content of a store. `oldest`: history holds every record after this revision.
    `restored`: the first revision since it was put back from a copy, 0 if it never was.
    `is_unmade`: a crash came before it was made."""

    format: int = FORMAT
    is_unmade: bool = False
    totals: Totals = field(default_factory=Totals)
    oldest: int = 0
    restored: int = 0
    objects: list[Stored] = field(default_factory=list[Stored])


def inspect(path: Path) -> Contents:
    """Everything but the records, all of it verified. Errors: Damaged, OSError."""
    with _opened(path) as file:
        return _read(file)


def format_in(path: Path) -> int:
    """The format of the store in a folder, by its main table alone; 0 where there is none yet.

    Errors: Damaged, OSError.
    """
    if not has_data(path):
        return 0
    with _opened(path) as file:
        _, beside = file.tables()
        return format_of(beside) if beside else 0


@contextmanager
def _opened(path: Path) -> Generator[PageFile]:
    """Errors: Damaged, which says where in the file; OSError."""
    try:
        file = PageFile(path / DATA)
    except _WRONG as error:
        raise damaged(path, str(error)) from error
    try:
        yield file
    except _WRONG as error:
        raise damaged(path, f"at byte {file.offset}: {error}") from error
    finally:
        file.close()


def damaged(path: Path, why: str) -> Damaged:
    return Damaged(
        f"the store {path / DATA} is damaged: {why}; nothing of it is served. Put back a backup "
        "(`mizzen restore FILE --replace`), or save what can be read (`mizzen check --salvage FOLDER`)"
    )


def has_data(path: Path) -> bool:
    data = path / DATA
    return data.exists() and data.stat().st_size > 0


def was_begun(path: Path, mark: Path | None) -> bool:
    """True if a store was ever made in this folder, whatever lies there now."""
    writer = path / WRITER
    return (writer.exists() and writer.stat().st_size > 0) or (mark is not None and mark.exists())


def gone(path: Path) -> Damaged:
    """The error for a store that was begun and has no data."""
    data = path / DATA
    what = "is empty" if data.exists() else "is missing"
    return Damaged(
        f"the store {data} {what}, and there was one: put it back from a copy, or begin with "
        "nothing by `mizzen up --new-store`"
    )


def _read(file: PageFile) -> Contents:
    trees, beside = file.tables()
    if not beside and not any(tree.entries for tree in trees.values()):
        return Contents(is_unmade=True)
    found = Contents(format=format_of(beside))
    objects, history = (table(trees, name) for name in ("objects", "history"))
    if found.format == OLD_FORMAT:
        _read_old(file, objects, history, found)
        return found
    found.totals = told = Totals.unpack(beside.get(b"totals", b""))
    found.restored = values.read_restored(beside.get(values.RESTORED, b""))
    sums = Sums()
    for at, value in file.entries(objects):
        found.objects.append(values.read_object(at, value))
        sums.add(len(at), len(value), CHECKSUM.unpack_from(value)[0])
    _compare("objects", sums, told.objects)
    newest = max((stored.revision for stored in found.objects), default=0)
    sums = Sums()
    found.oldest = told.newest
    at = b""
    for at, value in file.entries(history):
        values.check_record(at, value)
        if not sums.entries:
            found.oldest = REVISION.unpack(at)[0] - 1
        sums.add(len(at), len(value), CHECKSUM.unpack_from(value)[0])
    if at:  # they are in order
        newest = max(newest, REVISION.unpack(at)[0])
    _compare("records of the history", sums, told.history)
    if newest > told.newest:
        raise Broken(f"it holds revision {newest}, its newest is said to be {told.newest}")
    file.check_free()
    return found


def _read_old(file: PageFile, objects: Tree, history: Tree, found: Contents) -> None:
    for _, value in file.entries(objects):
        found.objects.append(values.read_old_object(value))
        found.totals.objects.add(0, len(value), 0)
    record: Record | None = None
    for at, value in file.entries(history):
        record = values.read_old_record(at, value)
        found.totals.history.add(0, len(value), 0)
    if record is not None:
        found.totals.newest, found.totals.time_ns = record.revision, record.time_ns
    file.check_free()


def format_of(beside: dict[bytes, bytes]) -> int:
    text = beside.get(b"format", b"").decode(errors="replace")
    if text not in map(str, range(OLD_FORMAT, FORMAT + 1)):
        raise Broken(f"it has format {text!r}, this version reads {OLD_FORMAT} to {FORMAT}")
    return int(text)


def table(trees: dict[bytes, Tree], name: str) -> Tree:
    tree = trees.get(name.encode())
    if tree is None:
        raise Broken(f"the table {name} is missing")
    return tree


def _compare(what: str, found: Sums, told: Sums) -> None:
    if found.entries != told.entries:
        raise Broken(f"{told.entries} {what} should be there, {found.entries} are")
    if found != told:
        raise Broken(f"the {what} are not those that were written: {found} against {told}")
