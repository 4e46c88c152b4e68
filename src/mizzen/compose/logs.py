"""A log file that never grows without bound and never takes its writer down."""

from __future__ import annotations

import os
from pathlib import Path

_BYTES_MAX = 8 * 2**20
_KEPT = 3


class RotatingLog:
    """Appends raw bytes to `path`; older parts are path.1 (newest) to path.3.

    A full disk loses log lines, counted in `lost_bytes`, and nothing else.
    """

    def __init__(self, path: Path, *, bytes_max: int = _BYTES_MAX, kept: int = _KEPT) -> None:
        self.path = path
        self._bytes_max = bytes_max
        self._kept = kept
        self._file = -1
        self._size = 0
        self.lost_bytes = 0

    def write(self, data: bytes) -> None:
        try:
            if self._file < 0:
                self._open()
            if self._size and self._size + len(data) > self._bytes_max:
                self._rotate()
            os.write(self._file, data)
            self._size += len(data)
        except OSError:
            self.lost_bytes += len(data)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._file = os.open(self.path, flags, 0o600)
        self._size = os.fstat(self._file).st_size

    def _rotate(self) -> None:
        self.close()
        for index in range(self._kept, 0, -1):
            older = self.path.with_name(f"{self.path.name}.{index}")
            newer = self.path.with_name(f"{self.path.name}.{index - 1}") if index > 1 else self.path
            if newer.exists():
                newer.replace(older)
        self._open()


def last_line(path: Path) -> str:
    """The last line that says something: what a user should see of a process that died."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 8192))
            lines = file.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return ""
    # Tracebacks of task groups are framed with | and end with a rule.
    said = (line.strip(" |+-\t") for line in reversed(lines))
    return next((line for line in said if line), "")
