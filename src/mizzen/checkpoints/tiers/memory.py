"""The buffers that ranks stage their state in, in the rank files of `base/segment.py`.

A buffer counts while its step word is set, which is the last thing written; the other one keeps the
state before. Words are read from the file, not mapped: programs may cut it short.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mizzen.base import segment
from mizzen.base.checkpoint import HEAD, Layout, Shard, parse_head
from mizzen.checkpoints.choice import pieces
from mizzen.checkpoints.tier import Checkpoint, Damaged, Entry, Gone, Places, Source
from mizzen.checkpoints.tiers.local import read_all

_STEP = (segment.RANK_OFFSET_BUFFER0, segment.RANK_OFFSET_BUFFER1)
_CHECKSUM = (segment.RANK_OFFSET_CHECKSUM0, segment.RANK_OFFSET_CHECKSUM1)
_LENGTH = (segment.RANK_OFFSET_LENGTH0, segment.RANK_OFFSET_LENGTH1)
_OFFSET_MAX = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Buffers:
    """Both buffers of a rank file by its words, in the order of commit that readers rely on."""

    get: Callable[[int], int]
    set: Callable[[int, int], None]

    def steps(self) -> tuple[int, int]:
        """Completed steps of the state in each, -1 for none."""
        has_any = bool(self.get(segment.RANK_OFFSET_STATE_BYTES))
        first, second = (self.get(at) - 1 if has_any else -1 for at in _STEP)
        return first, second

    def begin(self) -> int:
        """The buffer to overwrite, the older one; from here on it holds no state."""
        which = 0 if self.get(_STEP[0]) <= self.get(_STEP[1]) else 1
        self.set(_STEP[which], 0)
        return which

    def commit(self, which: int, step: int, checksum: int, length: int) -> None:
        self.set(_CHECKSUM[which], checksum)
        self.set(_LENGTH[which], length)
        self.set(_STEP[which], step + 1)

    def forget(self) -> None:
        """Before the buffers are made anew: neither holds a state."""
        for offset in (*_STEP, segment.RANK_OFFSET_STATE_BYTES):
            self.set(offset, 0)

    def make(self, capacity: int, index: int = 0, count: int = 1) -> None:
        """The buffers have room for `capacity` bytes; a state in them is the shard `index` of
        `count` that make a checkpoint."""
        self.set(segment.RANK_OFFSET_BUFFERS_AT, segment.BUFFERS_OFFSET)
        self.set(segment.RANK_OFFSET_SHARD, segment.pack_shard(index, count))
        self.set(segment.RANK_OFFSET_STATE_BYTES, capacity)


class Memory:
    """The staged states of all ranks of a job, complete ones alone; `own`: the file preferred."""

    is_durable = False

    def __init__(self, segments: Path, own: str = "") -> None:
        self._segments = segments
        self._own = own

    @property
    def where(self) -> str:
        return str(self._segments)

    def list(self) -> Sequence[Entry]:
        found: list[Entry] = []
        shards: dict[tuple[int, int], dict[int, str]] = {}  # (step, count) -> index -> buffer
        for path in self._files():
            buffers = _words(path)
            try:
                index, count = segment.unpack_shard(buffers.get(segment.RANK_OFFSET_SHARD))
                steps = buffers.steps()
            except OSError:
                continue  # the agent is making or removing it
            for which, step in enumerate(steps):
                if step >= 0 and count == 1:
                    found.append(Entry(step, f"{path.name}:{which}"))
                elif step >= 0:
                    shards.setdefault((step, count), {}).setdefault(index, f"{path.name}:{which}")
        for (step, count), each in shards.items():
            if len(each) == count and sorted(each) == list(range(count)):
                found.append(Entry(step, "+".join(each[index] for index in range(count))))
        return found

    def get(self, entry: Entry) -> Checkpoint:
        sources: list[_Buffer] = []
        for part in entry.name.split("+"):
            name, _, which = part.partition(":")
            sources.append(_open_buffer(self._segments / name, int(which), entry.step))
        where = sources[0].path if len(sources) == 1 else self._segments
        return Checkpoint(entry.step, tuple(sources), str(where))

    def put(self, found: Checkpoint) -> bool:
        """A shard for each rank; a checkpoint of one shard goes to the own file."""
        count = len(found.sources)
        for index, source in enumerate(found.sources):
            name = (self._own or "rank-0") if count == 1 else f"rank-{index}"
            if not _write(self._segments / name, found.step, source, index, count):
                return False
        return True

    def delete(self, entry: Entry) -> None:
        for part in entry.name.split("+"):
            name, _, which = part.partition(":")
            with contextlib.suppress(OSError):
                buffers = _words(self._segments / name)
                if buffers.steps()[int(which)] == entry.step:
                    buffers.set(_STEP[int(which)], 0)

    def clean(self) -> None:
        """A buffer that is half written holds no state."""

    def _files(self) -> Iterator[Path]:
        paths = sorted(self._segments.glob("rank-*"))
        yield from sorted(paths, key=lambda path: path.name != self._own)


def _open(places: Places) -> Memory | None:
    return Memory(places.segments, places.own) if places.segments is not None else None


TIER = _open


@dataclass(frozen=True, slots=True)
class _Buffer:
    """The state in one buffer; `at`: where in the file."""

    path: Path
    which: int
    at: int
    step: int
    shard: Shard

    def read_into(self, buffer: memoryview, offset: int) -> None:
        descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            read_all(descriptor, buffer, self.at + offset, self.path)
        finally:
            os.close(descriptor)

    def is_intact(self) -> bool:
        return _words(self.path).steps()[self.which] == self.step


def _open_buffer(path: Path, which: int, step: int) -> _Buffer:
    """Errors: Gone, Damaged."""
    try:
        words, size = _words(path), path.stat().st_size
        if words.steps()[which] != step:
            raise Gone(f"{path}: step {step} is being written over")
        capacity, length = words.get(segment.RANK_OFFSET_STATE_BYTES), words.get(_LENGTH[which])
        at = words.get(segment.RANK_OFFSET_BUFFERS_AT) + which * capacity
        if not 0 < length <= capacity or at + length > min(size, _OFFSET_MAX):
            raise Damaged("its file ends before its state does")
        shard = Shard(path.name, length, words.get(_CHECKSUM[which]))
        found = _Buffer(path, which, at, step, shard)
        return _Buffer(path, which, at, step, _described(found))
    except OSError as error:
        raise Gone(f"{path}: {error}") from error


def _described(buffer: _Buffer) -> Shard:
    """The shard with its arrays' layout; without, if the description is invalid."""
    shard = buffer.shard
    try:
        head = bytearray(min(HEAD.size, shard.bytes))
        buffer.read_into(memoryview(head), 0)
        _, length = parse_head(bytes(head), shard.bytes)
        table = bytearray(length)
        buffer.read_into(memoryview(table), HEAD.size)
        leaves = Layout.parse(bytes(table)).leaves
    except ValueError:
        return shard
    return Shard(shard.file, shard.bytes, shard.checksum, None, leaves)


