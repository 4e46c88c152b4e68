"""Checks a closed store as a whole, and recovers objects from a damaged one."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Generator, Iterable
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from mizzen.host.records import Damaged
from mizzen.store import building
from mizzen.store.building import GROWING, TABLES, Saved
from mizzen.store.inspection import (
    CHECKED_FORMAT,
    DATA,
    WRITER,
    gone,
    has_data,
    inspect,
    was_begun,
)
from mizzen.store.lmdb_file import LmdbFile, NoRoom
from mizzen.store.lmdb_log import lock_for_writing
from mizzen.store.pages import Broken
from mizzen.store.store import Stored


@dataclass(frozen=True, slots=True)
class Found:
    """The content of a whole store; history has the revisions after `oldest` up to `newest`."""

    path: Path
    format: int
    objects: int
    records: int
    oldest: int
    newest: int


def check(folder: Path, mark: Path | None = None) -> Found:
    """Reads everything and changes nothing.

    `mark`: as of `LocalStore`. Errors: Damaged, also where there was a store and is none;
    FileNotFoundError; BlockingIOError while a process has it open.
    """
    with _closed(folder, mark):
        return verify(folder)


def verify(folder: Path) -> Found:
    """As `check`, of a folder that nobody writes to, such as a copy. Errors: Damaged, OSError."""
    found = inspect(folder)
    totals = found.totals
    return Found(
        folder / DATA, found.format, len(found.objects), totals.history.entries, found.oldest,
        totals.newest,
    )  # fmt: skip


def lower_format(
    folder: Path,
    format: int,
    reasons_against: Callable[[Iterable[Stored]], list[str]],
    mark: Path | None = None,
) -> list[str]:
    """Gives a store an older format, unless its objects are a reason not to: those are returned.

    All of it is verified first. Errors: as `check`; NoRoom, OSError.
    """
    assert format >= CHECKED_FORMAT, "formats without checksums are only read"
    with _closed(folder, mark):
        found = inspect(folder)
        if found.format <= format:
            return []
        if reasons := reasons_against(found.objects):
            return reasons
        with closing(LmdbFile(folder, TABLES, GROWING)) as file:
            file.write([("", b"format", str(format).encode())])
    return []


def begin_anew(folder: Path, mark: Path) -> None:
    """Forgets that there was a store whose data is gone. Errors: FileExistsError while it is not."""
    if has_data(folder):
        raise FileExistsError(
            f"the store {folder / DATA} is there: look at it with `mizzen check`; to begin with "
            f"nothing all the same, move it away first: mv {quote(str(folder))} {quote(f'{folder}.old')}"
        )
    for path in (folder / WRITER, mark):
        path.unlink(missing_ok=True)


def salvage(folder: Path, to: Path, mark: Path | None = None) -> Saved:
    """A new store in the new folder `to`, of all that can be read and has its checksum.

    Errors: FileExistsError; Damaged where nothing can be read; and as `check`.
    """
    if not to.parent.is_dir():
        raise FileNotFoundError(f"{to} cannot be made: {to.parent} is no folder; make it first")
    with _closed(folder, mark):
        try:
            return building.salvage(folder, to)
        except NoRoom as error:
            raise OSError(errno.ENOSPC, f"not written: {error} is full", str(to)) from error
        except OSError as error:
            if error.filename is not None:
                raise
            raise OSError(error.errno, error.strerror, str(to)) from error
        except Broken as error:
            aside = f"mv {quote(str(folder))} {quote(f'{folder}.old')}"
            raise Damaged(
                f"the store {folder / DATA} is damaged: {error}; nothing of it can be saved: put it "
                f"back from a copy, or begin with nothing: {aside} && mizzen up --new-store"
            ) from error


@contextmanager
def _closed(folder: Path, mark: Path | None) -> Generator[None]:
    if not has_data(folder):
        if was_begun(folder, mark):
            raise gone(folder)
        raise FileNotFoundError(f"there is no store in {folder}")
    lock = lock_for_writing(folder)
    try:
        yield
    finally:
        os.close(lock)
