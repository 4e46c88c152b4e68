"""The shim's loop: JSON lines over a Unix socket in, processes and their ends out.

Requests (one JSON object a line): `spawn`, `signal`, `attach`, `resize`, `list`, `shutdown`.
Messages back: `hello`, `started`, `attached`, `failed`, `exited`, `processes`. One agent is connected at a time; a new connection
replaces the old one, and `list` tells it everything that lives.

Every run has a record `<dir>/<name>.run.json`, replaced atomically when it starts and ends:
what happened is on disk before anybody is told.

All pods of the node hang on this loop, so nothing that one request or one child does ends it: a
fault is logged, and the message, the descriptor or the child it came from is set aside.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from mizzen.node.runtimes.process.shim.children import adopt_orphans, own_children, start_ticks
from mizzen.node.runtimes.process.shim.logs import Capture, LogFile, Message, Sink
from mizzen.node.runtimes.process.shim.runs import Run, kill_group
from mizzen.node.runtimes.process.shim.spawn import spawn

READ_BYTES = 64 * 1024
REQUEST_READ_BYTES = 2**20
DRAIN_BYTES_MAX = 2**20  # of what a run leaves in a pipe; its size is at most this (pipe(7))
LINGER_S = 1.0  # how long output of orphaned grandchildren is still copied after the end
LAST_WAIT_S = 2.0  # for the ends of what was killed at the shutdown
REQUEST_BYTES_MAX = 16 * 2**20
OUTBOX_BYTES_MAX = 16 * 2**20  # an agent that does not read that much reads no more
FAULTS_LOGGED_MAX = 1000

Handler = Callable[[int], object]  # takes the mask of what is ready


class Server:
    """Owns the socket and the children; `run` returns after `shutdown`."""

    def __init__(self, socket_path: str) -> None:
        self._selector = selectors.DefaultSelector()
        self._runs: dict[str, Run] = {}
        self._lingering: list[Run] = []
        self._agent: socket.socket | None = None
        self._inbox = b""
        self._outbox = b""
        self._is_skipping = False  # the rest of a request that is too long
        self._stopping = False
        self._faults = 0
        adopt_orphans()
        self._listener = _listen(socket_path)
        self._watch(self._listener.fileno(), self._accept)
        self._wake_fd, wake_w = os.pipe()
        os.set_blocking(self._wake_fd, False)
        os.set_blocking(wake_w, False)
        signal.set_wakeup_fd(wake_w, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _nothing)
        self._watch(self._wake_fd, self._reap)

    def run(self) -> None:
        while not (self._stopping and not self._runs):
            self._turn()
        self._end_strays()

    def _turn(self) -> None:
        """Waits for what comes next and handles it."""
        for key, mask in self._selector.select(0.2 if self._lingering else None):
            # A handler before this one may have closed the descriptor, and another may have been
            # opened under its number since: what was ready is not there any more.
            if self._selector.get_map().get(key.fd) is key:
                self._guarded(partial(key.data, mask), f"descriptor {key.fd}")
        self._end_lingering()

    def _guarded(self, work: Callable[[], object], what: str) -> str:
        """Does the work; its fault, "" for none, is logged and affects nothing else."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 - a poison boundary
            self._faults += 1
            if self._faults <= FAULTS_LOGGED_MAX:
                with contextlib.suppress(OSError, ValueError):
                    print(f"mizzen shim: {what}: {error!r}", file=sys.stderr, flush=True)
            return repr(error)
        return ""

    def _watch(self, fd: int, handler: Handler, mask: int = selectors.EVENT_READ) -> None:
        self._selector.register(fd, mask, handler)

    # -- the agent ----------------------------------------------------------------

    def _accept(self, mask: int) -> None:
        try:
            agent, _ = self._listener.accept()
        except BlockingIOError:
            return
        except OSError:  # no descriptor is left; whoever waits there goes on waiting
            time.sleep(0.01)
            return
        self._drop_agent()
        agent.setblocking(False)
        self._agent = agent
        self._inbox = self._outbox = b""
        self._is_skipping = False
        self._watch(agent.fileno(), self._talk)
        self._send({"event": "hello", "pid": os.getpid(), "ticks": start_ticks(os.getpid())})

    def _drop_agent(self) -> None:
        if self._agent is not None:
            agent, self._agent = self._agent, None
            self._selector.unregister(agent.fileno())
            agent.close()

    def _talk(self, mask: int) -> None:
        if mask & selectors.EVENT_WRITE:
            self._flush()
        agent = self._agent
        if not mask & selectors.EVENT_READ or agent is None:
            return
        try:
            data = agent.recv(REQUEST_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop_agent()
            return
        *lines, self._inbox = (self._inbox + data).split(b"\n")
        if lines and self._is_skipping:
            del lines[0]
            self._is_skipping = False
        if len(self._inbox) > REQUEST_BYTES_MAX or self._is_skipping:
            self._inbox, self._is_skipping = b"", True
        for line in lines:
            self._handle(line)

    def _handle(self, line: bytes) -> None:
        request: Message = {}

        def work() -> None:
            request.update(json.loads(line))
            self._obey(request)

        fault = self._guarded(work, f"request {line[:200]!r}")
        if fault and request.get("op") == "spawn":
            message = f"the process shim cannot start it: {fault}"
            self._send({"event": "failed", "key": request.get("key"), "message": message})

    def _obey(self, request: Message) -> None:
        op = request.get("op")
        if op == "spawn":
            self._spawn(request)
        elif op == "signal":
            run = self._runs.get(request["key"])
            if run is not None:
                run.signal(int(request["signal"]))
        elif op == "attach":
            self._attach(request)
        elif op == "resize":
            run = self._runs.get(request["key"])
            if run is not None:
                run.terminal.resize(int(request["rows"]), int(request["columns"]))
        elif op == "list":
            running = [run.describe() for run in self._runs.values()]
            self._send({"event": "processes", "id": request.get("id"), "processes": running})
        elif op == "shutdown":
            self._stopping = True
            for run in self._runs.values():
                run.signal(signal.SIGKILL)

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
        if len(self._outbox) > OUTBOX_BYTES_MAX:
            self._drop_agent()  # what it missed is in the records and in `list`
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._outbox else 0)
        if self._selector.get_key(agent.fileno()).events != wanted:
            self._selector.modify(agent.fileno(), wanted, self._talk)

    # -- processes ------------------------------------------------------------------

    def _spawn(self, request: Message) -> None:
        key = request["key"]
        if key in self._runs:
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
        run = self._runs[key] = Run(request, child, sink, self._selector, self._watch_output)
        run.record({**run.describe(), "state": "running"})
        self._watch(run.error_fd, partial(self._exec, run))
        for fd in run.open_fds:
            self._watch_output(run, fd)

    def _watch_output(self, run: Run, fd: int) -> None:
        self._watch(fd, partial(self._copy, run, fd))

    def _attach(self, request: Message) -> None:
        """`id` is the client, `key` the run; its pipes close as the run ends."""
        run = self._runs.get(request["key"])
        answer: Message = {"event": "attached", "key": request["id"]}
        if run is None:
            answer |= {"event": "failed", "message": "it does not run"}
        else:
            try:
                run.terminal.attach(request)
            except OSError as error:
                answer |= {"event": "failed", "message": error.strerror}
        self._send(answer)

    def _exec(self, run: Run, mask: int = 0) -> None:
        """EOF on the error pipe: the program runs."""
        try:
            data = os.read(run.error_fd, READ_BYTES)
        except BlockingIOError:
            return
        run.failure += data
        if data:
            return
        self._close_error(run)
        if not run.failure and not run.ended_at:
            self._send({"event": "started", **run.describe()})

    def _close_error(self, run: Run) -> None:
        if run.error_fd >= 0:
            self._selector.unregister(run.error_fd)
            os.close(run.error_fd)
            run.error_fd = -1

    def _copy(self, run: Run, fd: int, mask: int = 0) -> int:
        """Copies what is there; returns how many bytes, 0 when there is nothing, now or any more."""
        try:
            data = os.read(fd, READ_BYTES)
        except BlockingIOError:
            return 0
        except OSError:
            data = b""
        if data:
            feed = partial(run.sink.feed, run.open_fds[fd], data)
            self._guarded(feed, f"output of {run.key}")
            self._guarded(partial(run.terminal.show, fd, data), f"clients of {run.key}")
        else:
            self._close(run, fd)
        return len(data)

    def _close(self, run: Run, fd: int) -> None:
        if run.open_fds.pop(fd, None) is not None:
            with contextlib.suppress(KeyError):  # while a client is slow it is not watched
                self._selector.unregister(fd)
            os.close(fd)

    def _reap(self, mask: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_fd, 4096)
        by_pid = {run.pid: run for run in self._runs.values()}
        ended: list[tuple[int, int, Any]] = []
        with contextlib.suppress(ChildProcessError):  # no child is left
            while found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                kill_group(found.si_pid, signal.SIGKILL)  # while the number is still its own
                ended.append(os.wait4(found.si_pid, 0))
        if ended:  # guarded: without a descriptor it fails, and the ends are told all the same
            self._guarded(self._kill_strays, "what ended runs left behind")
        for pid, status, usage in ended:
            run = by_pid.get(pid)
            if run is not None:
                self._guarded(partial(self._finish, run, status, usage), f"end of {run.key}")

    def _finish(self, run: Run, status: int, usage: Any) -> None:
        """The first process ended, and all of its own with it: last output, record, message."""
        run.ended_at = time.monotonic()
        del self._runs[run.key]
        if run.error_fd >= 0:
            self._guarded(partial(self._exec, run), f"start of {run.key}")
            self._close_error(run)
        for fd in list(run.open_fds):
            left = DRAIN_BYTES_MAX
            while left > 0 and (copied := self._copy(run, fd)):
                left -= copied
        message = run.end(status, usage)
        self._guarded(run.terminal.end, f"clients of {run.key}")
        for other in list(self._runs.values()):
            if other.key.startswith(f"{run.key}/"):
                other.signal(signal.SIGKILL)  # a command beside a container ends with it
        self._lingering.append(run)
        self._end_lingering()  # what was written without a line's end is in the log before we tell
        run.record(message)
        self._send({"event": "exited", **message})

    def _end_lingering(self) -> None:
        now = time.monotonic()
        for run in list(self._lingering):
            if not run.open_fds or now - run.ended_at > LINGER_S:
                self._lingering.remove(run)
                for fd in list(run.open_fds):
                    self._close(run, fd)
                self._guarded(run.sink.close, f"log of {run.key}")

    def _kill_strays(self) -> bool:
        """Kills what ended runs left behind; whether there was anything (`children.py`).

        Their own children become ours by that, and the next reap finds them.
        """
        known = {run.pid for run in self._runs.values()} | {os.getpid()}
        strays = [pid for pid in own_children() if pid not in known]
        for pid in strays:
            kill_group(pid, signal.SIGKILL)  # if it leads one
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        return bool(strays)

    def _end_strays(self) -> None:
        """At the end: until no child is left, and not for longer than `LAST_WAIT_S`."""
        deadline = time.monotonic() + LAST_WAIT_S
        while self._kill_strays() and time.monotonic() < deadline:
            self._guarded(partial(self._reap, 0), "the last children")
            time.sleep(0.001)


def _nothing(number: int, frame: object) -> None:
    """An empty handler: without one the kernel does not wake the loop."""


def _listen(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    if os.path.lexists(path):
        os.unlink(path)
    mask = os.umask(0o177)
    try:
        listener.bind(path)
    finally:
        os.umask(mask)
    listener.listen(4)
    listener.setblocking(False)
    return listener
