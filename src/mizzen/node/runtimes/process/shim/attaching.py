"""Clients attached to a run: they see its output from now on, and may write its input.

Each has pipes of its own, which the agent made. A client that reads slowly slows the run down, as
upstream's runtimes have it: what its pipe does not take waits here, and no more is read of the
run's output until it is gone. A client that has left holds up nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import selectors
import struct
import termios
from collections.abc import Callable
from functools import partial
from typing import Any

from mizzen.node.runtimes.process.shim.spawn import STDERR, STDOUT

STDIN = b"stdin"
READ_BYTES = 64 * 1024
CLIENTS_MAX = 32  # of one run at a time
_MODES = {STDIN: os.O_RDONLY, STDOUT: os.O_WRONLY, STDERR: os.O_WRONLY}


class Client:
    """The pipes of one client, by stream: the shim reads STDIN and writes the others."""

    def __init__(self, request: dict[str, Any]) -> None:
        """Errors: OSError where the agent has closed them meanwhile."""
        self.fds: dict[bytes, int] = {}
        self.pending: dict[bytes, bytes] = {}  # what could not be written yet, never empty
        try:
            for stream, mode in _MODES.items():
                path = request.get(stream.decode())
                if path:
                    self.fds[stream] = os.open(path, mode | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            self.close()
            raise

    @property
    def is_gone(self) -> bool:
        """True if nobody reads what is written, or nothing is left open."""
        poll = select.poll()
        for stream, fd in self.fds.items():
            poll.register(fd, 0 if stream == STDIN else select.POLLOUT)
        states = poll.poll(0)
        return not self.fds or any(
            state & (select.POLLERR if fd != self.fds.get(STDIN) else 0) for fd, state in states
        )

    def close(self) -> None:
        for fd in self.fds.values():
            os.close(fd)
        self.fds.clear()
        self.pending.clear()


class Terminal:
    """The streams that a run has beside its log: its input, its clients; made for each run."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        outputs: dict[int, bytes],
        stdin_fd: int,
        *,
        is_tty: bool,
        is_stdin_once: bool,
        resume: Callable[[int], None],
    ) -> None:
        """`outputs`: what is still open of the run's, kept by its owner; `resume` has one of them
        read again."""
        self._selector = selector
        self._outputs = outputs
        self._stdin_fd = stdin_fd
        self._is_tty = is_tty
        self._is_stdin_once = is_stdin_once
        self._resume = resume
        self._clients: list[Client] = []
        self._input = b""  # what the run has not taken yet
        self._has_input_end = False
        self._has_ended = False
        self._paused: list[Client] = []  # whose input is not read until the run has taken that

    def attach(self, request: dict[str, Any]) -> None:
        """Errors: OSError where the agent has left, or there are too many."""
        for client in [each for each in self._clients if each.is_gone]:
            self._drop(client)
        if len(self._clients) >= CLIENTS_MAX:
            raise OSError(0, f"{CLIENTS_MAX} clients are attached already")
        client = Client(request)
        self._clients.append(client)
        self._read_input_of(client)

    def resize(self, rows: int, columns: int) -> None:
        """Sets the size of the run's terminal, if it has one."""
        if self._is_tty:
            for fd in self._outputs:
                size = struct.pack("HHHH", rows & 0xFFFF, columns & 0xFFFF, 0, 0)
                fcntl.ioctl(fd, termios.TIOCSWINSZ, size)

    def show(self, fd: int, data: bytes) -> None:
        """Passes output of one of the run's descriptors on to who is attached."""
        stream = self._outputs[fd]
        for client in list(self._clients):
            if stream in client.fds:
                waits = stream in client.pending
                client.pending[stream] = client.pending.get(stream, b"") + data
                if waits or not self._flush(client, stream):
                    self._hold(fd, client, stream)

    def end(self) -> None:
        """The run has ended: its clients see the end of what they have been shown, no more."""
        self._has_ended = True
        self._close_input()
        for client in list(self._clients):
            self._unwatch(client.fds.get(STDIN, -1))
            if not any(stream in client.pending for stream in (STDOUT, STDERR)):
                self._drop(client)

    # -- output ----------------------------------------------------------------------------------

    def _hold(self, fd: int, client: Client, stream: bytes) -> None:
        self._unwatch(fd)
        key = client.fds[stream]
        if key not in self._selector.get_map():
            ready = partial(self._on_ready, fd, client, stream)
            self._selector.register(key, selectors.EVENT_WRITE, ready)

    def _on_ready(self, fd: int, client: Client, stream: bytes, mask: int) -> None:
        watched = client.fds[stream]
        if not self._flush(client, stream):
            return
        if client in self._clients:
            self._unwatch(watched)
        is_held = any(stream in each.pending for each in self._clients)
        if fd in self._outputs and not is_held:
            self._resume(fd)
        if self._has_ended and not client.pending:
            self._drop(client)

    def _flush(self, client: Client, stream: bytes) -> bool:
        """Writes what waits for the client; True once nothing does, it being gone included."""
        data, done = client.pending.pop(stream), 0
        try:
            while done < len(data):
                done += os.write(client.fds[stream], data[done:])
        except BlockingIOError:
            client.pending[stream] = data[done:]
            return False
        except OSError:  # nobody reads there any more
            self._drop(client)
        return True

    def _drop(self, client: Client) -> None:
        for fd in client.fds.values():
            self._unwatch(fd)
        client.close()
        if client in self._clients:
            self._clients.remove(client)
        if client in self._paused:
            self._paused.remove(client)

    # -- input -----------------------------------------------------------------------------------

    def _read_input_of(self, client: Client) -> None:
        if STDIN in client.fds:
            take = partial(self._take_input, client)
            self._selector.register(client.fds[STDIN], selectors.EVENT_READ, take)

    def _take_input(self, client: Client, mask: int) -> None:
        try:
            data = os.read(client.fds[STDIN], READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            fd = client.fds.pop(STDIN)
            self._unwatch(fd)
            os.close(fd)
            self._has_input_end = self._is_stdin_once and not self._is_tty
        if self._stdin_fd < 0:
            return  # it has no input, or no more
        self._input += data
        self._pour()
        if self._input and STDIN in client.fds:
            self._unwatch(client.fds[STDIN])
            self._paused.append(client)

    def _pour(self, mask: int = 0) -> None:
        """Gives the run what it takes of its input."""
        try:
            while self._input:
                self._input = self._input[os.write(self._stdin_fd, self._input) :]
        except BlockingIOError:
            if self._stdin_fd not in self._selector.get_map():
                self._selector.register(self._stdin_fd, selectors.EVENT_WRITE, self._pour)
            return
        except OSError:
            self._has_input_end = True  # it reads no more
        self._unwatch(self._stdin_fd)
        paused, self._paused = self._paused, []
        for client in paused:
            self._read_input_of(client)
        if self._has_input_end:
            self._close_input()

    def _close_input(self) -> None:
        self._input = b""
        if self._stdin_fd >= 0:
            self._unwatch(self._stdin_fd)
            os.close(self._stdin_fd)
            self._stdin_fd = -1

    def _unwatch(self, fd: int) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(fd)
