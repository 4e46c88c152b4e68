"""State as self-describing bytes: a fixed head, a JSON table of leaves, aligned raw arrays.

    word 0  magic         word 2  steps done       byte 32    JSON {"leaves": [...]}
    word 1  JSON length   word 3  seed             then       arrays, each at a multiple of 64

Copying and summing go block by block, so that a block is summed while it is still in the
cache: the checksum then costs a tenth of the copy, where a second pass would cost half of it
(measured with `bench/train_staging.py`; zlib.crc32 alone takes ten copies' time).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzen.train.errors import TrainError

MAGIC = 0x45544154535A494D  # "MIZSTATE"
ALIGNMENT = 64
_HEAD_BYTES = 32
_BLOCK_BYTES = 1 << 19  # half of a usual second-level cache
_MASK64 = (1 << 64) - 1

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Leaf:
    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    length: int


@dataclass(frozen=True)
class Layout:
    """Where each array of a state lies; two states with equal layouts are interchangeable."""

    leaves: tuple[Leaf, ...]
    table: bytes
    length: int  # of the whole, a multiple of ALIGNMENT

    @classmethod
    def of(cls, arrays: Mapping[str, Any]) -> Layout:
        """The layout of these arrays (anything with `dtype` and `shape`), in their order."""
        shapes = [(name, np.dtype(a.dtype).name, tuple(map(int, a.shape))) for name, a in arrays.items()]  # fmt: skip
        table = json.dumps({"leaves": shapes}, separators=(",", ":")).encode()
        return cls._place(shapes, table)

    @classmethod
    def _place(cls, shapes: list[tuple[str, str, tuple[int, ...]]], table: bytes) -> Layout:
        at = _round_up(_HEAD_BYTES + len(table))
        leaves: list[Leaf] = []
        for name, dtype, shape in shapes:
            length = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
            leaves.append(Leaf(name, dtype, shape, at, length))
            at = _round_up(at + length)
        return cls(tuple(leaves), table, at)

    @classmethod
    def parse(cls, buffer: Bytes) -> tuple[Layout, int, int]:
        """Layout, steps done and seed of staged bytes. Errors: ValueError when it is no state."""
        if buffer.size < _HEAD_BYTES:
            raise ValueError("shorter than a head")
        magic, length, step, seed = (int(w) for w in buffer[:_HEAD_BYTES].view(np.uint64))
        if magic != MAGIC or length > buffer.size - _HEAD_BYTES:
            raise ValueError("does not begin like a state")
        table = buffer[_HEAD_BYTES : _HEAD_BYTES + length].tobytes()
        shapes = [(str(n), str(d), tuple(map(int, s))) for n, d, s in json.loads(table)["leaves"]]
        layout = cls._place(shapes, table)
        if layout.length > buffer.size:
            raise ValueError(f"is cut short: {buffer.size} of {layout.length} bytes")
        return layout, step, seed


def write(buffer: Bytes, layout: Layout, arrays: Mapping[str, Any], step: int, seed: int) -> int:
    """Copies the arrays into `buffer`, which had zeros or this layout; returns the checksum."""
    head = buffer[:_HEAD_BYTES].view(np.uint64)
    head[:] = (MAGIC, len(layout.table), step, seed)
    buffer[_HEAD_BYTES : _HEAD_BYTES + len(layout.table)] = np.frombuffer(layout.table, np.uint8)
    total = summed = 0
    for leaf in layout.leaves:
        source = _raw(arrays[leaf.name])
        for start in range(0, leaf.length, _BLOCK_BYTES):
            end = min(start + _BLOCK_BYTES, leaf.length)
            buffer[leaf.offset + start : leaf.offset + end] = source[start:end]
            written = (leaf.offset + end) // 8 * 8
            if written - summed >= _BLOCK_BYTES:
                total += _sum(buffer[summed:written])
                summed = written
    return (total + _sum(buffer[summed : layout.length])) & _MASK64


def checksum(buffer: Bytes) -> int:
    """The sum of the 64-bit words modulo 2**64, as `write` returned it."""
    total = 0
    for start in range(0, buffer.size, _BLOCK_BYTES):
        total += _sum(buffer[start : start + _BLOCK_BYTES])
    return total & _MASK64


def read(buffer: Bytes, layout: Layout) -> dict[str, NDArray[Any]]:
    """The arrays by name, copied, since the buffer will be written over two steps later."""
    found: dict[str, NDArray[Any]] = {}
    for leaf in layout.leaves:
        raw = buffer[leaf.offset : leaf.offset + leaf.length].copy()
        found[leaf.name] = raw.view(np.dtype(leaf.dtype)).reshape(leaf.shape)
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


def _raw(array: Any) -> Bytes:
    """The bytes of any array, without a copy where it already lies in one piece."""
    return np.ascontiguousarray(np.asarray(array)).reshape(-1).view(np.uint8)


def _sum(buffer: Bytes) -> int:
    return int(np.add.reduce(buffer.view(np.uint64)))


def _round_up(value: int) -> int:
    return -(-value // ALIGNMENT) * ALIGNMENT
