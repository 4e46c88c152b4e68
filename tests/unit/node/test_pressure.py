"""What the machine is short of is said, and what it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from mizzen.node import pressure

NONE = {"MemoryPressure": False, "DiskPressure": False, "PIDPressure": False}


def now(folder: Path) -> dict[str, bool]:
    return {p.kind: p.is_true for p in pressure.look(folder)}


@pytest.mark.parametrize(
    ("bound", "kind"),
    [
        ("MEMORY_FREE_BYTES_MIN", "MemoryPressure"),
        ("DISK_FREE_BYTES_MIN", "DiskPressure"),
        ("PROCESSES_FREE_MIN", "PIDPressure"),
    ],
)
def test_each_is_said_by_its_own_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str, kind: str
) -> None:
    for other in ("MEMORY_FREE_BYTES_MIN", "DISK_FREE_BYTES_MIN", "PROCESSES_FREE_MIN"):
        monkeypatch.setattr(pressure, other, 0)
    assert now(tmp_path) == NONE
    monkeypatch.setattr(pressure, bound, 1 << 60)
    assert now(tmp_path) == NONE | {kind: True}
    (said,) = [p for p in pressure.look(tmp_path) if p.is_true]
    assert said.reason.startswith("KubeletHas") and "Sufficient" not in said.reason


def test_a_folder_that_cannot_be_written_has_no_room(tmp_path: Path) -> None:
    assert now(tmp_path / "gone")["DiskPressure"]
    assert now(Path("/proc"))["DiskPressure"]  # where nothing can be kept
