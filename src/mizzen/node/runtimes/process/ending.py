"""Ends what an agent has left running, from outside: the instance goes down and there is none.

Plain blocking calls, each bounded: the supervisor runs no event loop.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import struct
from pathlib import Path
from typing import Any

from mizzen.base.clock import Clock
from mizzen.node.podfiles import PodFiles, read_json
from mizzen.node.runtimes.interface import split_key
from mizzen.node.runtimes.process.processes import is_alive, kill_recorded, start_ticks

GRACE_S = 5.0  # from SIGTERM to SIGKILL: what a pod itself wants only an agent knows
ANSWER_S_MAX = 3.0
LINE_BYTES_MAX = 16 << 20
_CREDENTIALS = struct.Struct("3i")  # struct ucred, unix(7)


def end_pods(state_dir: Path, clock: Clock) -> str:
    """Ends the shim in `state_dir` and all its runs; what was done, "" where there was none.

    The pods are marked as interrupted, so that the next agent does not take them for failed.
    """
    pods_dir = state_dir / "pods"
    shim, now_ns = _Shim.connect(state_dir, clock), clock.now_ns()
    if shim is None:
        return ""
    try:
        runs = shim.runs()
        for key in runs:
            PodFiles(pods_dir, split_key(key)[0]).interrupt(now_ns)
        shim.end(set(runs))
        said = f"no agent was there: the shim ended {len(runs)} processes of pods"
    except (OSError, ValueError):  # it does not answer, or talks nonsense
        said = "the shim did not answer and was killed, its pods with it"
    shim.kill()
    end_recorded(pods_dir, now_ns)
    return said


class _Shim:
    """A conversation with a shim, each answer waited for with a deadline."""

    def __init__(self, connected: socket.socket, clock: Clock) -> None:
        self._clock = clock
        self._socket = connected
        self._unread = b""
        credentials = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        self._pid: int = _CREDENTIALS.unpack(credentials)[0]
        self._ticks = start_ticks(self._pid)

    @classmethod
    def connect(cls, state_dir: Path, clock: Clock) -> _Shim | None:
        """Through /proc/self/fd, as the agent does: the socket's own path may be too long."""
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connected.settimeout(ANSWER_S_MAX)
        try:
            folder = os.open(state_dir, os.O_PATH | os.O_DIRECTORY)
            try:
                connected.connect(f"/proc/self/fd/{folder}/shim.sock")
            finally:
                os.close(folder)
        except OSError:
            connected.close()
            return None
        return cls(connected, clock)

    def runs(self) -> list[str]:
        self._send({"op": "list"})
        deadline = self._deadline(ANSWER_S_MAX)
        while True:
            message = self._next(deadline)
            if message.get("event") == "processes":
                return [str(run["key"]) for run in message["processes"]]

    def end(self, running: set[str]) -> None:
        """SIGTERM to all, SIGKILL to what is left after the grace; returns when it hangs up."""
        for key in running:
            self._send({"op": "signal", "key": key, "signal": int(signal.SIGTERM)})
        deadline = self._deadline(GRACE_S)
        with contextlib.suppress(TimeoutError):
            while running:
                message = self._next(deadline)
                if message.get("event") == "exited":
                    running.discard(str(message.get("key")))
        self._send({"op": "shutdown"})
        deadline = self._deadline(ANSWER_S_MAX)
        with contextlib.suppress(ConnectionError):
            while True:
                self._next(deadline)

    def kill(self) -> None:
        self._socket.close()
        if self._pid > 1 and is_alive(self._pid, self._ticks):
            with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
                os.kill(self._pid, signal.SIGKILL)

    def _deadline(self, seconds: float) -> int:
        return self._clock.monotonic_ns() + int(seconds * 1e9)

    def _send(self, message: dict[str, Any]) -> None:
        self._socket.settimeout(ANSWER_S_MAX)
        self._socket.sendall(json.dumps(message).encode() + b"\n")

    def _next(self, deadline: int) -> dict[str, Any]:
        """Errors: ConnectionError at the end, TimeoutError, ValueError."""
        while b"\n" not in self._unread:
            left_s = (deadline - self._clock.monotonic_ns()) / 1e9
            self._socket.settimeout(max(left_s, 0.001))
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionError("the shim hung up")
            self._unread += data
            if len(self._unread) > LINE_BYTES_MAX:
                raise ValueError("a line of the shim has no end")
        line, _, self._unread = self._unread.partition(b"\n")
        return json.loads(line)


def end_recorded(pods_dir: Path, now_ns: int) -> None:
    """SIGKILL to every run that its record names and that lives: same pid, same start."""
    for path in pods_dir.glob("*/*/*.run.json"):
        uid = path.parts[-3]
        if kill_recorded(read_json(path) or {}, uid):
            PodFiles(pods_dir, uid).interrupt(now_ns)
