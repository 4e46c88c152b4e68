"""Staged state: the two buffers of this rank, and the newest complete one of all ranks.

A state counts only when its buffer's step word is set, which is the last thing written. The
other buffer keeps the state before, so a worker killed at any instant leaves one complete state.
"""

from __future__ import annotations

import mmap
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzen.base import checkpoint_manifest as manifest
from mizzen.base import segment
from mizzen.train import state as form
from mizzen.train.errors import TrainError
from mizzen.train.files import Words, map_buffers, open_rank

_STEP = (segment.RANK_OFFSET_BUFFER0, segment.RANK_OFFSET_BUFFER1)
_CHECKSUM = (segment.RANK_OFFSET_CHECKSUM0, segment.RANK_OFFSET_CHECKSUM1)
_LENGTH = (segment.RANK_OFFSET_LENGTH0, segment.RANK_OFFSET_LENGTH1)


@dataclass(frozen=True)
class Found:
    """One complete state: `step` completed steps, its leaves, and where it was."""

    step: int
    layout: form.Layout
    arrays: Mapping[str, NDArray[Any]]
    where: str


class Damaged(Exception):
    """Bytes that should be a state and are not whole; the message says whose and why."""


class Stage:
    """This rank's side: writes states into its two buffers by turns."""

    def __init__(self, words: Words) -> None:
        self._words = words
        self._layout: form.Layout | None = None
        self._targets: tuple[form.Target, ...] = ()

    def prepare(self, layout: form.Layout) -> None:
        """Makes room for states of this layout and touches every page once."""
        if self._layout == layout:
            return
        words = self._words
        capacity = -(-layout.length // mmap.PAGESIZE) * mmap.PAGESIZE
        if words.get(segment.RANK_OFFSET_STATE_BYTES) != capacity:
            for offset in (*_STEP, segment.RANK_OFFSET_STATE_BYTES):
                words.set(offset, 0)
        view = map_buffers(words.path, segment.BUFFERS_OFFSET, capacity, write=True)
        both = np.frombuffer(view, np.uint8)
        self._targets = tuple(
            form.Target(half, layout) for half in (both[:capacity], both[capacity:])
        )
        self._layout = layout
        words.set(segment.RANK_OFFSET_BUFFERS_AT, segment.BUFFERS_OFFSET)
        words.set(segment.RANK_OFFSET_STATE_BYTES, capacity)

    def write(self, arrays: Mapping[str, Any], step: int, seed: int) -> None:
        """Stages the state after `step` completed steps over the older of the two buffers."""
        assert self._layout is not None, "prepare comes before write"
        words = self._words
        which = 0 if words.get(_STEP[0]) <= words.get(_STEP[1]) else 1
        words.set(_STEP[which], 0)
        total = self._targets[which].write(arrays, step, seed)
        words.set(_CHECKSUM[which], total)
        words.set(_LENGTH[which], self._layout.length)
        words.set(_STEP[which], step + 1)


def newest(segments: Path, own: Path, checkpoints: Path) -> Found | None:
    """The newest complete and verified state: staged by any rank, else durable, else None."""
    candidates = [
        (word - 1, 1 if path == own else 2, partial(_read_staged, path, which, word))
        for word, path, which in _staged(segments, own)
    ]
    durable = [(s, 3, partial(_read_durable, folder)) for s, folder in _durable(checkpoints)]
    for _, _, read in sorted([*candidates, *durable], key=lambda entry: (-entry[0], entry[1])):
        if (found := _said(read)) is not None:
            return found
    if durable:
        raise TrainError(
            f"all {len(durable)} durable checkpoints in {checkpoints} are damaged (each is named"
            " above): put a copy that is whole in their place, or delete them to begin anew at"
            " step 0"
        )
    return None


def newest_durable(checkpoints: Path) -> Found | None:
    """The newest durable state that is whole; a damaged one is passed over for an older one."""
    for _, folder in sorted(_durable(checkpoints), reverse=True):
        if (found := _said(partial(_read_durable, folder))) is not None:
            return found
    return None


def _said(read: Callable[[], Found | None]) -> Found | None:
    """What `read` finds; a damaged state is named in the log and passed over."""
    try:
        return read()
    except Damaged as error:
        print(f"mizzen.train: passed over, it is damaged: {error}", file=sys.stderr, flush=True)
        return None


def steps_ever_done(segments: Path) -> int:
    """The most steps any rank ever completed in this segment; later ones are not yet done."""
    done = (w.get(segment.RANK_OFFSET_STEPS_DONE) for w in _ranks(segments))
    return max(done, default=0)


def _ranks(segments: Path) -> Iterator[Words]:
    for path in sorted(segments.glob("rank-*")):
        try:
            yield open_rank(path, write=False)
        except TrainError:
            continue  # the agent is making or removing it: nothing can be staged there


def _staged(segments: Path, own: Path) -> Iterator[tuple[int, Path, int]]:
    for words in _ranks(segments):
        for which in (0, 1):
            if word := words.get(_STEP[which]):
                yield word, own if words.path.samefile(own) else words.path, which


def _read_staged(path: Path, which: int, word: int) -> Found | None:
    words = open_rank(path, write=False)
    capacity = words.get(segment.RANK_OFFSET_STATE_BYTES)
    length = words.get(_LENGTH[which])
    if capacity == 0 or length > capacity or path.stat().st_size < segment.BUFFERS_OFFSET + 2 * capacity:  # fmt: skip
        return None
    view = map_buffers(path, words.get(segment.RANK_OFFSET_BUFFERS_AT), capacity, write=False)
    buffer = np.frombuffer(view, np.uint8)[which * capacity :][:length]
    try:
        found = _decode(buffer, words.get(_CHECKSUM[which]), str(path))
    except Damaged:
        if words.get(_STEP[which]) == word:
            raise
        return None  # it was being written over
    return found if words.get(_STEP[which]) == word else None


def _durable(checkpoints: Path) -> Iterator[tuple[int, Path]]:
    for path in checkpoints.glob("step-*/manifest.json"):
        step = manifest.step_of(path.parent.name)
        if step is not None:
            yield step, path.parent


def _read_durable(folder: Path) -> Found:
    try:
        wanted = manifest.parse((folder / "manifest.json").read_bytes())
        buffer = np.fromfile(folder / "state", np.uint8)
    except (OSError, ValueError) as error:
        raise Damaged(f"{folder}: {error}") from error
    if buffer.size != wanted.bytes:
        raise Damaged(f"{folder}: it has {buffer.size} bytes, not {wanted.bytes}")
    if wanted.crc32 is not None and zlib.crc32(buffer.data) != wanted.crc32:
        raise Damaged(f"{folder}: its bytes do not match their checksum")
    return _decode(buffer, wanted.checksum, str(folder))


def _decode(buffer: form.Bytes, checksum: int, where: str) -> Found:
    """The state in these bytes. Errors: Damaged when they are not whole."""
    if buffer.size == 0 or buffer.size % form.ALIGNMENT or form.checksum(buffer) != checksum:
        raise Damaged(f"{where}: its bytes do not match their checksum")
    try:
        layout, step, _ = form.Layout.parse(buffer)
    except (ValueError, KeyError, TypeError) as error:
        raise Damaged(f"{where}: {error}") from error
    return Found(step, layout, form.read(buffer, layout), where)
