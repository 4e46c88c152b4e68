"""A log file that never grows without bound and never takes its writer down."""

from __future__ import annotations

import os
from pathlib import Path

_BYTES_MAX = 8 * 2**20
_KEPT = 3
_END_BYTES = 8192  # of what was written last, kept for `last_line`


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
        self._end = b""
        self.lost_bytes = 0

    def write(self, data: bytes) -> None:
        self._end = (self._end + data)[-_END_BYTES:]
        try:
            if self._file < 0:
                self._open()
            if self._size and self._size + len(data) > self._bytes_max:
                self._rotate()
            os.write(self._file, data)
            self._size += len(data)
        except OSError:
            self.lost_bytes += len(data)

    def begin(self) -> None:
        """Another process writes from here on: `last_line` is its own."""
        self._end = b""

    @property
    def last_line(self) -> str:
        """The last line that says something, also where the disk had no room for it: what a user
        should see of a process that died."""
        lines = self._end.decode(errors="replace").splitlines()
        # Tracebacks of task groups are framed with | and end with a rule.
        said = (line.strip(" |+-\t") for line in reversed(lines))
        return next((line for line in said if line), "")

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
