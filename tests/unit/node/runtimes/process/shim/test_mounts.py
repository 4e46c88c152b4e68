"""Folders at other paths, in a child of its own, where root may mount."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mizzen.node.runtimes.process.shim.mounts import show
from support.mounting import may_mount

_PROGRAM = """
import sys, pathlib
from mizzen.node.runtimes.process.shim.mounts import show
folder, where = sys.argv[1:]
shown = show([(folder, where)])
print(shown)
if shown:
    print((pathlib.Path(where) / "token").read_text())
    (pathlib.Path(folder) / "token").write_text("renewed")
    print((pathlib.Path(where) / "token").read_text())
    try:
        (pathlib.Path(where) / "more").write_text("")
    except OSError as error:
        print(error.strerror)
"""


@pytest.mark.skipif(not may_mount(), reason="only root may mount")
def test_a_folder_appears_for_one_process_alone(tmp_path: Path) -> None:
    folder, where = tmp_path / "folder", tmp_path / "not" / "there"
    folder.mkdir()
    (folder / "token").write_text("secret")
    argv = [sys.executable, "-c", _PROGRAM, str(folder), str(where)]
    said = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    assert said.splitlines() == ["True", "secret", "renewed", "Read-only file system"]
    assert list(where.iterdir()) == []


def test_nothing_is_done_for_nothing_and_failures_change_nothing(tmp_path: Path) -> None:
    assert show([])
    (tmp_path / "file").write_text("")
    assert not show([(str(tmp_path), str(tmp_path / "file"))])
