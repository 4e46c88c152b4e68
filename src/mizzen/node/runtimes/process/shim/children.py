"""The shim's children, those included that it adopted.

The shim and the first process of every run are *subreapers*: what a run starts and disowns (a
daemon with a session of its own) becomes a child of the run's first process, as of process 1 in a
container, and when that one ends, a child of the shim. So a child that the shim did not start is
what an ended run left behind, whatever it did to its session, its group or its environment.
Source: prctl(2), PR_SET_CHILD_SUBREAPER: kept by execve, not inherited by fork.
"""

from __future__ import annotations

import contextlib
import ctypes
import os

_PR_SET_CHILD_SUBREAPER = 36
_LIBC = ctypes.CDLL(None)


def adopt_orphans() -> None:
    """Makes this process the parent of all descendants whose own parents end before them."""
    _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def start_ticks(pid: int) -> int:
    """The process's start time in clock ticks since boot: with the pid it names one process for
    good. 0 if there is no such process. Source: proc(5), /proc/pid/stat field 22."""
    fields = _stat(str(pid))
    return int(fields[19]) if len(fields) > 19 else 0


def own_children() -> list[int]:
    """Pids of this process's children, unreaped ones included."""
    own = str(os.getpid())
    try:  # the kernel's own list, where it is built with CONFIG_PROC_CHILDREN
        with open(f"/proc/{own}/task/{own}/children", "rb") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        wanted = own.encode()
    found: list[int] = []
    for name in os.listdir("/proc"):
        if name.isdecimal():
            fields = _stat(name)
            if len(fields) > 1 and fields[1] == wanted:
                found.append(int(name))
    return found


def _stat(pid: str) -> list[bytes]:
    """Fields of /proc/<pid>/stat from the state (field 3) on; [] when it is gone."""
    with contextlib.suppress(OSError, IndexError), open(f"/proc/{pid}/stat", "rb") as file:
        return file.read().rsplit(b")", 1)[1].split()
    return []
