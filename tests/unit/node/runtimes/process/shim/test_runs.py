"""What the kernel says of kills at a memory limit, in both of its forms."""

from __future__ import annotations

from pathlib import Path

import pytest

from mizzen.node.runtimes.process.shim.runs import oom_kills, oom_kills_anywhere

V1 = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"
V2 = "low 0\nhigh 0\nmax 9\noom 4\noom_kill 2\noom_group_kill 1\n"


@pytest.mark.parametrize(
    ("name", "text", "count"),
    [("memory.oom_control", V1, 3), ("memory.events", V2, 2), ("memory.events", "max 1\n", 0)],
)
def test_kills_are_counted(tmp_path: Path, name: str, text: str, count: int) -> None:
    (tmp_path / name).write_text(text)
    assert (
        oom_kills([str(tmp_path / "gone" / "cgroup.procs"), str(tmp_path / "cgroup.procs")])
        == count
    )


def test_without_groups_nobody_was_killed(tmp_path: Path) -> None:
    assert oom_kills([]) == 0 and oom_kills([str(tmp_path / "cgroup.procs")]) == 0


def test_kills_anywhere_on_the_machine_are_counted() -> None:
    counted = Path("/proc/vmstat").read_text().partition("\noom_kill ")[2].split()
    assert oom_kills_anywhere() >= int(counted[0] if counted else 0)
