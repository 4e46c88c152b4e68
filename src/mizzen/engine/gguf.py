"""Reads the header of a GGUF file and checks that the file is complete.

openvino-genai 2026.4 loads a file that was cut short without a word and then answers nonsense
(tried: 200,000 of 270,368 bytes), so the lengths are checked here first. Only the header is read.
Source: github.com/ggml-org/ggml docs/gguf.md; sizes from ggml's type table.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?",
            10: "<Q", 11: "<q", 12: "<d"}  # fmt: skip
_STRING, _ARRAY = 8, 9
# Far above what real files have: vocabularies of 262,144 words, some thousand tensors.
_LENGTH_MAX = 1 << 24  # bytes of a text
_ELEMENTS_MAX = 1 << 22  # of an array
_ENTRIES_MAX = 1 << 17  # keys, and tensors
_DIMENSIONS_MAX = 4  # ggml's GGML_MAX_DIMS
_NESTING_MAX = 4  # arrays of arrays
_ALIGNMENT_MAX = 1 << 20
# ggml type -> (elements in a block, bytes of a block)
_BLOCKS = {0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34),
           9: (32, 36), 10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176),
           14: (256, 210), 15: (256, 292), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8),
           28: (1, 8), 30: (1, 2)}  # fmt: skip

Value = int | float | bool | str


class GgufError(Exception):
    """The file is not a whole GGUF; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """Scalar metadata, and the lengths of arrays; the arrays themselves are skipped."""

    values: Mapping[str, Value]
    array_lengths: Mapping[str, int]
    tensors: int = 0

    @property
    def architecture(self) -> str:
        return str(self.values.get("general.architecture", ""))

    def number(self, key: str, default: int = 0) -> int:
        """An integer under the architecture's prefix, as in `llama.context_length`."""
        value = self.values.get(f"{self.architecture}.{key}", default)
        return value if isinstance(value, int) and not isinstance(value, bool) else default


@dataclass(slots=True)
class _Cursor:
    data: mmap.mmap
    at: int = 0
    sizes: dict[str, struct.Struct] = field(default_factory=dict[str, struct.Struct])

    def scalar(self, form: str) -> Value:
        packed = self.sizes.setdefault(form, struct.Struct(form))
        (value,) = packed.unpack_from(self.data, self.at)
        self.at += packed.size
        return value

    def count(self, most: int, form: str = "<Q") -> int:
        value = int(self.scalar(form))
        if value > most:
            raise GgufError(f"its header is corrupt: a count of {value} before byte {self.at}")
        return value

    def text(self) -> str:
        size = self.count(_LENGTH_MAX)
        if self.at + size > len(self.data):
            raise GgufError(f"it is cut short: a text ends beyond its {len(self.data)} bytes")
        value = self.data[self.at : self.at + size]
        self.at += size
        return value.decode("utf-8", "replace")


def read_header(path: Path) -> GgufHeader:
    """Reads the header and checks that every tensor lies within the file.

    Errors: GgufError for what is no whole GGUF, OSError for what cannot be read.
    """
    size = path.stat().st_size
    if size < 24:
        raise GgufError(f"it is cut short: {size} bytes, not even a header")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            return _read(_Cursor(data))
        except struct.error as error:
            raise GgufError(f"it is cut short: its header ends beyond its {size} bytes") from error


def _read(cursor: _Cursor) -> GgufHeader:
    if cursor.data[:4] != _MAGIC:
        raise GgufError("it is not a GGUF file: it does not begin with GGUF")
    cursor.at = 4
    version = cursor.scalar("<I")
    if version not in _VERSIONS:
        raise GgufError(f"its GGUF version is {version}; versions 2 and 3 can be read")
    tensors, entries = cursor.count(_ENTRIES_MAX), cursor.count(_ENTRIES_MAX)
    values: dict[str, Value] = {}
    lengths: dict[str, int] = {}
    for _ in range(entries):
        key = cursor.text()
        kind = int(cursor.scalar("<I"))
        if kind == _ARRAY:
            lengths[key] = _skip_array(cursor)
        else:
            values[key] = _value(cursor, kind)
    header = GgufHeader(values, lengths, tensors)
    _check_tensors(cursor, tensors, _alignment(header))
    return header


def _alignment(header: GgufHeader) -> int:
    value = header.values.get("general.alignment", 32)
    if not isinstance(value, int) or not 0 < value <= _ALIGNMENT_MAX:
        raise GgufError(f"its header is corrupt: general.alignment is {value!r}")
    return value


def _value(cursor: _Cursor, kind: int) -> Value:
    if kind == _STRING:
        return cursor.text()
    form = _SCALARS.get(kind)
    if form is None:
        raise GgufError(f"its header is corrupt: value type {kind} at byte {cursor.at - 4}")
    return cursor.scalar(form)


def _skip_array(cursor: _Cursor, depth: int = 1) -> int:
    if depth > _NESTING_MAX:
        raise GgufError(f"its header is corrupt: arrays within arrays at byte {cursor.at}")
    kind, length = int(cursor.scalar("<I")), cursor.count(_ELEMENTS_MAX)
    if kind in (_STRING, _ARRAY):
        for _ in range(length):
            if kind == _STRING:
                cursor.text()
            else:
                _skip_array(cursor, depth + 1)
    elif kind in _SCALARS:
        cursor.at += struct.calcsize(_SCALARS[kind]) * length
    else:
        raise GgufError(f"its header is corrupt: array type {kind} at byte {cursor.at - 12}")
    return length


def _check_tensors(cursor: _Cursor, count: int, alignment: int) -> None:
    ends: list[tuple[int, str]] = []
    for _ in range(count):
        name = cursor.text()
        dimensions = [cursor.scalar("<Q") for _ in range(cursor.count(_DIMENSIONS_MAX, "<I"))]
        kind, offset = int(cursor.scalar("<I")), int(cursor.scalar("<Q"))
        per_block, block_bytes = _BLOCKS.get(kind, (1, 0))
        elements = prod(int(dimension) for dimension in dimensions)
        ends.append((offset + -(-elements // per_block) * block_bytes, name))
    start = -(-cursor.at // alignment) * alignment
    size = len(cursor.data)
    missing = [(end, name) for end, name in ends if start + end > size]
    if missing:
        end, name = max(missing)
        raise GgufError(
            f"it is cut short: {len(missing)} of {count} tensors lie beyond its {size} bytes "
            f'(tensor "{name}" ends at byte {start + end}); copy or export it again'
        )
