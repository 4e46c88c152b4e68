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
import sys
from collections.abc import Callable, Sequence

from mizzen.base.clock import Clock, rfc3339_micro
from mizzen.base.log_line import LOG_FORMAT, json_line
from mizzen.compose import forking
from mizzen.compose.backoff import next_delay_s
from mizzen.compose.forking import Surroundings
from mizzen.compose.logs import RotatingLog
from mizzen.compose.pulse import (
    BEAT,
    BUSY_S_MAX,
    LOOK_S,
    SILENT_S_MAX,
    STOPPING_SILENT_S_MAX,
    SYNCING,
    AwakeClock,
    Pulse,
)
from mizzen.compose.role import Role
from mizzen.compose.role_clock import NOT_BEFORE
from mizzen.compose.state import InstanceState, write_state, write_stopped
from mizzen.host.home import Home
from mizzen.host.process import identify

# Stopped in this order: nobody should decide on what the stopping of the others looks like.
STOP_PHASES = (("gateway", "scheduler", "controllers"), ("node",), ("apiserver",))
_PHASE_SECONDS = {"node": 40.0}  # pods get their grace period (30 s by default) and some more
_PHASE_SECONDS_DEFAULT = 10.0
_KILLED_WITHIN_S = 5.0  # what survives SIGKILL for longer waits for a device of the machine
_DEATHS_BEFORE_GIVING_UP = 3  # of a role that was never ready, during the first start
_TOLD_FROM_S = 2.0  # a pause that people notice
_READ_BYTES = 65536


