"""Staged state: the two buffers of this rank, and the newest complete one of all ranks.

A state counts only when its buffer's step word is set, which is the last thing written. The
other buffer keeps the state before, so a worker killed at any instant leaves one complete state.
"""

from __future__ import annotations

import mmap
import sys
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzen.base import segment
from mizzen.base.checkpoint import ALIGNMENT, Layout, Shard
from mizzen.checkpoints import choice
from mizzen.checkpoints.tier import Checkpoint, Damaged, Gone, Places, open_tiers
from mizzen.checkpoints.tiers.memory import Buffers
from mizzen.train import state as form
from mizzen.train.errors import TrainError
from mizzen.train.files import Words, map_buffers, open_rank


@dataclass(frozen=True)
class Found:
    """One complete state: `step` completed steps, its leaves, and where it was."""

    step: int
    layout: Layout
    arrays: Mapping[str, NDArray[Any]]
    where: str


class Stage:
    """This rank's side: writes states into its two buffers by turns."""

    def __init__(self, words: Words) -> None:
        self._words = words
        self._buffers = Buffers(words.get, words.set)
        self._layout: Layout | None = None
        self._targets: tuple[form.Target, ...] = ()

    def prepare(self, layout: Layout, shard: tuple[int, int] = (0, 1)) -> None:
        """Makes room for states of this layout and touches every page once; they are shard i of n
        that make a checkpoint."""
        if self._layout == layout:
            return
        words = self._words
        capacity = -(-layout.length // mmap.PAGESIZE) * mmap.PAGESIZE
        if words.get(segment.RANK_OFFSET_STATE_BYTES) != capacity:
            self._buffers.forget()
        view = map_buffers(words.path, segment.BUFFERS_OFFSET, capacity)
        both = np.frombuffer(view, np.uint8)
        self._targets = tuple(
            form.Target(half, layout) for half in (both[:capacity], both[capacity:])
        )
        self._layout = layout
        self._buffers.make(capacity, *shard)

    def write(self, arrays: Mapping[str, Any], step: int, seed: int) -> None:
        """Stages the state after `step` completed steps over the older of the two buffers."""
        assert self._layout is not None, "prepare comes before write"
        which = self._buffers.begin()
        total = self._targets[which].write(arrays, step, seed)
        self._buffers.commit(which, step, total, self._layout.length)


def newest(places: Places) -> Found | None:
    """The newest complete and verified state over all tiers, None where no tier has any.

    Errors: TrainError where all that is durable is damaged.
    """
    tiers = open_tiers(places)
    candidates = choice.newest_first(tiers)
    for tier, entry in candidates:
        try:
            return _read(tier.get(entry))
        except Gone:
            continue
        except Damaged as error:
            text = f"passed over, it is damaged: {tier.where}/{entry.name}: {error}"
            print(f"mizzen.train: {text}", file=sys.stderr, flush=True)
    damaged = sum(tier.is_durable for tier, _ in candidates)
    if damaged and places.segments is not None:
        raise TrainError(
            f"all {damaged} durable checkpoints in {places.folder} are damaged (each is named"
            " above): put a copy that is whole in their place, or delete them to begin anew at"
            " step 0"
        )
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


def _read(found: Checkpoint) -> Found:
    """The state, verified. Errors: Damaged; Gone where it was written over meanwhile."""
    parts: list[tuple[Layout, form.Bytes]] = []
    for source in found.sources:
        buffer = np.empty(source.shard.bytes, np.uint8)
        try:
            source.read_into(buffer.data, 0)
            parts.append((_verify(buffer, source.shard, found), buffer))
        except (OSError, ValueError) as error:
            if not source.is_intact():
                raise Gone(found.where) from error
            raise Damaged(str(error)) from error
        if not source.is_intact():
            raise Gone(found.where)
    if len(parts) == 1:
        layout, buffer = parts[0]
        return Found(found.step, layout, form.read(buffer, layout), found.where)
    arrays = _assemble(parts)
    return Found(found.step, Layout.of(arrays), arrays, found.where)


def _verify(buffer: form.Bytes, shard: Shard, found: Checkpoint) -> Layout:
    """The shard's layout. Errors: ValueError that says why it is not whole."""
    is_whole = buffer.size > 0 and buffer.size % ALIGNMENT == 0
    if shard.crc32 is not None and zlib.crc32(buffer.data) != shard.crc32:
        is_whole = False
    if not is_whole or form.checksum(buffer) != shard.checksum:
        raise ValueError("its bytes do not match their checksum")
    layout, step = form.parse(buffer)
    if step != found.step:
        raise ValueError(f"its state is of step {step}, not {found.step}")
    return layout


def _assemble(parts: list[tuple[Layout, form.Bytes]]) -> dict[str, NDArray[Any]]:
    """The global arrays, put together from the pieces in all shards."""
    arrays: dict[str, NDArray[Any]] = {}
    for layout, buffer in parts:
        for leaf in layout.leaves:
            whole = arrays.setdefault(leaf.name, np.empty(leaf.of, np.dtype(leaf.dtype)))
            ends = zip(leaf.start, leaf.shape, strict=True)
            whole[tuple(slice(start, start + size) for start, size in ends)] = form.view(
                buffer, leaf
            )
    return arrays
