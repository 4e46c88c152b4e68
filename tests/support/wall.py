"""A wall clock that a test steps while programs run (tests/native/wall.c)."""

from __future__ import annotations

import struct
from pathlib import Path

from support import native


class Wall:
    """`environment` is for the programs; `set` says how far ahead of the true time they are."""

    def __init__(self, folder: Path) -> None:
        library, self._file = native.build("wall", folder), folder / "wall"
        self.set(0)
        self.environment = {"LD_PRELOAD": str(library), "MIZZEN_TEST_WALL": str(self._file)}

    def set(self, seconds: float) -> None:
        """Takes effect at once, in all that runs."""
        data = struct.pack("=q", int(seconds * 1e9))
        if self._file.exists():
            with self._file.open("r+b") as file:
                file.write(data)
        else:
            self._file.write_bytes(data)
