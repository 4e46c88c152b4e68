"""Shortages of the machine, as the Node's conditions say them.

Source: kubelet's conditions and reasons; its hard threshold of memory (`memory.available<100Mi`).
Those of disk and processes are ours: kubelet's tenth of a disk is much on a large one.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20
MEMORY_FREE_BYTES_MIN = 100 * MIB
DISK_FREE_BYTES_MIN = 256 * MIB
PROCESSES_FREE_MIN = 1000
_WITHOUT = {
    "MemoryPressure": ("KubeletHasSufficientMemory", "the agent has sufficient memory available"),
    "DiskPressure": ("KubeletHasNoDiskPressure", "the agent has no disk pressure"),
    "PIDPressure": ("KubeletHasSufficientPID", "the agent has sufficient PID available"),
}
_REASONS = {
    "MemoryPressure": "KubeletHasInsufficientMemory",
    "DiskPressure": "KubeletHasDiskPressure",
    "PIDPressure": "KubeletHasInsufficientPID",
}


@dataclass(frozen=True, slots=True)
class Pressure:
    """One condition: its type, whether it is so, CamelCase reason, text."""

    kind: str
    is_true: bool
    reason: str
    text: str


def look(folder: Path) -> list[Pressure]:
    """As it is now; the disk is the one of `folder`."""
    return [
        _pressure(
            "MemoryPressure",
            _free_memory() < MEMORY_FREE_BYTES_MIN,
            f"less than {MEMORY_FREE_BYTES_MIN // MIB} MiB of the machine's memory are available",
        ),
        _pressure(
            "DiskPressure",
            _free_disk(folder) < DISK_FREE_BYTES_MIN,
            f"less than {DISK_FREE_BYTES_MIN // MIB} MiB are free where {folder} lies",
        ),
        _pressure(
            "PIDPressure",
            _free_processes() < PROCESSES_FREE_MIN,
            f"fewer than {PROCESSES_FREE_MIN} more processes and threads can be started",
        ),
    ]


def _pressure(kind: str, is_true: bool, text: str) -> Pressure:
    if is_true:
        return Pressure(kind, True, _REASONS[kind], text)
    return Pressure(kind, False, *_WITHOUT[kind])


def _free_memory() -> float:
    return _number("/proc/meminfo", "MemAvailable:") * 1024


def _free_disk(folder: Path) -> float:
    try:
        found = os.statvfs(folder)
    except OSError:
        return 0  # it is gone or cannot be reached: nobody can write there
    return 0 if found.f_flag & os.ST_RDONLY else found.f_bavail * found.f_frsize


def _free_processes() -> float:
    try:
        threads = int(Path("/proc/loadavg").read_text().split()[3].partition("/")[2])
    except (OSError, ValueError, IndexError):
        return float("inf")
    limits = ("/proc/sys/kernel/pid_max", "/proc/sys/kernel/threads-max")
    return min(_number(path) for path in limits) - threads


def _number(path: str, after: str = "") -> float:
    """The number after a word in a file of the kernel's; infinity where it says none."""
    try:
        text = Path(path).read_text()
        return float(text.partition(after)[2].split()[0] if after else text)
    except (OSError, ValueError, IndexError):
        return float("inf")
