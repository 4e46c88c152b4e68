"""A checkpoint in bytes: shards that describe themselves, and the manifest over them.

A shard is what one rank staged:

    word 0  magic         word 2  steps done       byte 32    JSON {"leaves": [...]}
    word 1  JSON length   word 3  seed             then       arrays, each at a multiple of 64

A leaf is [name, dtype, shape], or [name, dtype, shape, start, of] where it is a piece that begins
at index `start` of a global array of shape `of`. Ranks of data-parallel training hold the same
state, so one shard is all of it.

The manifest is written after the shards that it names; a checkpoint that has one is complete.
Version 2 is {"version": 2, "step", "shards": [{"file", "bytes", "checksum", "crc32", "leaves":
[[name, dtype, shape, offset, start, of], ...]}]}; version 1, which is still read, has no version
and the bytes and checksums of one shard, `state`.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, cast

MAGIC = 0x45544154535A494D  # "MIZSTATE"
HEAD = struct.Struct("<4Q")
ALIGNMENT = 64
MANIFEST = "manifest.json"
MANIFEST_BYTES_MAX = 64 << 20
TABLE_BYTES_MAX = 16 << 20
SHARDS_MAX = 1 << 16
_VERSION = 2

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Leaf:
    """An array in a shard, `length` bytes at `offset`: the piece of the global array of shape `of`
    that begins at index `start`."""

    name: str
    dtype: str
    shape: Shape
    offset: int
    length: int
    start: Shape
    of: Shape

    @property
    def is_whole(self) -> bool:
        return self.shape == self.of


@dataclass(frozen=True, slots=True)
class Layout:
    """The offset of each array of a shard; two shards with equal layouts are interchangeable."""

    leaves: tuple[Leaf, ...]
    table: bytes
    length: int  # of the whole, a multiple of ALIGNMENT

    @classmethod
    def of(
        cls, arrays: Mapping[str, Any], pieces: Mapping[str, tuple[Shape, Shape]] | None = None
    ) -> Layout:
        """The layout of these arrays (anything with `dtype.name` and `shape`), in their order;
        `pieces`: (start, of) of those that are no whole arrays."""
        leaves: list[list[Any]] = []
        for name, array in arrays.items():
            where = [list(each) for each in (pieces or {}).get(name, ())]
            leaves.append([name, str(array.dtype.name), [int(n) for n in array.shape], *where])
        return cls.parse(json.dumps({"leaves": leaves}, separators=(",", ":")).encode())

    @classmethod
    def parse(cls, table: bytes) -> Layout:
        """The layout that a shard's table says. Errors: ValueError when it is none."""
        try:
            at = round_up(HEAD.size + len(table))
            leaves: list[Leaf] = []
            for name, dtype, shape, *where in json.loads(table)["leaves"]:
                start, of = where or ([0] * len(shape), shape)
                leaf = _leaf(name, dtype, shape, at, start, of)
                leaves.append(leaf)
                at = round_up(at + leaf.length)
        except (KeyError, TypeError, RecursionError) as error:
            raise ValueError(f"its table of arrays is odd: {error!r}") from error
        return cls(tuple(leaves), table, at)