class Supervisor:
    """One instance's processes. `run` returns the exit code once everything is stopped."""

    def __init__(
        self,
        home: Home,
        clock: Clock,
        roles: Sequence[tuple[str, str]],
        command: Callable[[str], list[str]],
        become: Callable[[str, list[str]], None],
        report: Callable[[str, str], None],
        end_pods: Callable[[], str] = lambda: "",
    ) -> None:
        """`roles`: name and address, first the one all others need. `command` says what starting one
        alone would take, as ps shows it; `become` is one, in a process forked off, and is given
        `--ready-fd N --parent PID` besides. `report` hears of ("ready", those that still
        sync) once, or ("failed", message) when the first start cannot succeed. `end_pods` ends what
        the agent has left running and says what it did, "" for nothing."""
        self._home = home
        self._clock = clock
        self._command = command
        self._become = become
        self._report = report
        self._end_pods = end_pods
        self._selector = selectors.DefaultSelector()
        self._awake = AwakeClock(clock)
        self._roles = [
            Role(name, address, RotatingLog(home.logs / f"{name}.log")) for name, address in roles
        ]
        self._started_ns = clock.now_ns()
        self._announced = False
        self._is_written = True
        self._stopping = False
        self._forced: list[str] = []  # what had to be done by force while stopping
        self._failure = ""

    def run(self) -> int:
        wake = self._catch_signals()
        while not self._stopping:
            self._start_due()
            self._poll(self._seconds_to_next_start())
            if wake():
                break
            self._look()
            if not self._announced and all(role.ready or role.syncing for role in self._roles):
                self._announced = True
                syncing = [role.name for role in self._roles if not role.ready]
                self._report("ready", " and ".join(syncing))
        self._stop_all()
        if self._failure:
            self._report("failed", self._failure)
        with contextlib.suppress(OSError):
            write_stopped(self._home, self._forced)
        with contextlib.suppress(OSError):
            (self._home.run / "supervisor.json").unlink(missing_ok=True)
        return 1 if self._failure or any(role.pid for role in self._roles) else 0

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

    def _seconds_to_next_start(self) -> float:
        due = [role.due_at for role in self._roles if role.due_at is not None]
        if not due:
            return LOOK_S
        return max(0.0, (min(due) - self._clock.monotonic_ns()) / 1e9)

    def _poll(self, timeout_s: float) -> None:
        events = self._selector.select(min(timeout_s, LOOK_S))
        self._awake.look()
        for key, _ in events:
            # An earlier event of this round may have closed this one.
            if key.fd in self._selector.get_map():
                key.data()

    def _start_due(self) -> None:
        now = self._clock.monotonic_ns()
        for role in self._roles:
            if role.due_at is not None and role.due_at <= now:
                self._start(role)

    def _start(self, role: Role) -> None:
        role.started_ns = self._clock.now_ns()
        role.started_at = self._clock.monotonic_ns()
        try:
            with contextlib.ExitStack() as opened:
                self._spawn(role, opened)
        except OSError as error:  # no process or descriptor to be had, now: it is tried again
            role.reason = f"cannot be started: {error.strerror or error}"
            self._note(f"{role.name}: {role.reason}")
            self._plan_restart(role)
        self._write_state()

    def _spawn(self, role: Role, opened: contextlib.ExitStack) -> None:
        """Errors: OSError, and then nothing stays open or running."""
        ready_reader, ready_writer = os.pipe2(os.O_CLOEXEC)
        words = ["--ready-fd", str(ready_writer), "--parent", str(os.getpid())]
        opened.callback(os.close, ready_writer)
        abandon = contextlib.ExitStack()
        abandon.callback(os.close, ready_reader)
        with abandon:
            output_reader, output_writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
            opened.callback(os.close, output_writer)
            abandon.callback(os.close, output_reader)
            os.set_blocking(output_writer, True)
            pid = forking.spawn(
                Surroundings(
                    output_writer,
                    ready_writer,
                    self._home.state,
                    {"MALLOC_ARENA_MAX": "2", NOT_BEFORE: str(self._clock.now_ns())},
                    self._command(role.name),
                ),
                lambda: self._become(role.name, words),
            )
            abandon.callback(os.waitpid, pid, 0)
            abandon.callback(os.kill, pid, signal.SIGKILL)
            role.pid_handle = os.pidfd_open(pid)
            abandon.pop_all()
        role.pid = pid
        role.pulse, role.silent_s = Pulse(pid), 0
        role.log.begin()
        role.due_at = None
        role.pipes = {ready_reader, output_reader}
        self._watch(role.pid_handle, lambda: self._on_exit(role))
        self._watch(ready_reader, lambda: self._on_word(role, ready_reader))
        self._watch(output_reader, lambda: self._on_output(role, output_reader))

    def _watch(self, handle: int, then: Callable[[], None]) -> None:
        self._selector.register(handle, selectors.EVENT_READ, then)

    def _forget(self, handle: int) -> None:
        self._selector.unregister(handle)
        os.close(handle)

    def _on_word(self, role: Role, pipe: int) -> None:
        """It is ready, or it beats (see `pulse`)."""
        said = os.read(pipe, _READ_BYTES)
        if not said:
            role.pipes.discard(pipe)
            self._forget(pipe)
            return
        if BEAT in said:
            role.pulse.beat(self._awake.now_ns)
        became_ready = b"ready" in said
        if SYNCING in said:
            role.syncing = int(said.rpartition(SYNCING)[2].partition(b"\n")[0])
        if became_ready:
            role.syncing = 0
        if became_ready or role.silent_s or SYNCING in said:
            role.ready = role.was_ready = role.ready or became_ready
            role.silent_s = 0
            self._write_state()

    def _look(self) -> None:
        """Kills roles that have hung: their ends start them again."""
        now = self._awake.now_ns
        for role in self._roles:
            if not role.ready or role.verdict:
                continue
            silent_s = role.pulse.silent_s(now)
            if role.pulse.is_hung(now, SILENT_S_MAX):
                self._kill(role, f"did not answer for {silent_s:.0f} s")
            was, role.silent_s = role.silent_s, int(silent_s) if silent_s > SILENT_S_MAX else 0
            if was != role.silent_s:
                self._is_written = False
        if not self._is_written:
            self._write_state()

    def _kill(self, role: Role, verdict: str) -> None:
        role.verdict = f"{verdict} and was killed"
        self._note(f"{role.name} (pid {role.pid}): {role.verdict}")
        os.kill(role.pid, signal.SIGKILL)

    def _on_output(self, role: Role, pipe: int) -> None:
        try:
            data = os.read(pipe, _READ_BYTES)
        except BlockingIOError:
            return
        if data:
            role.log.write(data)
        else:
            role.pipes.discard(pipe)
            self._forget(pipe)

    def _on_exit(self, role: Role) -> None:
        _, status = os.waitpid(role.pid, 0)
        self._forget(role.pid_handle)
        for pipe in list(role.pipes):
            self._drain(role, pipe)
        code = os.waitstatus_to_exitcode(status)
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        self._note(f"{role.name} (pid {role.pid}) ended: {how}")
        words = role.log.last_line if code > 0 else ""
        role.reason = role.verdict or how + (f": {words}" if words else "")
        role.verdict = ""
        role.pid, role.pid_handle, role.ready, role.silent_s, role.syncing = 0, -1, False, 0, 0
        if not self._stopping:
            self._plan_restart(role)
        self._write_state()

    def _drain(self, role: Role, pipe: int) -> None:
        # A grandchild may still hold the other end: take what is there and let go.
        if not os.get_blocking(pipe):
            with contextlib.suppress(BlockingIOError):
                while data := os.read(pipe, _READ_BYTES):
                    role.log.write(data)
        role.pipes.discard(pipe)
        self._forget(pipe)

    def _plan_restart(self, role: Role) -> None:
        now = self._clock.monotonic_ns()
        role.deaths += 1
        if not self._announced and not role.was_ready and role.deaths >= _DEATHS_BEFORE_GIVING_UP:
            self._failure = f"{role.name} does not start: {role.reason} (log: {role.log.path})"
            self._stopping = True
            return
        role.delay_s = next_delay_s(role.delay_s, (now - role.started_at) / 1e9)
        role.due_at = now + int(role.delay_s * 1e9)
        role.restarts += 1
        if role.delay_s >= _TOLD_FROM_S:
            role.reason += f"; again and again: the next start is {role.delay_s:.0f} s after it"

    def _stop_all(self) -> None:
        """In order, each phase in bounded time; what does not answer is killed at once."""
        self._stopping = True
        self._write_state()
        for phase in STOP_PHASES:
            roles = [role for role in self._roles if role.name in phase and role.pid]
            for role in roles:
                os.kill(role.pid, signal.SIGTERM)
            seconds = max(
                (_PHASE_SECONDS.get(r.name, _PHASE_SECONDS_DEFAULT) for r in roles), default=0.0
            )
            self._wait_for(roles, seconds, STOPPING_SILENT_S_MAX)
            for role in roles:
                if role.pid and not role.verdict:
                    self._force(role, f"did not stop in {seconds:.0f} s")
            self._wait_for(roles, _KILLED_WITHIN_S, BUSY_S_MAX)
            self._say_what_stays(roles)
            # Pods are children of the shim, which outlives an agent that was not there or was
            # killed: they would run on.
            if "node" in phase and not self._failure and (said := self._end_pods()):
                self._forced.append(said)
                self._note(said)

    def _wait_for(self, roles: Sequence[Role], seconds: float, silent_s_max: float) -> None:
        deadline = self._clock.monotonic_ns() + int(seconds * 1e9)
        while any(role.pid for role in roles):
            left_s = (deadline - self._clock.monotonic_ns()) / 1e9
            if left_s <= 0:
                return
            self._poll(left_s)
            for role in roles:
                if role.ready and not role.verdict:
                    silent_s = role.pulse.silent_s(self._awake.now_ns)
                    if role.pulse.is_hung(self._awake.now_ns, silent_s_max):
                        self._force(role, f"did not answer for {silent_s:.0f} s")

    def _force(self, role: Role, why: str) -> None:
        self._kill(role, why)
        self._forced.append(f"{role.name} {role.verdict}")

    def _say_what_stays(self, roles: Sequence[Role]) -> None:
        for role in roles:
            if role.pid:
                self._forced.append(f"{role.name} (pid {role.pid}) does not even end by SIGKILL")
                self._note(self._forced[-1])

    def _note(self, message: str) -> None:
        """Prints with best effort: a full disk or a closed terminal ends no process."""
        now_ns = self._clock.now_ns()
        line = f"{rfc3339_micro(now_ns)} supervisor: {message}"
        if os.environ.get(LOG_FORMAT) == "json":
            line = json_line(now_ns, "INFO", "supervisor", message, {})
        with contextlib.suppress(OSError, ValueError):
            print(line, file=sys.stderr, flush=True)

    def _write_state(self) -> None:
        me = identify(os.getpid())
        assert me is not None, "the running process has an identity"
        roles = tuple(role.state() for role in self._roles)
        state = InstanceState(me.pid, me.start, self._started_ns, roles, self._stopping)
        try:
            write_state(self._home, state)
            self._is_written = True
        except OSError:  # it must not stop the instance: it is tried again at each look
            self._is_written = False


def message_line(event: str, message: str) -> bytes:
    """The outcome of the first start, as sent to the command that waits for it."""
    return json.dumps({"event": event, "message": message}).encode() + b"\n"
