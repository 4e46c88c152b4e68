"""One running child: where its output goes, and its record on disk."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any

from mizzen.host.private import replace
from mizzen.node.runtimes.process.shim.attaching import Terminal
from mizzen.node.runtimes.process.shim.children import start_ticks
from mizzen.node.runtimes.process.shim.logs import Capture, Message, Sink
from mizzen.node.runtimes.process.shim.spawn import Spawned


class Run:
    """A child from its fork until its last output is copied."""

    def __init__(
        self,
        request: Message,
        child: Spawned,
        sink: Sink,
        selector: selectors.BaseSelector,
        watch: Callable[[Run, int], None],
    ) -> None:
        """`watch` has one of its outputs read as they come."""
        self.key: str = request["key"]
        self.pid = child.pid
        self.error_fd = child.error_fd  # -1 once it is closed: the program runs, or does not
        self.open_fds = child.outputs
        self.terminal = Terminal(
            selector,
            self.open_fds,
            child.stdin_fd,
            is_tty=bool(request.get("tty")),
            is_stdin_once=bool(request.get("stdin_once")),
            resume=lambda fd: watch(self, fd),
        )
        self.ended_at = 0.0  # monotonic; set when reaped
        self.failure = b""
        self.sink = sink
        self._record_path: str = request.get("record") or ""
        self._cgroups: list[str] = request.get("cgroups") or []
        self._oom_kills = oom_kills(self._cgroups)
        self._oom_kills_anywhere = oom_kills_anywhere()
        self._ticks = start_ticks(child.pid)
        self._started_ns = time.time_ns()

    def describe(self) -> Message:
        return {
            "key": self.key,
            "pid": self.pid,
            "ticks": self._ticks,
            "started": self._started_ns,
        }

    def signal(self, number: int) -> None:
        """SIGKILL reaches the whole process group; others the first process."""
        if number == signal.SIGKILL:
            kill_group(self.pid, number)
        with contextlib.suppress(ProcessLookupError, PermissionError):  # leads no group yet
            os.kill(self.pid, number)

    def end(self, status: int, usage: Any) -> Message:
        """The message about the end; call when its output so far is copied."""
        code = os.waitstatus_to_exitcode(status)
        message: Message = {
            **self.describe(),
            "state": "exited",
            "code": code if code >= 0 else 128 - code,
            "signal": -code if code < 0 else 0,
            "finished": time.time_ns(),
            "cpu": int((usage.ru_utime + usage.ru_stime) * 1e9),
            "maxrss": usage.ru_maxrss * 1024,
            "failure": self.failure.decode(errors="replace"),
            "oom": oom_kills(self._cgroups) > self._oom_kills,
            "oom_anywhere": oom_kills_anywhere() > self._oom_kills_anywhere,
        }
        if isinstance(self.sink, Capture):
            message["output"] = self.sink.text.decode(errors="replace")
        return message

    def record(self, content: Message) -> None:
        """Replaces the record; a full disk leaves the old one, and the agent is still notified."""
        if self._record_path:
            with contextlib.suppress(OSError):
                replace(self._record_path, json.dumps(content).encode())


def oom_kills(cgroups: Sequence[str]) -> int:
    """The number of OOM kills in these control groups, at their memory limit.

    `cgroups`: paths of the groups' cgroup.procs. Source: memory.events of v2, and since Linux 4.13
    memory.oom_control of v1.
    """
    for folder in map(os.path.dirname, cgroups):
        for name in ("memory.events", "memory.oom_control"):
            try:
                with open(os.path.join(folder, name), "rb") as file:
                    return int(file.read().split(b"oom_kill ", 1)[1].split()[0])
            except (OSError, ValueError, IndexError):
                continue
    return 0


def oom_kills_anywhere() -> int:
    """The number of OOM kills on this machine, for lack of memory.

    Source: /proc/vmstat since Linux 4.13; groups without a limit of their own count nothing in v1.
    """
    try:
        with open("/proc/vmstat", "rb") as file:
            return int(file.read().split(b"\noom_kill ", 1)[1].split()[0])
    except (OSError, ValueError, IndexError):
        return 0


def kill_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
