"""The agent's end of the shim: starts it, finds it again, notices its death.

A shim outlives its agent; `connect` finds a living one by its socket and learns which runs
it holds. When the shim dies, its pods' processes are orphans without output: `lost` is set, the
agent kills them and connects anew, which starts another shim. One that is stopped is continued, and
one that stays silent is killed: none is left behind with processes that nobody reaches.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import mizzen.node.runtimes.process.shim
from mizzen.node.runtimes.process.processes import is_alive, start_ticks

log = logging.getLogger("mizzen.node")

Message = dict[str, Any]
START_TIMEOUT_S = 10.0
PULSE_S = 5.0  # between two questions whether it is still there
ANSWER_S_MAX = 10.0  # then it is told to go on, should somebody have stopped it
SILENT_S_MAX = 60.0  # then it is killed, and all that it runs: nobody could reach that any more
LINE_BYTES_MAX = 16 * 2**20


_CREDENTIALS = struct.Struct("3i")  # struct ucred, unix(7)


class ShimFailed(Exception):
    """The shim does not start; the message says where its own words are."""


class Shim:
    """A connection to the one shim of a state folder."""

    def __init__(self, state_dir: Path, on_message: Callable[[Message], None]) -> None:
        self.pid = 0
        self.ticks = 0
        self.running: dict[str, tuple[int, int]] = {}  # key -> pid, ticks; hooks and probes, too
        self.faults = 0
        self._state_dir = state_dir
        self._on_message = on_message
        self._writer: asyncio.StreamWriter | None = None
        self._reader_task: asyncio.Task[None] | None = None
        self._hello: asyncio.Future[None] | None = None
        self._listed: asyncio.Future[list[Message]] | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self.lost = asyncio.Event()

    async def connect(self) -> list[Message]:
        """Connects, starting a shim if none answers; the runs it holds, {key, pid, ticks, started}.

        One that is there but does not answer is waited for, and killed after SILENT_S_MAX.
        Errors: ShimFailed.
        """
        if not await self._open():
            self._launch()
            deadline = asyncio.get_running_loop().time() + START_TIMEOUT_S
            while not await self._open():
                if asyncio.get_running_loop().time() > deadline:
                    log = self._state_dir / "shim.log"
                    raise ShimFailed(f"the process shim does not answer; see {log}")
                await asyncio.sleep(0.01)
        return await self.runs()

    async def runs(self, within_s: float = START_TIMEOUT_S) -> list[Message]:
        """The runs that the shim holds, {key, pid, ticks, started}. Errors: ShimFailed."""
        self._listed = asyncio.get_running_loop().create_future()
        self._send({"op": "list"})
        try:
            async with asyncio.timeout(within_s):
                return await self._listed
        except (TimeoutError, ConnectionError) as error:
            raise ShimFailed("the process shim did not say what it runs") from error

    async def watch(self) -> None:
        """Returns once the shim is lost; asks it now and then, so that a frozen one is, too."""
        while not self.lost.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PULSE_S):
                    await self.lost.wait()
                    return
            if not await _roused(self.pid, self.ticks, self._answers):
                await self.lost.wait()

    async def _answers(self, within_s: float) -> bool:
        if self.lost.is_set():
            return True  # nothing is to be waited for
        try:
            await self.runs(within_s)
        except ShimFailed:
            return False
        return True

    def spawn(self, request: Message) -> None:
        """Starts one process; `started`, `failed` or `exited` follow as messages.

        Errors: ValueError for a request above the bound, which would end the connection.
        """
        line = _line({"op": "spawn", **request})
        if len(line) > LINE_BYTES_MAX:
            raise ValueError(
                f"command and environment take {len(line)} bytes, above the {LINE_BYTES_MAX} that "
                "can be passed to a process here; pass data by files"
            )
        self.write(line)

    def signal(self, key: str, number: int) -> None:
        """Sends a signal to a run; SIGKILL reaches its whole process group."""
        self._send({"op": "signal", "key": key, "signal": number})

    def attach(self, request: Message) -> None:
        """Attaches the pipes of a client to a run: `attached` or `failed` follows."""
        self._send({"op": "attach", **request})

    def resize(self, key: str, rows: int, columns: int) -> None:
        """Sets the size of a run's terminal."""
        self._send({"op": "resize", "key": key, "rows": rows, "columns": columns})

    def shutdown(self) -> None:
        """Kills every run and ends the shim."""
        self._send({"op": "shutdown"})

    async def close(self) -> None:
        """Leaves the shim and its runs alone."""
        if self._reader_task is not None:
            self._reader_task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader_task
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        if self._child is not None:
            self._child.poll()

    def _send(self, message: Message) -> None:
        self.write(_line(message))

    def write(self, line: bytes) -> None:
        """One request as it goes to the shim, its line's end included."""
        if self._writer is not None and not self.lost.is_set():
            self._writer.write(line)

    def _launch(self) -> None:
        script = Path(mizzen.node.runtimes.process.shim.__file__).parent / "__main__.py"
        with open(self._state_dir / "shim.log", "ab") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-I", "-S", "-X", "utf8", str(script), "shim.sock"],
                cwd=self._state_dir,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def _open(self) -> bool:
        """True once a shim is connected that has said hello."""
        sock = await asyncio.to_thread(_connected, self._state_dir)
        if sock is None:
            return False
        pid: int = _CREDENTIALS.unpack(
            sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        )[0]
        ticks = start_ticks(pid)
        sock.setblocking(False)
        reader, writer = await asyncio.open_unix_connection(sock=sock, limit=LINE_BYTES_MAX)
        self._writer = writer
        self.running = {}
        self._hello = asyncio.get_running_loop().create_future()
        self.lost = asyncio.Event()  # of this connection: a dying shim may still accept one
        self._reader_task = asyncio.create_task(self._read(reader, self.lost), name="shim")
        if await self._greets(pid, ticks):
            return True
        self._reader_task.cancel()
        writer.close()
        self._writer = None
        return False

    async def _greets(self, pid: int, ticks: int) -> bool:
        hello = self._hello
        assert hello is not None

        async def is_heard(within_s: float) -> bool:
            await asyncio.wait([hello], timeout=within_s)
            return hello.done()

        # With an exception it was about to end.
        return await _roused(pid, ticks, is_heard) and hello.exception() is None

    async def _read(self, reader: asyncio.StreamReader, lost: asyncio.Event) -> None:
        try:
            while line := await reader.readline():
                self._take(json.loads(line))
        except OSError:
            pass
        finally:
            if self._hello is not None and not self._hello.done():
                self._hello.set_exception(ConnectionError("the shim hung up"))
            if self._listed is not None and not self._listed.done():
                self._listed.set_exception(ConnectionError("the shim hung up"))
            lost.set()

    def _take(self, message: Message) -> None:
        event = message.get("event")
        if event == "hello":
            self.pid, self.ticks = message["pid"], message["ticks"]
            if self._hello is not None and not self._hello.done():
                self._hello.set_result(None)
        elif event == "processes":
            # At once: the end of one of them may be the next line that was read.
            self.running = {m["key"]: (m["pid"], m["ticks"]) for m in message["processes"]}
            if self._listed is not None and not self._listed.done():
                self._listed.set_result(message["processes"])
        else:
            self._tell(message)

    def _note(self, message: Message) -> None:
        if message["event"] == "started":
            self.running[message["key"]] = (message["pid"], message["ticks"])
        elif message["event"] != "attached":
            self.running.pop(message["key"], None)

    def _tell(self, message: Message) -> None:
        try:
            self._note(message)
            self._on_message(message)
        except Exception:  # what one run says does not cut the agent off from all
            self.faults += 1
            log.exception("a fault of ours, at %s", message)


def _connected(state_dir: Path) -> socket.socket | None:
    """A connection to the shim of this folder; None where none is there.

    Through /proc/self/fd: the socket's own path may exceed 107 bytes. A shim that takes no
    connection has those of agents waiting that came before.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(SILENT_S_MAX)
    folder = os.open(state_dir, os.O_PATH | os.O_DIRECTORY)
    try:
        sock.connect(f"/proc/self/fd/{folder}/shim.sock")
    except OSError:
        sock.close()
        return None
    finally:
        os.close(folder)
    return sock


async def _roused(pid: int, ticks: int, answers: Callable[[float], Awaitable[bool]]) -> bool:
    """True if it answers within its seconds, continued by SIGCONT in between; else it is killed."""
    for patience_s in (ANSWER_S_MAX, SILENT_S_MAX):
        if await answers(patience_s):
            return True
        _signal(pid, ticks, signal.SIGCONT)
    _signal(pid, ticks, signal.SIGKILL)
    return False


def _signal(pid: int, ticks: int, number: int) -> None:
    if pid > 1 and is_alive(pid, ticks):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _line(message: Message) -> bytes:
    return json.dumps(message).encode() + b"\n"
