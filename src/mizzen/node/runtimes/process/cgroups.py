"""Control groups where this process may make them, and an honest word where it may not.

Modes: "cgroup-v2" (a delegated subtree with the cpu controller), "cgroup-v1" (hybrid hosts),
"best-effort" (affinity and nice only; CPU time then comes from /proc). Groups are made
below the group this process is in, so limits set on Mizzen hold for its pods.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from mizzen.node.runtimes.interface import Resources
from mizzen.node.runtimes.process.processes import tree_cpu_ns

Mode = Literal["cgroup-v1", "cgroup-v2", "best-effort"]
PERIOD_US = 20_000  # short, so that a half core is many small slices and not 50 ms on, 50 ms off
WORKLOAD_WEIGHT = 256  # cpu.shares of all pods together; Mizzen's own processes have 1024 each
KILL_ROUNDS = 50


class Cgroups:
    """One instance's groups: a base group and one below it for each pod.

    `roots`: controller ("cpu", "cpuacct", "memory", "pids"; "" for v2) -> the base group.
    """

    def __init__(self, mode: Mode, roots: dict[str, Path]) -> None:
        self.mode: Mode = mode
        self._roots = roots

    @classmethod
    def detect(cls, instance: str) -> Cgroups:
        """The best mode that works here, tried out and not guessed."""
        name = f"mizzen-{instance}"
        return _detect_v1(name) or _detect_v2(name) or cls("best-effort", {})

    @property
    def controllers(self) -> set[str]:
        """Of "cpu", "cpuacct", "memory" and "pids" those whose limits and counts hold here."""
        v2 = self._roots.get("")
        if v2 is None:
            return set(self._roots)
        try:
            return set((v2 / "cgroup.subtree_control").read_text().split())
        except OSError:
            return set()

    def create(self, uid: str, resources: Resources) -> list[str]:
        """Makes a pod's groups; returns the files a process writes "0" to, to join them."""
        joins: list[str] = []
        for controller, root in self._roots.items():
            if controller == "memory" and resources.memory_bytes is None:
                continue
            group = root / uid
            with contextlib.suppress(OSError):
                root.mkdir(exist_ok=True)
                group.mkdir(exist_ok=True)
                _limit(controller, group, resources)
                joins.append(str(group / "cgroup.procs"))
        return joins

    def resize(self, uid: str, resources: Resources) -> None:
        """Changes the limits of a pod's groups; memory only where it was limited before: under v1
        no process moves into another group for it."""
        for controller, root in self._roots.items():
            with contextlib.suppress(OSError):
                _limit(controller, root / uid, resources, lifts=True)

    def cpu_ns(self, uid: str, pids: Iterable[int]) -> int:
        """CPU time of the pod so far, in ns; the kernel's own sum where there is a group."""
        try:
            if self.mode == "cgroup-v1":
                return int((self._roots["cpuacct"] / uid / "cpuacct.usage").read_text())
            if self.mode == "cgroup-v2":
                text = (self._roots[""] / uid / "cpu.stat").read_text()
                return int(text.split("usage_usec", 1)[1].split()[0]) * 1000
        except (OSError, ValueError, IndexError):
            pass
        return sum(tree_cpu_ns(pid) for pid in pids)

    def members(self, uid: str) -> list[int]:
        """Pids in the pod's group, [] without groups."""
        for controller in ("", "cpuacct", "cpu"):
            root = self._roots.get(controller)
            if root is not None:
                with contextlib.suppress(OSError):
                    return [int(p) for p in (root / uid / "cgroup.procs").read_text().split()]
        return []

    def remove(self, uid: str) -> None:
        """Kills what is still in the pod's groups and removes them."""
        for round_number in range(KILL_ROUNDS):
            pids = self.members(uid)
            for pid in pids:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            if not pids:
                break
            time.sleep(0.001 * min(round_number + 1, 10))
        for root in self._roots.values():
            with contextlib.suppress(OSError):
                (root / uid).rmdir()

    def clean(self, keep: Iterable[str] = ()) -> None:
        """Removes the groups of pods that are not in `keep`: leftovers of a dead instance."""
        kept = set(keep)
        for root in self._roots.values():
            with contextlib.suppress(OSError):
                for entry in list(root.iterdir()):
                    if entry.is_dir() and entry.name not in kept:
                        self.remove(entry.name)

    def close(self) -> None:
        """Removes everything that this instance made."""
        self.clean()
        for root in self._roots.values():
            with contextlib.suppress(OSError):
                root.rmdir()


