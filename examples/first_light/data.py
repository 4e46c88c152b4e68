"""The source text of the Python standard library as rows of byte tokens: real, and on every machine.

Tokens 0..255 are bytes, END_OF_TEXT stands between files. Rows are fixed windows, so a row's number
means the same bytes on every rank that runs the same Python.
"""

from __future__ import annotations

import sysconfig
from pathlib import Path

import numpy as np

START_OF_TEXT = 256
END_OF_TEXT = 257
_SKIPPED = {"site-packages", "dist-packages", "test", "tests", "idlelib", "lib2to3", "__pycache__"}


class StandardLibrary:
    """Row i holds tokens i*length .. (i+1)*length, the last of which begins row i + 1."""

    def __init__(self, length: int, folder: Path | None = None, bytes_max: int = 8 << 20) -> None:
        self.length = length
        self.tokens = _read(folder or Path(sysconfig.get_path("stdlib")), bytes_max)
        if len(self) < 1:
            raise SystemExit(
                f"the standard library in {folder or sysconfig.get_path('stdlib')} has"
                f" {self.tokens.size} bytes of Python text, fewer than one row of {length}"
            )

    def __len__(self) -> int:
        return (self.tokens.size - 1) // self.length

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        """Rows [count, length + 1]: what the model reads, shifted by one what it should say."""
        starts = np.asarray(indices).astype(np.int64)[:, None] * self.length
        return self.tokens[starts + np.arange(self.length + 1)]


def _read(folder: Path, bytes_max: int) -> np.ndarray:
    parts: list[np.ndarray] = []
    size = 0
    for path in sorted(folder.rglob("*.py")):
        if _SKIPPED & set(path.relative_to(folder).parts):
            continue
        text = np.frombuffer(path.read_bytes(), np.uint8).astype(np.uint16)
        parts += [text, np.array([END_OF_TEXT], np.uint16)]
        size += text.size + 1
        if size >= bytes_max:
            break
    return np.concatenate(parts) if parts else np.zeros(0, np.uint16)
