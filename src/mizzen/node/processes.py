"""Questions about processes that are not our children, answered from /proc."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable

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
    """Whether that very process runs: same pid, same start, no zombie."""
    return pid > 0 and ticks > 0 and start_ticks(pid) == ticks


def session_pids(leader: int) -> list[int]:
    """Processes of the session that `leader` opened."""
    wanted = str(leader).encode()
    found: list[int] = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            fields = _stat(name)
            if len(fields) > 3 and fields[3] == wanted:
                found.append(int(name))
    return found


def session_cpu_ns(leader: int) -> int:
    """CPU time of the live processes of a session and of children they waited for.

    Granularity is the clock tick (10 ms); what other descendants used before they ended is lost.
    """
    ticks = 0
    for pid in session_pids(leader):
        fields = _stat(pid)
        if len(fields) > 14:
            ticks += sum(int(f) for f in fields[11:15])
    return ticks * TICK_NS


def kill_session(leader: int) -> None:
    """SIGKILL to the group and session of `leader`; errors are none: what is gone is gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
    for pid in session_pids(leader):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def set_affinity(pids: Iterable[int], cpus: Iterable[int]) -> None:
    """Moves every thread of these processes to `cpus`."""
    wanted = set(cpus)
    for pid in pids:
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{pid}/task"):
                with contextlib.suppress(OSError):
                    os.sched_setaffinity(int(task), wanted)
