"""The supervisor's record of itself, by which other commands find the instance."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from mizzen.host import private
from mizzen.host.files import write_atomically
from mizzen.host.home import Home
from mizzen.host.process import ProcessId, identify

_RECORD_BYTES_MAX = 1 << 20


@dataclass(frozen=True, slots=True)
class RoleState:
    """One process of the instance; `started_ns` is wall time, `pid` 0 while it is down.

    `silent_s`: since when it has not answered, 0 while it does; `reason`: how it last ended;
    `syncing`: objects that its caches hold so far, of more that are stored.
    """

    role: str
    pid: int
    start: int
    address: str
    started_ns: int
    restarts: int
    ready: bool
    silent_s: int = 0
    reason: str = ""
    syncing: int = 0

    @property
    def condition(self) -> str:
        """Running, NotResponding, Syncing, Starting or Restarting, as far as the record and the kernel know."""
        if not self.pid or not ProcessId(self.pid, self.start).alive:
            return "Restarting"
        if self.silent_s:
            return "NotResponding"
        if self.ready:
            return "Running"
        return "Syncing" if self.syncing else "Starting"


@dataclass(frozen=True, slots=True)
class InstanceState:
    """`is_stopping` is written before the first process is stopped."""

    pid: int
    start: int
    started_ns: int
    roles: tuple[RoleState, ...]
    is_stopping: bool = False

    @property
    def process(self) -> ProcessId:
        return ProcessId(self.pid, self.start)


def write_state(home: Home, state: InstanceState) -> None:
    """Errors: OSError; a full disk alone is none, once there is a record."""
    data = json.dumps(asdict(state)).encode()
    try:
        write_atomically(_record(home), data, mode=0o600, durable=False)
    except OSError:
        # In the room that the old one has. Whoever reads in this moment looks again.
        handle = private.open_file(_record(home), os.O_WRONLY)
        with os.fdopen(handle, "wb", buffering=0) as file:
            file.write(data)
            file.truncate()


def running_instance(home: Home) -> InstanceState | None:
    """The instance whose supervisor is alive now; None when there is none.

    The record only says where to look. That a process is the supervisor is known by the lock of
    the instance, which it alone holds: a stranger that has its pid by now does not. Where the
    record is damaged the holder is looked for among all processes, and its roles are unknown.
    """
    state = _read(home) or _read(home)  # it may have been in the middle of being written
    if state is not None and state.process.alive and _holds_lock(home, state.pid):
        return state
    if not _is_locked(home):
        return None
    for entry in Path("/proc").glob("[0-9]*"):
        process = identify(int(entry.name)) if _holds_lock(home, int(entry.name)) else None
        if process is not None:
            return InstanceState(process.pid, process.start, 0, ())
    return None


def ended_uncleanly(home: Home) -> bool:
    """True if the last supervisor left without stopping its instance (it was killed)."""
    return _record(home).exists() and running_instance(home) is None


def write_stopped(home: Home, forced: list[str]) -> None:
    """Records what was stopped by force, for `take_stopped`."""
    write_atomically(_stopped(home), json.dumps(forced).encode(), mode=0o600, durable=False)


def take_stopped(home: Home) -> list[str]:
    """Reads and removes what `write_stopped` has left."""
    try:
        found: Any = json.loads(_stopped(home).read_bytes())
        _stopped(home).unlink()
    except (OSError, ValueError):
        return []
    return [str(entry) for entry in cast("list[Any]", found)] if isinstance(found, list) else []


def take_lock(home: Home) -> int | None:
    """The instance's lock as a file descriptor that children may inherit; None if it is held.

    Held by the supervisor for as long as it lives; the kernel releases it, whatever happens.
    """
    lock = os.open(_lock(home), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _record(home: Home) -> Path:
    return home.run / "supervisor.json"


def _stopped(home: Home) -> Path:
    return home.run / "stopped.json"


def _lock(home: Home) -> Path:
    return home.run / "lock"


def _is_locked(home: Home) -> bool:
    try:
        lock = os.open(_lock(home), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def _holds_lock(home: Home, pid: int) -> bool:
    """True if this process has the lock file open; only its owner and root may know."""
    with contextlib.suppress(OSError):
        lock = _lock(home).stat()
        for handle in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                if os.path.samestat(handle.stat(), lock):
                    return True
    return False


def _read(home: Home) -> InstanceState | None:
    """The record's content; None if it is missing or damaged."""
    try:
        with os.fdopen(private.open_file(_record(home)), "rb") as file:
            known: Any = json.loads(file.read(_RECORD_BYTES_MAX))
        roles = tuple(_role(entry) for entry in known["roles"])
        return InstanceState(
            pid=_whole(known["pid"]),
            start=_whole(known["start"]),
            started_ns=_whole(known["started_ns"]),
            roles=roles,
            is_stopping=known.get("is_stopping") is True,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _role(entry: Any) -> RoleState:
    return RoleState(
        role=str(entry["role"]),
        pid=_whole(entry["pid"]),
        start=_whole(entry["start"]),
        address=str(entry["address"]),
        started_ns=_whole(entry["started_ns"]),
        restarts=_whole(entry["restarts"]),
        ready=entry["ready"] is True,
        silent_s=_whole(entry.get("silent_s", 0)),
        reason=str(entry.get("reason", "")),
        syncing=_whole(entry.get("syncing", 0)),
    )


def _whole(value: Any) -> int:
    """Errors: ValueError for what is no whole number from 0 on."""
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is not a whole number")
    return value
