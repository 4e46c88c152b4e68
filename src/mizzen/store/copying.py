"""Copies of a store: taken while it is written to, and put back as a store that goes on.

A store that is put back is older than what its clients have seen. It therefore begins REVISIONS_ON
revisions above its copy, so that none is given twice, and tells every watch from before to list
anew (etcd: `--bump-revision`, `--mark-compacted`).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from mizzen.store import values
from mizzen.store.building import build
from mizzen.store.checking import Found, verify
from mizzen.store.inspection import DATA, OLD_FORMAT, inspect, table
from mizzen.store.lmdb_file import copy_file
from mizzen.store.pages import PageFile
from mizzen.store.store import Record

# More than a store can have given out since the copy was taken: a year of 30 writes a second.
REVISIONS_ON = 1_000_000_000


def copy(folder: Path, to: Path) -> Found:
    """Makes the new folder `to` with the store as it is at this moment, and verifies it.

    Errors: FileExistsError; records.Damaged where the copy is not whole; NoRoom, OSError.
    """
    to.mkdir(mode=0o700)
    try:
        copy_file(folder, to)
        return verify(to)
    except BaseException:  # half a copy must not be taken for one
        shutil.rmtree(to, ignore_errors=True)
        raise


def restore(copy: Path, to: Path) -> Found:
    """Makes the new folder `to` with a store that goes on from the copy.

    Errors: FileExistsError; records.Damaged where the copy is not whole; NoRoom, OSError.
    """
    contents = inspect(copy)
    read = values.read_old_record if contents.format == OLD_FORMAT else values.read_record

    def records() -> Iterator[Record]:
        with closing(PageFile(copy / DATA)) as file:
            trees, _ = file.tables()
            for at, value in file.entries(table(trees, "history")):
                yield read(at, value)

    newest = contents.totals.newest + REVISIONS_ON
    to.mkdir(mode=0o700)
    try:
        build(to, contents.objects, records(), newest, format=contents.format, restored=newest)
        return verify(to)
    except BaseException:
        shutil.rmtree(to, ignore_errors=True)
        raise
