"""The runtime `process`: pods are processes of the user who runs Mizzen, children of the shim.

What people call a run is "<handler>://<pid>"; what it is known by is pid and start ticks, which the
shim tells and which the records keep.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import logging
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from mizzen.base.clock import Clock
from mizzen.base.objects import Obj
from mizzen.node.runtimes.interface import (
    BEST_EFFORT,
    Bundle,
    ContainerSpec,
    ExecFailed,
    ExecResult,
    Guarantees,
    Resources,
    RunEnded,
    RunEvent,
    RunFailed,
    RunsListed,
    RunStarted,
    Runtime,
    Stats,
    Stdio,
    Streams,
    split_key,
)
from mizzen.node.runtimes.process.cgroups import Cgroups
from mizzen.node.runtimes.process.ending import end_pods
from mizzen.node.runtimes.process.ports import connect
from mizzen.node.runtimes.process.processes import (
    is_alive,
    kill_recorded,
    kill_run,
    set_affinity,
    tree_pids,
)
from mizzen.node.runtimes.process.requests import request
from mizzen.node.runtimes.process.shim_client import Message, Shim
from mizzen.node.runtimes.process.streams import ProcessStreams, Resize

log = logging.getLogger("mizzen.node")

CAPTURE_BYTES = 4096
SHUTDOWN_S_MAX = 3.0


class ProcessRuntime(Runtime):
    """One shim and the control groups of one instance."""

    handler = "process"

    def __init__(self, state_dir: Path, cgroups: Cgroups | None = None) -> None:
        instance = hashlib.sha256(str(state_dir).encode()).hexdigest()[:8]
        self.cgroups = cgroups or Cgroups.detect(instance)
        self.guarantees = Guarantees("none", self.cgroups.mode)
        self.shim = Shim(state_dir, self._hear)
        self._on_event: Callable[[RunEvent], None] = lambda event: None
        self._resources: dict[str, Resources] = {}  # pod uid ->
        self._joins: dict[str, list[str]] = {}  # pod uid -> files of its groups
        self._ended_cpu_ns: Counter[str] = Counter()  # pod uid ->, where no group sums it up
        self._commands: dict[str, _Command] = {}  # beside containers, by key
        self._counter = itertools.count()
        self._is_closing = False
        self._is_shut_down = False

    @classmethod
    def end_all(cls, state_dir: Path, clock: Clock) -> str:
        return end_pods(state_dir, clock)

    # -- the shim ------------------------------------------------------------------------------

    @property
    def running(self) -> Mapping[str, str]:
        return {key: self._id(pid) for key, (pid, _) in self.shim.running.items()}

    async def connect(self, on_event: Callable[[RunEvent], None]) -> None:
        self._on_event = on_event
        await self.shim.connect()
        self.cgroups.clean(keep={_uid_of(key) for key in self.shim.running})

    async def watch(self) -> None:
        """A shim that hung up is asked again; when it died its runs are killed, and a new shim
        takes over."""
        while True:
            await self.shim.watch()
            if self._is_closing:
                return
            before, runs = (self.shim.pid, self.shim.ticks), list(self.shim.running.values())
            is_dead = not is_alive(*before)
            if is_dead:
                log.error("the process shim died: its pods' processes are killed")
                _kill(runs)
            await self.shim.close()
            await self.shim.connect()
            if not is_dead and (self.shim.pid, self.shim.ticks) != before:
                _kill(runs)  # it was about to die
            self._on_event(RunsListed())

    async def shutdown(self) -> None:
        self._is_closing = self._is_shut_down = True
        left = list(self.shim.running.values())
        self.shim.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SHUTDOWN_S_MAX):
                await self.shim.lost.wait()
        _kill(left)

    async def close(self) -> None:
        self._is_closing = True
        await self.shim.close()
        if self._is_shut_down:
            self.cgroups.close()

    def _hear(self, message: Message) -> None:
        key = message["key"]
        if _is_command(key):
            command = self._commands.get(key)
            if command is not None:
                command.hear(message)
        elif message["event"] == "started":
            self._on_event(RunStarted(key, self._id(message["pid"]), message["started"]))
        elif message["event"] == "failed":
            self._on_event(RunFailed(key, message["message"]))
        else:
            self._ended_cpu_ns[_uid_of(key)] += int(message.get("cpu") or 0)
            self._on_event(RunEnded(key, message))

    def _id(self, pid: int) -> str:
        return f"{self.handler}://{pid}"

    # -- sandboxes -----------------------------------------------------------------------------

    def create(self, uid: str, resources: Resources) -> None:
        self._resources[uid] = resources
        self._joins[uid] = self.cgroups.create(uid, resources)

    def resize(self, uid: str, resources: Resources) -> None:
        old = self._resources.get(uid)
        if old is not None:  # else `create` is still to come, with what it may use then
            self._resources[uid] = resources
            if replace(old, cpus=()) != replace(resources, cpus=()):
                self.cgroups.resize(uid, resources)
        if resources.cpus:
            trees = (pid for leader in self._leaders(uid) for pid in tree_pids(leader))
            set_affinity(self.cgroups.members(uid) or trees, resources.cpus)

    def stats(self, uid: str) -> Stats:
        cpu_ns = self.cgroups.cpu_ns(uid, self._leaders(uid))
        has_group = self.cgroups.mode != BEST_EFFORT
        return Stats(cpu_ns if has_group else cpu_ns + self._ended_cpu_ns[uid])

    def pids(self, uid: str) -> Sequence[int]:
        return self.cgroups.members(uid) or list(self._leaders(uid))

    def kill_lost(self, uid: str, record: Obj) -> None:
        kill_recorded(record, uid)

    def remove(self, uid: str) -> None:
        self._resources.pop(uid, None)
        self._joins.pop(uid, None)
        self._ended_cpu_ns.pop(uid, None)
        for key in list(self.shim.running):
            if _uid_of(key) == uid:
                self.signal(key, signal.SIGKILL)
        self.cgroups.remove(uid)

    def _leaders(self, uid: str) -> Iterator[int]:
        """The first processes of the pod's containers; all runs of the node are looked through."""
        for key, (pid, _) in self.shim.running.items():
            if _uid_of(key) == uid and not _is_command(key):
                yield pid

    # -- runs ----------------------------------------------------------------------------------

    def bundle(self, spec: ContainerSpec) -> Bundle:
        return request(spec)

    def start(self, key: str, bundle: Bundle, log: Path, record: Path) -> None:
        self._spawn(key, bundle, log=str(log), record=str(record))

    def _spawn(self, key: str, bundle: Bundle, **more: object) -> None:
        uid = _uid_of(key)
        cpus = list(self._resources[uid].cpus) if uid in self._resources else []
        joins = self._joins.get(uid, [])
        self.shim.spawn({**bundle, "key": key, "cpus": cpus, "cgroups": joins, **more})

    def signal(self, key: str, number: int) -> None:
        if number == signal.SIGKILL:
            pid, ticks = self.shim.running.get(key, (0, 0))
            if is_alive(pid, ticks):  # at once, without the way through the shim
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(pid, signal.SIGKILL)
        self.shim.signal(key, number)

    async def exec(
        self, key: str, what: str, bundle: Bundle, argv: Sequence[str], timeout_s: float
    ) -> ExecResult:
        command = f"{key}/{what}"
        made = self._commands[command] = _Command()
        try:
            quiet = {**bundle, "stdin": False, "tty": False}
            self._spawn(command, quiet, argv=list(argv), capture=CAPTURE_BYTES)
            async with asyncio.timeout(timeout_s):
                said = await made.ended
        except TimeoutError:
            self.shim.signal(command, signal.SIGKILL)
            raise
        finally:
            self._commands.pop(command, None)
        return _result(said)

    # -- streams -------------------------------------------------------------------------------

    async def open_exec(
        self, key: str, what: str, bundle: Bundle, argv: Sequence[str], stdio: Stdio
    ) -> Streams:
        command = f"{key}/{what}-{next(self._counter)}"
        made = self._commands[command] = _Command()
        streams = await self._open_streams(command, made, stdio)
        try:
            self._spawn(
                command, bundle, argv=list(argv), capture=1, tty=stdio.tty, stdio=streams.paths
            )
            await made.begun
        except BaseException:
            streams.close()
            raise
        streams.release()
        if made.ended.done() and (failure := _failure(made.ended.result())):
            streams.close()
            raise ExecFailed(failure)
        return streams

    async def attach(self, key: str, stdio: Stdio) -> Streams:
        client = f"{key}/attach-{next(self._counter)}"
        made = self._commands[client] = _Command()
        resize = partial(self.shim.resize, key) if stdio.tty else None
        streams = await self._open_streams(client, made, replace(stdio, tty=False), resize)
        try:
            stdin, stdout, stderr = streams.paths
            pipes = {"stdin": stdin, "stdout": stdout, "stderr": stderr}
            self.shim.attach({"id": client, "key": key, **pipes})
            said = await made.begun
        except BaseException:
            streams.close()
            raise
        streams.release()
        if said["event"] == "failed":
            streams.close()
            raise ExecFailed(said["message"])
        return streams

    async def _open_streams(
        self, key: str, command: _Command, stdio: Stdio, resize: Resize | None = None
    ) -> ProcessStreams:
        async def wait() -> ExecResult:
            return _result(await command.ended)

        def forget() -> None:
            self._commands.pop(key, None)

        try:
            return await ProcessStreams.open(stdio, wait, forget, resize)
        except OSError as error:
            forget()
            raise ExecFailed(f"no pipe can be made: {error.strerror}") from error

    async def connect_port(
        self, uid: str, address: str, port: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        trees = [pid for leader in self._leaders(uid) for pid in tree_pids(leader)]
        return await connect(self.cgroups.members(uid) or trees, address, port)


class _Command:
    """A command beside a container, or a client of one, as far as the shim has told."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.begun: asyncio.Future[Message] = loop.create_future()
        self.ended: asyncio.Future[Message] = loop.create_future()

    def hear(self, message: Message) -> None:
        if not self.begun.done():
            self.begun.set_result(message)
        if message["event"] not in ("started", "attached") and not self.ended.done():
            self.ended.set_result(message)


def _result(said: Message) -> ExecResult:
    return ExecResult(said.get("code", 1), str(_failure(said) or said.get("output") or ""))


def _failure(said: Message) -> str:
    """Why the program could not be run, "" if it was."""
    return str(said.get("failure") or said.get("message") or "")


def _kill(runs: Sequence[tuple[int, int]]) -> None:
    for pid, ticks in runs:
        kill_run(pid, ticks)


def _uid_of(key: str) -> str:
    return split_key(key)[0]


def _is_command(key: str) -> bool:
    """True for a command beside a container, false for a container's own run."""
    return bool(split_key(key)[3])


RUNTIME = ProcessRuntime
