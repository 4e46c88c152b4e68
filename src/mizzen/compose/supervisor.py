"""Starts the roles of an instance, starts again what dies, stops all in order.

A plain loop over file descriptors: asyncio alone would double this process's memory.
The roles die with the supervisor (PR_SET_PDEATHSIG); pods do not, they have their own sessions.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mizzen.base.clock import Clock, rfc3339_micro
from mizzen.compose.backoff import next_delay_s
from mizzen.compose.logs import RotatingLog, last_line
from mizzen.compose.state import InstanceState, RoleState, write_state
from mizzen.host.home import Home
from mizzen.host.process import identify

# Stopped in this order: nobody should decide on what the stopping of the others looks like.
STOP_PHASES = (("gateway", "scheduler", "controllers"), ("node",), ("apiserver",))
_PHASE_SECONDS = {"node": 40.0}  # pods get their grace period (30 s by default) and some more
_PHASE_SECONDS_DEFAULT = 10.0
_DEATHS_BEFORE_GIVING_UP = 3  # of a role that was never ready, during the first start
_READ_BYTES = 65536


@dataclass(slots=True)
class _Role:
    name: str
    address: str
    log: RotatingLog
    pid: int = 0
    pid_handle: int = -1
    pipes: set[int] = field(default_factory=lambda: set[int]())
    started_ns: int = 0
    started_at: int = 0  # monotonic
    ready: bool = False
    was_ready: bool = False
    deaths: int = 0
    restarts: int = 0
    delay_s: float = 0.0
    due_at: int | None = 0  # monotonic time of the next start; None while it runs


class Supervisor:
    """One instance's processes. `run` returns the exit code once everything is stopped."""

    def __init__(
        self,
        home: Home,
        clock: Clock,
        roles: Sequence[tuple[str, str]],
        command: Callable[[str], list[str]],
        report: Callable[[str, str], None],
    ) -> None:
        """`roles`: name and address, first the one all others need; `command` starts one, and is
        given `--ready-fd N --parent PID` besides. `report` hears of ("ready", "") once, or
        ("failed", message) when the first start cannot succeed."""
        self._home = home
        self._clock = clock
        self._command = command
        self._report = report
        self._selector = selectors.DefaultSelector()
        self._roles = [
            _Role(name, address, RotatingLog(home.logs / f"{name}.log")) for name, address in roles
        ]
        self._started_ns = clock.now_ns()
        self._announced = False
        self._stopping = False
        self._failure = ""

    def run(self) -> int:
        wake = self._catch_signals()
        while not self._stopping:
            self._start_due()
            self._poll(self._seconds_to_next_start())
            if wake():
                break
            if not self._announced and all(role.ready for role in self._roles):
                self._announced = True
                self._report("ready", "")
        self._stop_all()
        if self._failure:
            self._report("failed", self._failure)
        (self._home.run / "supervisor.json").unlink(missing_ok=True)
        return 1 if self._failure else 0

    def _catch_signals(self) -> Callable[[], bool]:
        # The handlers only exist so that the wake-up descriptor is written.
        reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda _number, _frame: None)
        self._selector.register(reader, selectors.EVENT_READ, lambda: None)

        def was_signalled() -> bool:
            with contextlib.suppress(BlockingIOError):
                return bool(os.read(reader, 64))
            return False

        return was_signalled

    def _seconds_to_next_start(self) -> float | None:
        due = [role.due_at for role in self._roles if role.due_at is not None]
        if not due:
            return None
        return max(0.0, (min(due) - self._clock.monotonic_ns()) / 1e9)

    def _poll(self, timeout_s: float | None) -> None:
        for key, _ in self._selector.select(timeout_s):
            # An earlier event of this round may have closed this one.
            if key.fd in self._selector.get_map():
                key.data()

    def _start_due(self) -> None:
        now = self._clock.monotonic_ns()
        for role in self._roles:
            if role.due_at is not None and role.due_at <= now:
                self._start(role)

    def _start(self, role: _Role) -> None:
        ready_reader, ready_writer = os.pipe2(os.O_CLOEXEC)
        output_reader, output_writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(output_writer, True)
        extra = ["--ready-fd", str(ready_writer), "--parent", str(os.getpid())]
        process = subprocess.Popen(
            [*self._command(role.name), *extra],
            stdin=subprocess.DEVNULL,
            stdout=output_writer,
            stderr=output_writer,
            pass_fds=(ready_writer,),
            cwd=self._home.state,
            env=os.environ | {"PYTHONUNBUFFERED": "1", "MALLOC_ARENA_MAX": "2"},
            start_new_session=True,  # Ctrl-C in the terminal is for the supervisor alone
        )
        os.close(ready_writer)
        os.close(output_writer)
        role.pid = process.pid
        process.returncode = 0  # reaped by _on_exit through the pid handle, not by Popen
        role.pid_handle = os.pidfd_open(process.pid)
        role.started_ns = self._clock.now_ns()
        role.started_at = self._clock.monotonic_ns()
        role.due_at = None
        role.pipes = {ready_reader, output_reader}
        self._watch(role.pid_handle, lambda: self._on_exit(role))
        self._watch(ready_reader, lambda: self._on_ready(role, ready_reader))
        self._watch(output_reader, lambda: self._on_output(role, output_reader))
        self._write_state()

    def _watch(self, handle: int, then: Callable[[], None]) -> None:
        self._selector.register(handle, selectors.EVENT_READ, then)

    def _forget(self, handle: int) -> None:
        self._selector.unregister(handle)
        os.close(handle)

    def _on_ready(self, role: _Role, pipe: int) -> None:
        said = os.read(pipe, 64)
        role.pipes.discard(pipe)
        self._forget(pipe)
        if said:
            role.ready = role.was_ready = True
            self._write_state()

    def _on_output(self, role: _Role, pipe: int) -> None:
        try:
            data = os.read(pipe, _READ_BYTES)
        except BlockingIOError:
            return
        if data:
            role.log.write(data)
        else:
            role.pipes.discard(pipe)
            self._forget(pipe)

    def _on_exit(self, role: _Role) -> None:
        _, status = os.waitpid(role.pid, 0)
        self._forget(role.pid_handle)
        for pipe in list(role.pipes):
            self._drain(role, pipe)
        code = os.waitstatus_to_exitcode(status)
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        self._note(f"{role.name} (pid {role.pid}) ended: {how}")
        role.pid, role.pid_handle, role.ready = 0, -1, False
        if not self._stopping:
            self._plan_restart(role)
        self._write_state()

    def _drain(self, role: _Role, pipe: int) -> None:
        # A grandchild may still hold the other end: take what is there and let go.
        if not os.get_blocking(pipe):
            with contextlib.suppress(BlockingIOError):
                while data := os.read(pipe, _READ_BYTES):
                    role.log.write(data)
        role.pipes.discard(pipe)
        self._forget(pipe)

    def _plan_restart(self, role: _Role) -> None:
        now = self._clock.monotonic_ns()
        role.deaths += 1
        if not self._announced and not role.was_ready and role.deaths >= _DEATHS_BEFORE_GIVING_UP:
            path = self._home.logs / f"{role.name}.log"
            self._failure = f"{role.name} does not start: {last_line(path)} (log: {path})"
            self._stopping = True
            return
        role.delay_s = next_delay_s(role.delay_s, (now - role.started_at) / 1e9)
        role.due_at = now + int(role.delay_s * 1e9)
        role.restarts += 1

    def _stop_all(self) -> None:
        self._stopping = True
        for phase in STOP_PHASES:
            roles = [role for role in self._roles if role.name in phase and role.pid]
            for role in roles:
                os.kill(role.pid, signal.SIGTERM)
            seconds = max(
                (_PHASE_SECONDS.get(r.name, _PHASE_SECONDS_DEFAULT) for r in roles), default=0.0
            )
            self._wait_for(roles, seconds)
            for role in roles:
                if role.pid:
                    self._note(f"{role.name} (pid {role.pid}) did not stop in {seconds:.0f} s")
                    os.kill(role.pid, signal.SIGKILL)
            self._wait_for(roles, _PHASE_SECONDS_DEFAULT)

    def _wait_for(self, roles: Sequence[_Role], seconds: float) -> None:
        deadline = self._clock.monotonic_ns() + int(seconds * 1e9)
        while any(role.pid for role in roles):
            left_s = (deadline - self._clock.monotonic_ns()) / 1e9
            if left_s <= 0:
                return
            self._poll(left_s)

    def _note(self, message: str) -> None:
        moment = rfc3339_micro(self._clock.now_ns())
        print(f"{moment} supervisor: {message}", file=sys.stderr, flush=True)

    def _write_state(self) -> None:
        me = identify(os.getpid())
        assert me is not None, "the running process has an identity"
        roles = tuple(self._role_state(role) for role in self._roles)
        # A full disk must not stop the instance: `status` shows older numbers until there is room.
        with contextlib.suppress(OSError):
            write_state(self._home, InstanceState(me.pid, me.start, self._started_ns, roles))

    def _role_state(self, role: _Role) -> RoleState:
        process = identify(role.pid) if role.pid else None
        return RoleState(
            role=role.name,
            pid=process.pid if process else 0,
            start=process.start if process else 0,
            address=role.address,
            started_ns=role.started_ns,
            restarts=role.restarts,
            ready=role.ready,
        )


def message_line(event: str, message: str) -> bytes:
    """How the outcome of the first start travels to the command that waits for it."""
    return json.dumps({"event": event, "message": message}).encode() + b"\n"
