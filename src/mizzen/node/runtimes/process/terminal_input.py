"""The writing side of a terminal, as a transport that reads nothing.

The transports that event loops have for pipes may read from what they write to, to hear of its end;
at a terminal that would be the program's output.
"""

from __future__ import annotations

import asyncio
import os

BUFFER_BYTES_MAX = 64 << 10  # beyond what the terminal takes; then writers wait


class TerminalInput(asyncio.WriteTransport):
    """Writes to a terminal's end, a descriptor of its own that does not block."""

    def __init__(self, fd: int, protocol: asyncio.StreamReaderProtocol) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._fd, self._protocol = fd, protocol
        self._buffer = bytearray()
        self._is_closing = self._is_paused = False
        protocol.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._is_closing or not data:
            return
        if not self._buffer:
            self._loop.add_writer(self._fd, self._flush)
        self._buffer += data
        self._flush()
        if len(self._buffer) > BUFFER_BYTES_MAX and not self._is_paused:
            self._is_paused = True
            self._protocol.pause_writing()

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        """A terminal has no end of input but the key for it: nothing more is written."""
        self.close()

    def is_closing(self) -> bool:
        return self._is_closing

    def get_write_buffer_size(self) -> int:
        return len(self._buffer)

    def close(self) -> None:
        """Ends once all is written."""
        if not self._is_closing:
            self._is_closing = True
            if not self._buffer:
                self._end()

    def abort(self) -> None:
        self._is_closing = True
        self._buffer.clear()
        self._end()

    def _flush(self) -> None:
        if self._fd < 0:
            return
        try:
            written = os.write(self._fd, self._buffer)
        except BlockingIOError:
            return
        except OSError:  # the program has hung up: nobody is left to read it
            self.abort()
            return
        del self._buffer[:written]
        if self._is_paused and len(self._buffer) <= BUFFER_BYTES_MAX // 2:
            self._is_paused = False
            self._protocol.resume_writing()
        if not self._buffer:
            self._loop.remove_writer(self._fd)
            if self._is_closing:
                self._end()

    def _end(self) -> None:
        if self._fd < 0:
            return
        self._loop.remove_writer(self._fd)
        os.close(self._fd)
        self._fd = -1
        self._loop.call_soon(self._protocol.connection_lost, None)
