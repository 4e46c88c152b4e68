"""Arrays in staged bytes, of the form that `base/checkpoint.py` describes.

The checksum sums one page in sixteen. It is the second net: a state that was not copied whole is
caught by the order in which its words are committed (base/segment.py). What is left, a file
cut short, mixed up or written over, spoils longer runs. Summing costs 6 % of the copy so, one page in
four a quarter of it, every word more than half (bench/train_staging.py), zlib.crc32 ten copies.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzen.base.checkpoint import HEAD, MAGIC, Layout, Leaf, parse_head
from mizzen.train.errors import TrainError

_PAGE_WORDS = 4096 // 8
_SUMMED = 16  # one page in so many
_MASK64 = (1 << 64) - 1

Bytes = NDArray[np.uint8]


def parse(buffer: Bytes) -> tuple[Layout, int]:
    """Layout and steps done of staged bytes. Errors: ValueError when it is no state."""
    step, length = parse_head(buffer[: HEAD.size].tobytes(), buffer.size)
    layout = Layout.parse(buffer[HEAD.size : HEAD.size + length].tobytes())
    if layout.length > buffer.size:
        raise ValueError(f"is cut short: {buffer.size} of {layout.length} bytes")
    return layout, step


class Target:
    """A buffer made ready for states of one layout, so that a write is little but copying."""

    def __init__(self, buffer: Bytes, layout: Layout) -> None:
        self._buffer, self._layout = buffer, layout
        self._head = buffer[: HEAD.size].view(np.uint64)
        self._words = buffer[: layout.length].view(np.uint64)
        self._views = [view(buffer, leaf) for leaf in layout.leaves]

    def write(self, arrays: Mapping[str, Any], step: int, seed: int) -> int:
        """Copies the arrays into the buffer, which had zeros or this layout; returns the checksum."""
        table = self._layout.table
        self._head[:] = (MAGIC, len(table), step, seed)
        self._buffer[HEAD.size : HEAD.size + len(table)] = np.frombuffer(table, np.uint8)
        for leaf, target in zip(self._layout.leaves, self._views, strict=True):
            np.copyto(target, arrays[leaf.name])
        return _sum(self._words)


def write(buffer: Bytes, layout: Layout, arrays: Mapping[str, Any], step: int, seed: int) -> int:
    """One state into a buffer; returns the checksum. Whoever writes often keeps the `Target`."""
    return Target(buffer, layout).write(arrays, step, seed)


def checksum(buffer: Bytes) -> int:
    """The checksum that `write` returned for these bytes, a multiple of ALIGNMENT of them."""
    return _sum(buffer.view(np.uint64))


def read(buffer: Bytes, layout: Layout) -> dict[str, NDArray[Any]]:
    """The arrays by name, copied, since the buffer will be written over two steps later."""
    found: dict[str, NDArray[Any]] = {}
    for leaf in layout.leaves:
        found[leaf.name] = view(buffer, leaf).copy()
    return found


def check_same(expected: Layout, found: Layout, where: str) -> None:
    """Errors: TrainError naming the first leaf that differs between program and checkpoint."""
    if expected.table == found.table:
        return
    ours = {leaf.name: f"{leaf.dtype}{list(leaf.shape)}" for leaf in expected.leaves}
    theirs = {leaf.name: f"{leaf.dtype}{list(leaf.shape)}" for leaf in found.leaves}
    for name in sorted({*ours, *theirs}):
        if ours.get(name) != theirs.get(name):
            raise TrainError(
                f"the state staged in {where} does not fit this program: leaf {name!r} is"
                f" {theirs.get(name, 'absent')} there and {ours.get(name, 'absent')} here;"
                " use the program that wrote it, or a new job"
            )


def view(buffer: Bytes, leaf: Leaf) -> NDArray[Any]:
    """The leaf inside a buffer, not copied."""
    raw = buffer[leaf.offset : leaf.offset + leaf.length]
    return raw.view(np.dtype(leaf.dtype)).reshape(leaf.shape)


def _sum(words: NDArray[np.uint64]) -> int:
    """The sum modulo 2**64 of the words in pages 0, 16, 32, ... and in what follows the last sixteen."""
    stride = _PAGE_WORDS * _SUMMED
    whole = words.size // stride * stride
    pages = words[:whole].reshape(-1, stride)[:, :_PAGE_WORDS]
    return (int(pages.sum()) + int(words[whole:].sum())) & _MASK64
