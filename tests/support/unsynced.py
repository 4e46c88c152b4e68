"""Builds the forgetful disk (tests/native/unsynced.c) and makes it forget."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from support import native

WRITE, SYNC, TRUNCATE, ACKNOWLEDGE, FAILED_SYNC = 1, 2, 3, 4, 5
_HEAD = struct.Struct("=IIQQQQII")
_SECTOR = 4096  # what a disk writes whole at best; larger writes may be torn here


@dataclass(frozen=True)
class Record:
    kind: int
    durable: bool
    offset: int
    size_before: int
    path: str
    old: bytes
    new: bytes


def build(folder: Path) -> Path:
    """The shared library to preload."""
    return native.build("unsynced", folder)


def records(journal: Path) -> Iterator[Record]:
    data = journal.read_bytes()
    at = 0
    while at + _HEAD.size <= len(data):
        kind, durable, offset, size, new_length, old_length, path_length, _ = _HEAD.unpack_from(
            data, at
        )
        at += _HEAD.size
        parts: list[bytes] = []
        for length in (path_length, old_length, new_length):
            parts.append(data[at : at + length])
            at += length
        yield Record(kind, bool(durable), offset, size, parts[0].decode(), parts[1], parts[2])


def forget(journal: Path, keep: Callable[[], bool]) -> int:
    """Rewrites the files as if power had failed: unsynced sectors stay where `keep` says so.

    Returns the number of sectors dropped.
    """
    loose: dict[str, list[Record]] = {}
    lost: dict[str, int] = {}  # how many of these a sync that failed has left behind for ever
    for record in records(journal):
        if record.kind == ACKNOWLEDGE:
            continue
        found = loose.setdefault(record.path, [])
        if record.kind == FAILED_SYNC:
            lost[record.path] = len(found)
        elif record.kind == SYNC:
            kept = lost.get(record.path, 0)
            if not kept:
                del loose[record.path]  # a folder's sync leaves nothing of it here either
            else:
                found[kept:] = [replace(each, durable=True) for each in found[kept:]]
        else:
            found.append(record)
    return sum(_forget_file(Path(path), found, keep) for path, found in loose.items())


def _forget_file(path: Path, found: list[Record], keep: Callable[[], bool]) -> int:
    dropped = 0
    with path.open("r+b") as file:
        for record in reversed(found):
            if record.kind == WRITE:
                file.seek(record.offset)
                file.write(record.old)
            file.truncate(record.size_before)
        for record in found:
            if record.kind == TRUNCATE:
                file.truncate(record.offset)
                continue
            for start in range(0, len(record.new), _SECTOR):
                if record.durable or keep():
                    file.seek(record.offset + start)
                    file.write(record.new[start : start + _SECTOR])
                else:
                    dropped += 1
    return dropped
