"""Commands and their recorded output, one file per subject in cli/.

A file holds blocks `$ command` followed by what it prints (standard output, then standard error)
and `[exit N]` where N is not 0. `make accept` writes them anew; review the diff.
Each file runs in a fresh folder ($HOME, current directory), which prints as HOME.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_FILES = sorted((Path(__file__).parent / "cli").glob("*.txt"))


@pytest.mark.parametrize("path", _FILES, ids=lambda path: path.stem)
def test_commands_print_what_was_recorded(path: Path, tmp_path: Path) -> None:
    recorded = path.read_text()
    lines = [line for line in recorded.splitlines() if line.startswith(("$ ", "# "))]
    seen = "\n".join(_replay(line, tmp_path) for line in lines)
    if os.environ.get("MIZZEN_ACCEPT"):
        path.write_text(seen)
    else:
        assert seen == recorded


def _replay(line: str, home: Path) -> str:
    if line.startswith("# "):
        return line + "\n"
    env = {"HOME": str(home), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    env |= {"COLUMNS": "96", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        ["bash", "-c", line[2:]], env=env, cwd=home, capture_output=True, text=True, timeout=60
    )
    said = (done.stdout + done.stderr).replace(str(home), "HOME")
    code = f"[exit {done.returncode}]\n" if done.returncode else ""
    return f"{line}\n{said}{code}"
