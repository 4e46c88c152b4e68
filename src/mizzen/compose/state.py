"""What the supervisor writes down about itself, so that other commands find the instance."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import asdict, dataclass

from mizzen.host.files import write_atomically
from mizzen.host.home import Home
from mizzen.host.process import ProcessId


@dataclass(frozen=True, slots=True)
class RoleState:
    """One process of the instance; `started_ns` is wall time, `pid` 0 while it is down."""

    role: str
    pid: int
    start: int
    address: str
    started_ns: int
    restarts: int
    ready: bool


@dataclass(frozen=True, slots=True)
class InstanceState:
    pid: int
    start: int
    started_ns: int
    roles: tuple[RoleState, ...]

    @property
    def process(self) -> ProcessId:
        return ProcessId(self.pid, self.start)


def write_state(home: Home, state: InstanceState) -> None:
    data = json.dumps(asdict(state)).encode()
    write_atomically(home.run / "supervisor.json", data, mode=0o600, durable=False)


def running_instance(home: Home) -> InstanceState | None:
    """The instance whose supervisor is alive now; None when there is none."""
    try:
        known = json.loads((home.run / "supervisor.json").read_text())
    except (FileNotFoundError, ValueError):
        return None
    roles = tuple(RoleState(**role) for role in known.pop("roles"))
    state = InstanceState(roles=roles, **known)
    return state if state.process.alive else None


def ended_uncleanly(home: Home) -> bool:
    """Whether the last supervisor left without stopping its instance (it was killed)."""
    return (home.run / "supervisor.json").exists() and running_instance(home) is None


def take_lock(home: Home) -> int | None:
    """The instance's lock as a file descriptor that children may inherit; None if it is held.

    Held by the supervisor for as long as it lives; the kernel releases it, whatever happens.
    """
    lock = os.open(home.run / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock
