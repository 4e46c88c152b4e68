"""Container output as CRI log files: `<RFC 3339 nano> stdout|stderr F|P <line>`.

Files rotate at 10 MiB and three are kept (`0.log`, `0.log.1`, `0.log.2`); a line is never split
over two files and none is dropped in rotating. Source: kubelet `cri-api` log format.
"""

from __future__ import annotations

import os
import time
from typing import Any

from mizzen.host.private import open_file

ROTATE_BYTES = 10 * 2**20
KEPT_FILES = 3
LINE_BYTES_MAX = (
    16 * 1024
)  # longer lines are written in parts tagged P, as the kubelet's runtimes do


def stamp(ns: int) -> bytes:
    """RFC 3339 with nine fractional digits, UTC."""
    seconds, rest = divmod(ns, 1_000_000_000)
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{rest:09d}Z".encode()


class LogFile:
    """One container run's log; a full disk drops lines, says how many later, and never raises."""

    def __init__(self, path: str, rotate_bytes: int = ROTATE_BYTES) -> None:
        self._path = path
        self._rotate_bytes = rotate_bytes
        self._dropped = 0
        self._fd = -1
        self._bytes = 0
        self._partial: dict[bytes, bytes] = {}
        self._open()

    def _open(self) -> None:
        try:
            self._fd = open_file(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            self._bytes = os.fstat(self._fd).st_size
        except OSError:
            self._fd = -1

    def feed(self, stream: bytes, data: bytes) -> None:
        """Output of `stream` (b"stdout" or b"stderr") as it came, in any pieces."""
        lines = (self._partial.pop(stream, b"") + data).split(b"\n")
        rest = lines.pop()
        prefix = stamp(time.time_ns()) + b" " + stream
        out: list[bytes] = []
        for line in lines:
            while len(line) > LINE_BYTES_MAX:
                out.append(prefix + b" P " + line[:LINE_BYTES_MAX] + b"\n")
                line = line[LINE_BYTES_MAX:]
            out.append(prefix + b" F " + line + b"\n")
        while len(rest) > LINE_BYTES_MAX:
            out.append(prefix + b" P " + rest[:LINE_BYTES_MAX] + b"\n")
            rest = rest[LINE_BYTES_MAX:]
        if rest:
            self._partial[stream] = rest
        self._write(out)

    def close(self) -> None:
        """Writes what lacks a newline, tagged P as containerd does, and closes."""
        for stream, rest in list(self._partial.items()):
            self._write([stamp(time.time_ns()) + b" " + stream + b" P " + rest + b"\n"])
        self._partial.clear()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _write(self, lines: list[bytes]) -> None:
        start = 0
        while start < len(lines):
            size, end = 0, start
            while end < len(lines) and (
                end == start or self._bytes + size + len(lines[end]) <= self._rotate_bytes
            ):
                size += len(lines[end])
                end += 1
            if self._bytes and self._bytes + size > self._rotate_bytes:
                self._rotate()
            self._write_block(lines[start:end])
            start = end

    def _write_block(self, lines: list[bytes]) -> None:
        if self._fd < 0:
            self._open()
        if self._dropped:
            note = b"%s stderr F mizzen: %d log lines were lost: no space\n"
            lines = [note % (stamp(time.time_ns()), self._dropped), *lines]
        block = b"".join(lines)
        try:
            written = os.write(self._fd, block) if self._fd >= 0 else -1
            while 0 <= written < len(block):
                self._bytes += written
                block = block[written:]
                written = os.write(self._fd, block)
            self._bytes += max(written, 0)
            self._dropped = self._dropped + len(lines) if written < 0 else 0
        except OSError:
            self._dropped += len(lines)

    def _rotate(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        try:
            for n in range(KEPT_FILES - 1, 0, -1):
                old = self._path if n == 1 else f"{self._path}.{n - 1}"
                if os.path.exists(old):
                    os.replace(old, f"{self._path}.{n}")
        except OSError:
            pass  # the old file simply grows further
        self._bytes = 0
        self._open()


class Capture:
    """The first bytes of a probe's output, kept for its message instead of a file."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.text = b""

    def feed(self, stream: bytes, data: bytes) -> None:
        if len(self.text) < self._limit:
            self.text = (self.text + data)[: self._limit]

    def close(self) -> None: ...


Sink = LogFile | Capture
Message = dict[str, Any]
