"""The segment's files, mapped: words with names, and the two state buffers of a rank."""

from __future__ import annotations

import errno
import mmap
import os
from pathlib import Path

from mizzen.base import segment
from mizzen.train.errors import TrainError


class Words:
    """A mapped file whose header is read and written one whole word at a time."""

    def __init__(self, path: Path, magic: int, *, write: bool, length: int) -> None:
        self.path = path
        mode, access = (os.O_RDWR, mmap.ACCESS_WRITE) if write else (os.O_RDONLY, mmap.ACCESS_READ)
        try:
            descriptor = os.open(path, mode | os.O_CLOEXEC)
        except OSError as error:
            raise TrainError(f"segment file {path} cannot be opened: {error.strerror}") from error
        try:
            if os.fstat(descriptor).st_size < length:
                raise TrainError(f"segment file {path} is shorter than its {length} byte header")
            self._map = mmap.mmap(descriptor, length, access=access)
        finally:
            os.close(descriptor)
        self.view = memoryview(self._map)
        self._words = self.view.cast("Q")
        if self.get(0) != magic:
            raise TrainError(f"segment file {path} begins with {self.get(0):#x}, not {magic:#x}")

    def get(self, offset: int) -> int:
        return self._words[offset >> 3]

    def set(self, offset: int, value: int) -> None:
        self._words[offset >> 3] = value


def open_gang(path: Path) -> Words:
    return Words(path, segment.GANG_MAGIC, write=True, length=segment.PAGE_BYTES)


def open_rank(path: Path, *, write: bool) -> Words:
    """Header and ring of a rank file; its buffers are mapped apart since they grow later."""
    return Words(path, segment.RANK_MAGIC, write=write, length=segment.BUFFERS_OFFSET)


def create_gang(path: Path, control: segment.Control) -> None:
    """Creates the gang's page as the agent does; here for a run alone and for tests."""
    page = bytearray(segment.PAGE_BYTES)
    segment.WORD.pack_into(page, segment.GANG_OFFSET_MAGIC, segment.GANG_MAGIC)
    segment.WORD.pack_into(page, segment.GANG_OFFSET_CONTROL, segment.pack_control(control))
    path.write_bytes(page)


def create_rank(path: Path, awaits: int) -> None:
    """An empty rank file that waits for generation `awaits`."""
    head = bytearray(segment.BUFFERS_OFFSET)
    segment.WORD.pack_into(head, segment.RANK_OFFSET_MAGIC, segment.RANK_MAGIC)
    segment.WORD.pack_into(head, segment.RANK_OFFSET_AWAITS, awaits)
    path.write_bytes(head)


def map_buffers(path: Path, at: int, capacity: int) -> memoryview:
    """Both state buffers as one view of 2 x capacity bytes, every page already in memory.

    Errors: TrainError when the file system has no room, before anything is overwritten.
    """
    length = 2 * capacity
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.posix_fallocate(descriptor, at, length)
        flags, protection = mmap.MAP_SHARED | mmap.MAP_POPULATE, mmap.PROT_READ | mmap.PROT_WRITE
        mapped = mmap.mmap(descriptor, length, flags=flags, prot=protection, offset=at)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.ENOMEM, errno.EFBIG):
            raise
        room = os.fstatvfs(descriptor)
        free = room.f_bavail * room.f_frsize
        raise TrainError(
            f"no room for {length / 2**20:.1f} MiB of staged state in {path.parent}, where"
            f" {free / 2**20:.1f} MiB are free: {error.strerror}; free some of it or use a smaller"
            " model"
        ) from error
    finally:
        os.close(descriptor)
    return memoryview(mapped)