def _limit(controller: str, group: Path, resources: Resources, lifts: bool = False) -> None:
    """Writes what is limited; with `lifts` also that something is not any more. Errors: OSError."""
    v2 = controller == ""
    none = "max" if v2 else "-1"
    if controller in ("", "cpu") and (lifts or resources.cpu_milli is not None):
        milli = resources.cpu_milli
        quota = none if milli is None else str(milli * PERIOD_US // 1000)
        if v2:
            (group / "cpu.max").write_text(f"{quota} {PERIOD_US}")
        else:
            (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (group / "cpu.cfs_quota_us").write_text(quota)
    if controller in ("", "memory") and (lifts or resources.memory_bytes is not None):
        limit = none if resources.memory_bytes is None else str(resources.memory_bytes)
        name = "memory.max" if v2 else "memory.limit_in_bytes"
        swap = "memory.swap.max" if v2 else "memory.memsw.limit_in_bytes"
        beyond = limit if not v2 or resources.memory_bytes is None else "0"
        # No swap beyond the limit, where it is counted; v1 takes no limit above that of both, so
        # one that rises is written again.
        for file, value in ((name, limit), (swap, beyond), (name, limit)):
            with contextlib.suppress(OSError):
                (group / file).write_text(value)
    if controller in ("", "pids") and (lifts or resources.pids is not None):
        with contextlib.suppress(OSError):
            (group / "pids.max").write_text(str(resources.pids or "max"))


def _detect_v1(name: str) -> Cgroups | None:
    own = _own_paths()
    mounts = _mounts("cgroup")
    roots: dict[str, Path] = {}
    for controller in ("cpu", "cpuacct", "memory", "pids"):
        mount = next((m for options, m in mounts if controller in options), None)
        if mount is None or controller not in own:
            continue
        root = mount / own[controller].lstrip("/") / name
        if root in roots.values():  # cpu and cpuacct mounted together
            roots[controller] = root
            continue
        if controller == "memory":  # made only when a pod asks for a memory limit
            if os.access(root.parent, os.W_OK):
                roots[controller] = root
            continue
        with contextlib.suppress(OSError):
            root.mkdir(exist_ok=True)
            roots[controller] = root
    if "cpu" not in roots or "cpuacct" not in roots:
        for root in roots.values():
            with contextlib.suppress(OSError):
                root.rmdir()
        return None
    with contextlib.suppress(OSError):
        (roots["cpu"] / "cpu.shares").write_text(str(WORKLOAD_WEIGHT))
    return Cgroups("cgroup-v1", roots)


def _detect_v2(name: str) -> Cgroups | None:
    own = _own_paths().get("")
    mount = next((m for _, m in _mounts("cgroup2")), None)
    if own is None or mount is None:
        return None
    parent = mount / own.lstrip("/")
    while parent.is_relative_to(mount) and os.access(parent / "cgroup.procs", os.W_OK):
        root = parent / name
        with contextlib.suppress(OSError):
            root.mkdir(exist_ok=True)
            if _works_v2(root):
                return Cgroups("cgroup-v2", {"": root})
            root.rmdir()
        if parent == mount:
            break
        parent = parent.parent
    return None


def _works_v2(root: Path) -> bool:
    """True if a child of `root` gets a CPU limit and takes a process."""
    have = (root / "cgroup.controllers").read_text().split()
    if "cpu" not in have:
        return False
    wanted = " ".join(f"+{c}" for c in ("cpu", "memory", "pids") if c in have)
    (root / "cgroup.subtree_control").write_text(wanted)
    with contextlib.suppress(OSError):
        (root / "cpu.weight").write_text("25")
    probe = root / "probe"
    probe.mkdir(exist_ok=True)
    joined = subprocess.run(
        ["/bin/sh", "-c", f"echo 0 > '{probe}/cgroup.procs'"],
        check=False,
        stderr=subprocess.DEVNULL,
    )
    probe.rmdir()
    return joined.returncode == 0


def _own_paths() -> dict[str, str]:
    """Controller -> path of the group this process is in; "" is v2's."""
    paths: dict[str, str] = {}
    try:
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            for controller in controllers.split(","):
                paths[controller] = path
    except OSError:
        return {}
    return paths


def _mounts(kind: str) -> list[tuple[set[str], Path]]:
    """(mount options, mount point) of each mounted hierarchy of this kind."""
    result: list[tuple[set[str], Path]] = []
    try:
        for line in Path("/proc/self/mounts").read_text().splitlines():
            _, point, fs_type, options, *_ = line.split()
            if fs_type == kind:
                result.append((set(options.split(",")), Path(point)))
    except OSError:
        return []
    return result
