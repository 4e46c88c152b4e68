"""Handles of processes that stay valid: a pid alone may be reused.

Source: proc(5): /proc/PID/stat field 22 is the start time in clock ticks since boot;
pidfd_open(2).
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_COMM_BYTES_MAX = 15
_M_ARENA_MAX = -8  # of mallopt(3)
_ARENAS = 2


@dataclass(frozen=True, slots=True)
class ProcessId:
    """One process for all time: its pid and the tick it started at."""

    pid: int
    start: int

    @property
    def alive(self) -> bool:
        return identify(self.pid) == self


def identify(pid: int) -> ProcessId | None:
    """The identity of the process that runs under this pid; None if none does (or a zombie)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command name may hold spaces and brackets; the fields start after the last bracket.
    fields = text[text.rindex(")") + 2 :].split()
    return None if fields[0] in "ZX" else ProcessId(pid, int(fields[19]))


def resident_bytes(pid: int) -> int:
    """Memory that the process holds in RAM; 0 when it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def proportional_bytes(pid: int) -> int:
    """Memory in RAM, where pages that several processes share count in equal parts (PSS); 0 when it
    is gone or somebody else's. Source: proc(5), /proc/PID/smaps_rollup."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:")), 0)


def send(process: ProcessId, number: signal.Signals) -> bool:
    """Signals exactly this process; False when it is gone."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        if not process.alive:
            return False
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True


def wait_until_gone(process: ProcessId, timeout_s: float) -> bool:
    """True if the process ended within the time; wakes at once, without polling."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return True
    try:
        if not process.alive:
            return True
        poller = select.poll()
        poller.register(handle, select.POLLIN)
        return bool(poller.poll(timeout_s * 1000))
    finally:
        os.close(handle)


def die_with_parent(parent: int) -> None:
    """Arranges that the kernel kills this process when its parent thread ends.

    Errors: SystemExit when the parent was already gone, for then no signal would ever come.
    Source: prctl(2), PR_SET_PDEATHSIG.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        raise SystemExit(1)


def set_title(title: str) -> None:
    """Sets the short name that ps and top show for this process, where /proc lets it."""
    with suppress(OSError):  # a container may have no /proc, or one that is read-only
        Path("/proc/self/comm").write_text(title[:_COMM_BYTES_MAX])


def set_command_line(words: Sequence[str]) -> None:
    """Sets what ps shows as this process's command, where there is room and /proc tells the place.

    A fork has its parent's command line, in memory of its own. Source: proc(5): /proc/PID/stat
    fields 48 and 49 are where it begins and ends.
    """
    try:
        text = Path("/proc/self/stat").read_text()
    except OSError:
        return
    fields = text[text.rindex(")") + 2 :].split()
    start, end = int(fields[45]), int(fields[46])
    line = b"".join(os.fsencode(word) + b"\0" for word in words)
    if start and len(line) <= end - start:
        ctypes.memmove(start, line.ljust(end - start, b"\0"), end - start)


def bound_arenas() -> None:
    """Lets threads share two heaps, as MALLOC_ARENA_MAX=2 does for a program that begins with it:
    one for each thread holds on to what it once needed."""
    with suppress(AttributeError):  # of glibc alone
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)


def prefer_over_workloads() -> None:
    """Raises this process's CPU weight where allowed: nice -5 for root, else it stays at 0.

    Workloads run at nice 10, so Mizzen's own processes outweigh them either way.
    """
    try:
        os.setpriority(os.PRIO_PROCESS, 0, -5)
    except PermissionError:
        return
