"""Pipes and terminals between a client and a process of the shim.

The agent makes them and tells the shim by which path to open the other ends: no bytes go through
the shim but those of attached clients, and whatever becomes of the agent, its ends are closed.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import struct
import termios
from collections.abc import Awaitable, Callable

from mizzen.node.runtimes.interface import ExecResult, Stdio, Streams
from mizzen.node.runtimes.process.terminal_input import TerminalInput

PENDING_BYTES_MAX = 64 << 10  # of each output, beyond its pipe

Resize = Callable[[int, int], None]


class ProcessStreams(Streams):
    """The agent's ends; `paths` lead to the other ones until `release`."""

    def __init__(
        self,
        wait: Callable[[], Awaitable[ExecResult]],
        forget: Callable[[], None],
        resize: Resize | None,
    ) -> None:
        """`wait` and `forget` are the command's; `resize` where the terminal is another's."""
        self.paths = ["", "", ""]
        self._wait, self._forget, self._resize = wait, forget, resize
        self._theirs: list[int] = []
        self._terminal_fd = -1
        self._transports: list[asyncio.BaseTransport] = []

    @classmethod
    async def open(
        cls,
        stdio: Stdio,
        wait: Callable[[], Awaitable[ExecResult]],
        forget: Callable[[], None],
        resize: Resize | None = None,
    ) -> ProcessStreams:
        """Errors: OSError where the system has no pipe or terminal left."""
        made = cls(wait, forget, resize)
        try:
            if stdio.tty:
                await made._open_terminal(stdio)
            else:
                await made._open_pipes(stdio)
        except BaseException:
            made.close()
            raise
        return made

    def release(self) -> None:
        """The other ends are open elsewhere, or never will be."""
        for fd in self._theirs:
            os.close(fd)
        self._theirs.clear()
        self.paths = ["", "", ""]

    def resize(self, rows: int, columns: int) -> None:
        if self._resize is not None:
            self._resize(rows, columns)
        elif self._terminal_fd >= 0:
            size = struct.pack("HHHH", rows & 0xFFFF, columns & 0xFFFF, 0, 0)
            fcntl.ioctl(self._terminal_fd, termios.TIOCSWINSZ, size)

    async def wait(self) -> ExecResult:
        return await self._wait()

    def close(self) -> None:
        self._forget()
        self.release()
        for transport in self._transports:
            if isinstance(transport, asyncio.WriteTransport):
                if not transport.is_closing() or transport.get_write_buffer_size():
                    transport.abort()  # what is not written by now nobody waits for
            else:
                transport.close()
        self._transports.clear()
        if self._terminal_fd >= 0:
            os.close(self._terminal_fd)
            self._terminal_fd = -1

    async def _open_terminal(self, stdio: Stdio) -> None:
        master, slave = os.openpty()
        self._theirs.append(slave)
        self._terminal_fd = os.dup(master)
        self.paths = [os.ttyname(slave)] * 3
        # A transport owns its descriptor, so each gets one of its own.
        if stdio.stdin:
            self.stdin = self._terminal_writer(os.dup(master))
        self.stdout = await self._reader(master)

    async def _open_pipes(self, stdio: Stdio) -> None:
        wanted = (stdio.stdin, stdio.stdout, stdio.stderr)
        for number, _ in filter(lambda each: each[1], enumerate(wanted)):
            read_end, write_end = os.pipe()
            ours, theirs = (write_end, read_end) if number == 0 else (read_end, write_end)
            self._theirs.append(theirs)
            self.paths[number] = f"/proc/{os.getpid()}/fd/{theirs}"
            if number == 0:
                self.stdin = await self._writer(ours)
            elif number == 1:
                self.stdout = await self._reader(ours)
            else:
                self.stderr = await self._reader(ours)

    async def _reader(self, fd: int) -> asyncio.StreamReader:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(PENDING_BYTES_MAX // 2)  # it pauses at twice that
        file = os.fdopen(fd, "rb", buffering=0)
        transport, _ = await loop.connect_read_pipe(lambda: _Reading(reader), file)
        self._transports.append(transport)
        return reader

    def _terminal_writer(self, fd: int) -> asyncio.StreamWriter:
        os.set_blocking(fd, False)
        reader = asyncio.StreamReader()  # of nothing, as below
        protocol = asyncio.StreamReaderProtocol(reader)
        transport = TerminalInput(fd, protocol)
        self._transports.append(transport)
        return asyncio.StreamWriter(transport, protocol, reader, asyncio.get_running_loop())

    async def _writer(self, fd: int) -> asyncio.StreamWriter:
        loop = asyncio.get_running_loop()
        file = os.fdopen(fd, "wb", buffering=0)
        reader = asyncio.StreamReader()  # of nothing: a writer's protocol has one
        transport, protocol = await loop.connect_write_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), file
        )
        self._transports.append(transport)
        return asyncio.StreamWriter(transport, protocol, reader, loop)


class _Reading(asyncio.StreamReaderProtocol):
    """A terminal's end is an error (EIO), before which a reader would forget what it has."""

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(None)
