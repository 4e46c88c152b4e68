"""Questions about processes that are not our children, answered from /proc."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable, Mapping
from typing import Any

KILL_ROUNDS = 50  # what forks faster than it is killed meets its control group's limit first
TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def _stat(pid: int | str) -> list[bytes]:
    """Fields of /proc/<pid>/stat from the state (field 3) on; [] when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rsplit(b")", 1)[1].split()
    except (OSError, IndexError):
        return []


def start_ticks(pid: int) -> int:
    """Start time in clock ticks since boot, which with the pid names one process for good."""
    fields = _stat(pid)
    return int(fields[19]) if len(fields) > 19 and fields[0] not in (b"Z", b"X") else 0


def is_alive(pid: int, ticks: int) -> bool:
    """True if that very process runs: same pid, same start, no zombie."""
    return pid > 0 and ticks > 0 and start_ticks(pid) == ticks


def tree_pids(leader: int) -> list[int]:
    """A run's first process, its session, and all that descend from either.

    Whatever a run disowns becomes a child of its first process (`shim/children.py`), so this is
    all of it while that one lives. Zombies are among them.
    """
    return list(_tree(leader))


def _tree(leader: int) -> dict[int, bytes]:
    """State by pid."""
    states: dict[int, bytes] = {}
    children: dict[int, list[int]] = {}
    pending: list[int] = []
    wanted = str(leader).encode()
    for name in os.listdir("/proc"):
        if not name.isdecimal():
            continue
        fields = _stat(name)
        if len(fields) > 3:
            pid = int(name)
            states[pid] = fields[0]
            children.setdefault(int(fields[1]), []).append(pid)
            if pid == leader or fields[3] == wanted:
                pending.append(pid)
    found: dict[int, bytes] = {}
    while pending:
        pid = pending.pop()
        if pid not in found:
            found[pid] = states[pid]
            pending += children.get(pid, ())
    return found


def tree_cpu_ns(leader: int) -> int:
    """CPU time of the live processes of a run and of children they waited for.

    Granularity is the clock tick (10 ms); what other descendants used before they ended is lost.
    """
    ticks = 0
    for pid in tree_pids(leader):
        fields = _stat(pid)
        if len(fields) > 14:
            ticks += sum(int(f) for f in fields[11:15])
    return ticks * TICK_NS


def kill_recorded(record: Mapping[str, Any], uid: str) -> bool:
    """`kill_run` for a pod's run by its record, which the pod may have written itself."""
    pid, ticks = record.get("pid"), record.get("ticks")
    return isinstance(pid, int) and isinstance(ticks, int) and kill_run(pid, ticks, uid)


def kill_run(leader: int, ticks: int, recorded_for: str = "") -> bool:
    """SIGKILL to a run's first process and to all that belong to it; whether it was there.

    `recorded_for`: the pod's uid where pid and ticks come from a file, which may be damaged: then
    the process must also look like one of that pod's. Nobody else is signalled: a run leads a
    session, so neither 0, 1, -1 nor a pid that is somebody else's by now is one.
    """
    if leader < 2 or leader == os.getpid() or not is_alive(leader, ticks) or not _leads(leader):
        return False
    if recorded_for and not _is_of_pod(leader, recorded_for):
        return False
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(leader, signal.SIGSTOP)  # it adopts what its own leave behind, and starts nothing
    for _ in range(KILL_ROUNDS):
        others = [pid for pid, state in _tree(leader).items() if pid != leader and state != b"Z"]
        for pid in others:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if not others:
            break
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(leader, signal.SIGKILL)
    return True


def _leads(pid: int) -> bool:
    """True for the leader of a session."""
    try:
        return os.getsid(pid) == pid
    except OSError:
        return False


def _is_of_pod(pid: int, uid: str) -> bool:
    """By its control group or by the environment its program was started with."""
    wanted = uid.encode()
    for path, text in (("cgroup", wanted), ("environ", b"POD_UID=" + wanted)):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/{path}", "rb") as file:
            if wanted and text in file.read():
                return True
    return False


def set_affinity(pids: Iterable[int], cpus: Iterable[int]) -> None:
    """Moves every thread of these processes to `cpus`."""
    wanted = set(cpus)
    for pid in pids:
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{pid}/task"):
                with contextlib.suppress(OSError):
                    os.sched_setaffinity(int(task), wanted)