def parse_head(data: bytes | memoryview, size: int) -> tuple[int, int]:
    """Steps done, and the length of the table that follows the head, of a shard of `size` bytes.

    Errors: ValueError when it is no shard.
    """
    if len(data) < HEAD.size or size < HEAD.size:
        raise ValueError("shorter than a head")
    magic, length, step, _ = HEAD.unpack_from(data)
    if magic != MAGIC or length > min(size - HEAD.size, TABLE_BYTES_MAX):
        raise ValueError("does not begin like a state")
    return step, length


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard of a checkpoint. `checksum` is the workers' own, over samples
    (mizzen/train/state.py); `crc32` is over every byte, None where nobody has read them all."""

    file: str
    bytes: int
    checksum: int
    crc32: int | None = None
    leaves: tuple[Leaf, ...] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    step: int
    shards: tuple[Shard, ...]

    def to_json(self) -> bytes:
        shards = [
            {
                "file": shard.file,
                "bytes": shard.bytes,
                "checksum": shard.checksum,
                "crc32": shard.crc32,
                "leaves": [
                    [x.name, x.dtype, x.shape, x.offset, x.start, x.of] for x in shard.leaves
                ],
            }
            for shard in self.shards
        ]
        return json.dumps({"version": _VERSION, "step": self.step, "shards": shards}).encode()


def parse_manifest(data: bytes) -> Manifest:
    """The manifest, of either version. Errors: ValueError that says what is wrong with it."""
    if len(data) > MANIFEST_BYTES_MAX:
        raise ValueError(f"its manifest has more than {MANIFEST_BYTES_MAX} bytes")
    try:
        found: Any = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its manifest is no JSON ({error})") from error
    entries = _object(found, "its manifest")
    version = entries.get("version", 1)
    if version == 1:
        return Manifest(_whole(entries, "step"), (_shard({**entries, "file": "state"}),))
    if version != _VERSION:
        raise ValueError(f"its manifest is of version {version!r}, known are 1 and {_VERSION}")
    shards: Any = entries.get("shards")
    if not isinstance(shards, list) or not 0 < len(cast("list[Any]", shards)) <= SHARDS_MAX:
        raise ValueError("its manifest names no shards")
    each = [_shard(_object(s, "a shard of its manifest")) for s in cast("list[Any]", shards)]
    return Manifest(_whole(entries, "step"), tuple(each))


def step_of(folder: str) -> int | None:
    """The steps done that a checkpoint's folder is named for; None: it is no checkpoint's."""
    number = folder.removeprefix("step-")
    is_ours = folder != number and number.isascii() and number.isdecimal()
    return int(number) if is_ours and str(int(number)) == number else None


def item_bytes(dtype: str) -> int:
    """The bytes of one element, by numpy's name of its type: "float32", "bool", "bfloat16".

    Errors: ValueError for a name without a width.
    """
    if dtype == "bool":
        return 1
    digits = ""
    for character in dtype:
        if character.isdecimal():
            digits += character
        elif digits:
            break
    if not digits:
        raise ValueError(f"no array has elements of type {dtype!r}")
    return -(-int(digits) // 8)


def round_up(value: int) -> int:
    return -(-value // ALIGNMENT) * ALIGNMENT


def _leaf(name: Any, dtype: Any, shape: Any, offset: int, start: Any, of: Any) -> Leaf:
    sizes, begin, full = (tuple(int(n) for n in each) for each in (shape, start, of))
    is_inside = len(sizes) == len(begin) == len(full) and all(
        b >= 0 and n >= 0 and b + n <= f for b, n, f in zip(begin, sizes, full, strict=True)
    )
    if not is_inside:
        raise ValueError(f"array {name!r} lies outside the one that it is a piece of")
    length = prod(sizes) * item_bytes(str(dtype))
    return Leaf(str(name), str(dtype), sizes, offset, length, begin, full)


def _shard(entries: Mapping[str, Any]) -> Shard:
    file = entries.get("file")
    if not isinstance(file, str) or not file or "/" in file or file.startswith("."):
        raise ValueError(f"its manifest names a file {file!r}")
    crc32 = entries.get("crc32")
    if crc32 is not None and type(crc32) is not int:
        raise ValueError("its manifest has no whole number 'crc32'")
    try:
        leaves = tuple(_leaf(*each) for each in entries.get("leaves") or ())
    except TypeError as error:
        raise ValueError(f"its manifest's leaves are odd: {error}") from error
    return Shard(file, _whole(entries, "bytes"), _whole(entries, "checksum"), crc32, leaves)


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{what} is no object but {type(value).__name__}")
    return cast("dict[str, Any]", value)


def _whole(entries: Mapping[str, Any], name: str) -> int:
    value = entries.get(name)
    if type(value) is not int:
        raise ValueError(f"its manifest has no whole number {name!r}")
    return value
