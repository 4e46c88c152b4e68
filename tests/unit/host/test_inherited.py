"""Processes started by careless parents."""

import subprocess
import sys
from pathlib import Path

import pytest

from mizzen.host.inherited import FILES_MIN


def _python(program: str, shell: str) -> subprocess.CompletedProcess[str]:
    """Runs the program as a shell does that says `shell` behind it."""
    command = f'exec "$0" -c "$1" {shell}'
    return subprocess.run(
        ["bash", "-c", command, sys.executable, program],
        capture_output=True,
        text=True,
        timeout=30,
    )


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">&- 2>&-"])
def test_files_never_take_the_numbers_of_closed_standard_ones(tmp_path: Path, closed: str) -> None:
    program = f"""
import os, sys
from mizzen.host.inherited import open_standard_files
open_standard_files()
print("to nowhere or to the pipe", flush=True)
print("the same", file=sys.stderr, flush=True)
sys.stdin.fileno()
opened = os.open({str(tmp_path / "own")!r}, os.O_CREAT | os.O_RDWR)
sys.exit(0 if opened > 2 and os.fstat(opened).st_size == 0 else 1)
"""
    assert _python(program, closed).returncode == 0


def test_a_umask_that_locks_the_owner_out_is_relaxed(tmp_path: Path) -> None:
    made = tmp_path / "made"
    program = f"""
import os
from mizzen.host.inherited import keep_own_rights
os.umask(0o777)
keep_own_rights()
os.mkdir({str(made)!r}, 0o700)
"""
    assert _python(program, "").returncode == 0
    assert made.stat().st_mode & 0o777 == 0o700


def test_the_limit_of_files_is_raised_and_one_that_is_too_low_is_named() -> None:
    program = """
import resource, sys
from mizzen.host.inherited import TooFewFiles, raise_file_limit
hard = int(sys.stdin.read())
resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
try:
    raise_file_limit()
except TooFewFiles as error:
    print(error)
else:
    print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""

    def said(hard: int) -> str:
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, input=str(hard), capture_output=True, text=True, timeout=30)
        return done.stdout.strip()

    assert said(512) == "512"
    assert f"at least {FILES_MIN} are needed" in said(100) and "ulimit" in said(100)