def _words(path: Path) -> Buffers:
    """The words of a rank file, read and written one by one. Errors: OSError."""

    def get(offset: int) -> int:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            data = os.pread(descriptor, segment.WORD.size, offset)
        finally:
            os.close(descriptor)
        if len(data) < segment.WORD.size:
            raise OSError(f"{path} is shorter than its header")
        return segment.WORD.unpack(data)[0]

    def write(offset: int, value: int) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.pwrite(descriptor, segment.WORD.pack(value), offset)
        finally:
            os.close(descriptor)

    return Buffers(get, write)


def _write(path: Path, step: int, source: Source, index: int, count: int) -> bool:
    """One shard into the older buffer of a rank file; False when it was written over meanwhile."""
    words, length = _words(path), source.shard.bytes
    capacity = words.get(segment.RANK_OFFSET_STATE_BYTES)
    if capacity < length:
        words.forget()
        capacity = -(-length // mmap.PAGESIZE) * mmap.PAGESIZE
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.posix_fallocate(descriptor, segment.BUFFERS_OFFSET, 2 * capacity)
        words.make(capacity, index, count)
        which = words.begin()
        at = segment.BUFFERS_OFFSET + which * capacity
        for piece in pieces(source):
            rest = piece
            while rest:
                written = os.pwrite(descriptor, rest, at)
                rest, at = rest[written:], at + written
    finally:
        os.close(descriptor)
    if not source.is_intact():
        return False
    words.commit(which, step, source.shard.checksum, length)
    return True
