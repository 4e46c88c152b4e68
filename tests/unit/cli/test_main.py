"""The command in surroundings that nobody tested it in: locales, paths, closed files, strangers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
STRANGER = 12345


def mizzen(*words: str | bytes, shell: str = "", **env: str) -> subprocess.CompletedProcess[bytes]:
    """Runs the command as a shell does that says `shell` behind it."""
    kept = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    return subprocess.run(
        ["bash", "-c", f'exec "$0" -m mizzen.cli "$@" {shell}', sys.executable, *words],
        env=kept | env,
        capture_output=True,
        timeout=60,
        cwd="/",
    )


def one_line(done: subprocess.CompletedProcess[bytes], code: int) -> str:
    """What it said: a single line, no trace, and this exit code."""
    said = done.stderr.decode()
    assert done.returncode == code, said
    assert said.startswith("mizzen") and said.count("\n") == 1 and "Traceback" not in said, said
    return said


@pytest.mark.parametrize("env", [{}, C_LOCALE, {"LANG": "xx"}])
def test_names_are_utf8_in_every_locale(tmp_path: Path, env: dict[str, str]) -> None:
    script = tmp_path / "tra in ü.py"
    script.touch()
    home = str(tmp_path / "mïz zen 'q\"%s$x#y")
    done = mizzen("--home", home, "train", str(script), **env)
    assert f"home {home}" in one_line(done, 3)
    gone = mizzen("train", str(tmp_path / "fehlt ü.py"), **env)
    assert "fehlt ü.py does not exist" in one_line(gone, 4)


def test_names_that_are_no_text_are_refused(tmp_path: Path) -> None:
    word = os.fsencode(tmp_path) + b"/a\xff.py"
    assert "is not UTF-8" in one_line(mizzen("train", word), 2)
    assert "is not UTF-8" in one_line(mizzen("status", MIZZEN_HOME="/tmp/a\udcff"), 1)


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give files away")
def test_what_belongs_to_another_user_is_named_with_its_owner(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    os.chown(tmp_path / "state", STRANGER, STRANGER)
    said = one_line(
        raising(f"PermissionError(13, 'Permission denied', {str(tmp_path)!r} + '/state/x')"), 1
    )
    assert (
        f"{tmp_path}/state/x: Permission denied; {tmp_path}/state belongs to user {STRANGER}"
        in said
    )
    assert "belongs to" not in one_line(raising(f"PermissionError(13, 'no', {str(tmp_path)!r})"), 1)


def test_a_full_or_read_only_disk_is_told_with_what_to_do() -> None:
    said = one_line(raising("OSError(28, 'No space left on device', '/h/x')"), 1)
    assert "/h/x: No space left on device; free some space, or" in said
    said = one_line(raising("OSError(30, 'Read-only file system', '/h')"), 1)
    assert "/h: Read-only file system; choose another folder with --home" in said
    assert "--home" not in one_line(raising("OSError(28, 'No space left on device')"), 1)


def test_a_present_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    program = "import os, sys; os.chdir(sys.argv[1]); os.rmdir(sys.argv[1]); "
    program += "from mizzen.cli.main import main; sys.exit(main(['serve', 'x.gguf']))"
    done = subprocess.run(
        [sys.executable, "-c", program, str(gone)], capture_output=True, timeout=60
    )
    assert "the present folder is gone: change into one that is there" in one_line(done, 1)


def test_nothing_is_imported_from_the_users_pythonpath(tmp_path: Path) -> None:
    for name in ("json", "argparse", "asyncio", "orjson"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong one')")
    home = ("--home", str(tmp_path / "h"))
    done = mizzen(*home, "status", "-o", "json", PYTHONPATH=str(tmp_path))
    assert "is not running" in one_line(done, 3)


@pytest.mark.parametrize("shell", [">&-", "<&- >&- 2>&-", "| head -0"])
def test_closed_standard_files_are_no_reason_for_a_trace(tmp_path: Path, shell: str) -> None:
    done = mizzen("version", shell=shell)
    assert done.returncode == 0 and done.stderr == b""


def raising(error: str, **env: str) -> subprocess.CompletedProcess[bytes]:
    """A command that ends in this error."""
    program = (
        "import sys, mizzen.cli.main as m\n"
        "def run(words): raise " + error + "\n"
        "m._run = run; sys.exit(m.main(['ps']))"
    )
    return subprocess.run(
        [sys.executable, "-c", program],
        env={"PATH": os.environ["PATH"]} | env,
        capture_output=True,
        timeout=60,
    )


def test_an_internal_error_leaves_its_trace_to_the_owner_alone(tmp_path: Path) -> None:
    assert "ZeroDivisionError" in one_line(raising("ZeroDivisionError", TMPDIR=str(tmp_path)), 1)
    (trace,) = tmp_path.iterdir()
    assert trace.stat().st_mode & 0o777 == 0o600 and "Traceback" in trace.read_text()
