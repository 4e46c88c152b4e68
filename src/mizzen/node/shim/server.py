"""The shim's loop: JSON lines over a Unix socket in, processes and their ends out.

Requests (one JSON object a line): `spawn`, `signal`, `list`, `forget`, `shutdown`. Messages back:
`hello`, `started`, `failed`, `exited`, `processes`. One agent is connected at a time; a new
connection replaces the old one, and `list` tells it everything that lives.

Every run has a record `<dir>/<name>.run.json`, replaced atomically when it starts and ends:
what happened is on disk before anybody is told.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import json
import os
import selectors
import signal
import socket
import termios
import time
from functools import partial
from typing import Any

from mizzen.node.shim.logs import Capture, LogFile, Sink
from mizzen.node.shim.spawn import STDERR, STDOUT, Spawned, spawn, start_ticks

READ_BYTES = 64 * 1024
LINGER_S = 1.0  # how long output of orphaned grandchildren is still copied after the end
REQUEST_BYTES_MAX = 16 * 2**20

Message = dict[str, Any]


class Process:
    """One running child and where its output goes."""

    def __init__(self, request: Message, child: Spawned, sink: Sink) -> None:
        self.key: str = request["key"]
        self.record_path: str = request.get("record") or ""
        self.child = child
        self.sink = sink
        self.ticks = start_ticks(child.pid)
        self.started_ns = time.time_ns()
        self.failure = b""
        self.open_fds = {child.stdout_fd: STDOUT, child.stderr_fd: STDERR}
        self.ended_at = 0.0  # monotonic; set when reaped

    def describe(self) -> Message:
        return {
            "key": self.key,
            "pid": self.child.pid,
            "ticks": self.ticks,
            "started": self.started_ns,
        }


class Server:
    """Owns the socket and the children; `run` returns after `shutdown`."""

    def __init__(self, socket_path: str) -> None:
        self._selector = selectors.DefaultSelector()
        self._processes: dict[str, Process] = {}
        self._lingering: list[Process] = []
        self._agent: socket.socket | None = None
        self._inbox = b""
        self._outbox = b""
        self._stopping = False
        self._listener = _listen(socket_path)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        wake_r, wake_w = os.pipe()
        os.set_blocking(wake_r, False)
        os.set_blocking(wake_w, False)
        signal.set_wakeup_fd(wake_w, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _nothing)
        self._selector.register(wake_r, selectors.EVENT_READ, self._reap)

    def run(self) -> None:
        while not (self._stopping and not self._processes):
            for key, mask in self._selector.select(0.2 if self._lingering else None):
                key.data(key.fileobj, mask) if key.data == self._talk else key.data(key.fileobj)
            self._end_lingering()

    # -- the agent ----------------------------------------------------------------

    def _accept(self, listener: socket.socket) -> None:
        try:
            agent, _ = listener.accept()
        except OSError:
            return
        self._drop_agent()
        agent.setblocking(False)
        self._agent = agent
        self._inbox = self._outbox = b""
        self._selector.register(agent, selectors.EVENT_READ, self._talk)
        self._send({"event": "hello", "pid": os.getpid(), "ticks": start_ticks(os.getpid())})

    def _drop_agent(self) -> None:
        if self._agent is not None:
            self._selector.unregister(self._agent)
            self._agent.close()
            self._agent = None

    def _talk(self, agent: socket.socket, mask: int) -> None:
        if mask & selectors.EVENT_WRITE:
            self._flush()
        if not mask & selectors.EVENT_READ or self._agent is not agent:
            return
        try:
            data = agent.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop_agent()
            return
        self._inbox += data
        *lines, self._inbox = self._inbox.split(b"\n")
        if len(self._inbox) > REQUEST_BYTES_MAX:
            self._drop_agent()
            return
        for line in lines:
            self._handle(json.loads(line))

    def _handle(self, request: Message) -> None:
        op = request.get("op")
        if op == "spawn":
            self._spawn(request)
        elif op == "signal":
            self._signal(request)
        elif op == "list":
            running = [p.describe() for p in self._processes.values() if not p.ended_at]
            self._send({"event": "processes", "id": request.get("id"), "processes": running})
        elif op == "shutdown":
            self._stopping = True
            for process in self._processes.values():
                self._signal({"key": process.key, "signal": signal.SIGKILL})

    def _send(self, message: Message) -> None:
        if self._agent is not None:
            self._outbox += json.dumps(message).encode() + b"\n"
            self._flush()

    def _flush(self) -> None:
        agent = self._agent
        if agent is None:
            return
        try:
            sent = agent.send(self._outbox)
            self._outbox = self._outbox[sent:]
        except BlockingIOError:
            pass
        except OSError:
            self._drop_agent()
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._outbox else 0)
        self._selector.modify(agent, wanted, self._talk)

    # -- processes ------------------------------------------------------------------

    def _spawn(self, request: Message) -> None:
        key = request["key"]
        if key in self._processes:
            self._send({"event": "failed", "key": key, "message": "already running"})
            return
        sink: Sink = (
            Capture(request["capture"]) if request.get("capture") else LogFile(request["log"])
        )
        try:
            child = spawn(request)
        except OSError as error:
            sink.close()
            self._send({"event": "failed", "key": key, "message": f"cannot fork: {error.strerror}"})
            return
        process = Process(request, child, sink)
        self._processes[key] = process
        _record(process, {**process.describe(), "state": "running"})
        self._selector.register(child.error_fd, selectors.EVENT_READ, partial(self._exec, process))
        for fd in process.open_fds:
            self._selector.register(fd, selectors.EVENT_READ, partial(self._copy, process))

    def _exec(self, process: Process, fd: int) -> None:
        """EOF on the error pipe: the program runs."""
        try:
            data = os.read(fd, 4096)
        except BlockingIOError:
            return
        process.failure += data
        if data:
            return
        self._selector.unregister(fd)
        os.close(fd)
        process.child.error_fd = -1
        if not process.failure and not process.ended_at:
            self._send({"event": "started", **process.describe()})

    def _copy(self, process: Process, fd: int) -> None:
        try:
            data = os.read(fd, READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            process.sink.feed(process.open_fds[fd], data)
            return
        self._close(process, fd)

    def _close(self, process: Process, fd: int) -> None:
        self._selector.unregister(fd)
        os.close(fd)
        del process.open_fds[fd]

    def _signal(self, request: Message) -> None:
        process = self._processes.get(request["key"])
        if process is None or process.ended_at:
            return
        number = int(request["signal"])
        if number == signal.SIGKILL:
            _kill_group(process.child.pid, number)
        with contextlib.suppress(ProcessLookupError):  # just forked, it leads no group yet
            os.kill(process.child.pid, number)

    def _reap(self, fd: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(fd, 4096)
        by_pid = {p.child.pid: p for p in self._processes.values() if not p.ended_at}
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            process = by_pid.get(pid)
            if process is not None:
                self._finish(process, status, usage)

    def _finish(self, process: Process, status: int, usage: Any) -> None:
        """The leader ended: so does its group; then its last output, its record, the message."""
        process.ended_at = time.monotonic()
        _kill_group(process.child.pid, signal.SIGKILL)
        if process.child.error_fd >= 0:
            self._exec(process, process.child.error_fd)
        for fd in list(process.open_fds):
            while fd in process.open_fds and _readable(fd):
                self._copy(process, fd)
        code = os.waitstatus_to_exitcode(status)
        message: Message = {
            **process.describe(),
            "state": "exited",
            "code": code if code >= 0 else 128 - code,
            "signal": -code if code < 0 else 0,
            "finished": time.time_ns(),
            "cpu": int((usage.ru_utime + usage.ru_stime) * 1e9),
            "maxrss": usage.ru_maxrss * 1024,
            "failure": process.failure.decode(errors="replace"),
        }
        if isinstance(process.sink, Capture):
            message["output"] = process.sink.text.decode(errors="replace")
        _record(process, message)
        if process.open_fds:
            self._lingering.append(process)
        else:
            process.sink.close()
        del self._processes[process.key]
        self._send({"event": "exited", **message})

    def _end_lingering(self) -> None:
        now = time.monotonic()
        for process in list(self._lingering):
            if not process.open_fds or now - process.ended_at > LINGER_S:
                for fd in list(process.open_fds):
                    self._close(process, fd)
                process.sink.close()
                self._lingering.remove(process)


def _nothing(number: int, frame: object) -> None:
    """A handler there must be, or the kernel wakes nobody."""


def _readable(fd: int) -> int:
    """Bytes waiting in a pipe (FIONREAD), so that the end of a run never blocks or spins."""
    count = array.array("i", [0])
    try:
        fcntl.ioctl(fd, termios.FIONREAD, count)
    except OSError:
        return 0
    return count[0]


def _kill_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _record(process: Process, content: Message) -> None:
    """Replaces the record whole; a full disk leaves the old one, the agent still hears of it."""
    if not process.record_path:
        return
    temporary = process.record_path + ".tmp"
    try:
        with open(temporary, "w") as file:
            json.dump(content, file)
        os.replace(temporary, process.record_path)
    except OSError:
        pass


def _listen(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    if os.path.exists(path):
        os.unlink(path)
    mask = os.umask(0o177)
    try:
        listener.bind(path)
    finally:
        os.umask(mask)
    listener.listen(4)
    listener.setblocking(False)
    return listener
