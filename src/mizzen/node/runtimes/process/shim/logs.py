"""Container output as CRI log files: `<RFC 3339 nano> stdout|stderr F|P <line>`.

Files rotate at 10 MiB and three are kept (`0.log`, `0.log.1`, `0.log.2`); a line is never split
over two files and none is dropped in rotating. No two lines of a run have one time: whoever follows
the log and was cut off goes on behind the last line it has. Source: kubelet `cri-api` log format.
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
from typing import Any

from mizzen.host.private import open_file

SECOND_NS = 1_000_000_000
ROTATE_BYTES = 10 * 2**20
KEPT_FILES = 3
LINE_BYTES_MAX = (
    16 * 1024
)  # longer lines are written in parts tagged P, as the kubelet's runtimes do


def stamp(ns: int) -> bytes:
    """RFC 3339 with nine fractional digits, UTC."""
    seconds, rest = divmod(ns, SECOND_NS)
    return b"%b.%09dZ" % (_whole(seconds), rest)


@functools.lru_cache(maxsize=4)
def _whole(seconds: int) -> bytes:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)).encode()


class LogFile:
    """One container run's log; a full disk drops lines, says how many later, and never raises."""

    def __init__(self, path: str, rotate_bytes: int = ROTATE_BYTES) -> None:
        self._path = path
        self._rotate_bytes = rotate_bytes
        self._dropped = 0
        self._last_ns = 0  # the time of the last line
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
        *lines, rest = (self._partial.pop(stream, b"") + data).split(b"\n")
        second, at = divmod(self._next_ns(), SECOND_NS)
        if at + len(lines) + len(data) // LINE_BYTES_MAX + 2 > SECOND_NS:
            second, at = second + 1, 0  # the lines of one piece share their second
        head, full, part = _whole(second), b"Z %b F " % stream, b"Z %b P " % stream
        out: list[bytes] = []
        for line in lines:
            while len(line) > LINE_BYTES_MAX:
                out.append(b"%b.%09d%b%b\n" % (head, at, part, line[:LINE_BYTES_MAX]))
                line = line[LINE_BYTES_MAX:]
                at += 1
            out.append(b"%b.%09d%b%b\n" % (head, at, full, line))
            at += 1
        while len(rest) > LINE_BYTES_MAX:
            out.append(b"%b.%09d%b%b\n" % (head, at, part, rest[:LINE_BYTES_MAX]))
            rest = rest[LINE_BYTES_MAX:]
            at += 1
        if rest:
            self._partial[stream] = rest
        self._last_ns = second * SECOND_NS + at
        self._write(out)

    def _next_ns(self) -> int:
        """Now; later than the last line, unless the clock was set back."""
        now = time.time_ns()
        is_same = now <= self._last_ns < now + SECOND_NS
        self._last_ns = self._last_ns + 1 if is_same else now
        return self._last_ns

    def close(self) -> None:
        """Writes what lacks a newline, tagged P as containerd does, and closes."""
        for stream, rest in list(self._partial.items()):
            self._write([b"%b %b P %b\n" % (stamp(self._next_ns()), stream, rest)])
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
        note = b""
        if self._dropped:
            text = b"%b stderr F mizzen: %d log lines were lost: no space\n"
            note = text % (stamp(self._next_ns()), self._dropped)
        block = b"".join([note, *lines])
        done = 0
        with contextlib.suppress(OSError):
            while self._fd >= 0 and done < len(block):
                done += os.write(self._fd, block[done:] if done else block)
        whole = done if done == len(block) else block.rfind(b"\n", 0, done) + 1
        if whole < done:  # no later line is to begin within half of this one
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, os.fstat(self._fd).st_size - (done - whole))
        self._bytes += whole
        if whole >= len(note):
            self._dropped = block.count(b"\n", whole)
        else:
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
