"""Forked roles: each begins as a program of its own would, and ends with the code of one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mizzen.compose import forking

# The parent is as the supervisor is: handlers of its own, open files, output into a file.
_PARENT = """
import json, os, pathlib, signal, sys, threading
from mizzen.compose import forking
folder = pathlib.Path(sys.argv[1])
held = os.open(folder / "held", os.O_CREAT | os.O_RDWR)
os.set_inheritable(held, True)
reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
signal.set_wakeup_fd(writer)
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, lambda *_: None)
heard, kept = os.pipe2(os.O_CLOEXEC)
output = os.open(folder / "output", os.O_CREAT | os.O_WRONLY)
def become():
    {become}
surroundings = forking.Surroundings(
    output, kept, folder / "cwd", {{"OWN": "here"}}, ["role", "--home", "x"])
pid = forking.spawn(surroundings, become)
os.close(kept)
said = b"".join(iter(lambda: os.read(heard, 65536), b""))
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL and os.getcwd() != folder / "cwd"
assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set() and not os.get_blocking(reader)
print(json.dumps([code, said.decode()]))
"""
_LOOK = """
    fds = {int(fd): os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
           if os.path.exists(f"/proc/self/fd/{fd}") or int(fd) < 3 or int(fd) == kept}
    print("seen")
    os.write(kept, json.dumps({
        "fds": fds, "kept": kept, "cwd": os.getcwd(), "own": os.environ["OWN"],
        "session": os.getsid(0) == os.getpid(),
        "term": signal.getsignal(signal.SIGTERM) is signal.SIG_DFL,
        "int": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
        "wakeup": signal.set_wakeup_fd(-1), "mask": list(signal.pthread_sigmask(0, ())),
        "words": pathlib.Path("/proc/self/cmdline").read_bytes().rstrip(b"\\0").decode(),
    }).encode())
"""


def _fork(tmp_path: Path, become: str) -> tuple[int, str, str]:
    """(exit code, what it said on the descriptor it kept, its output)"""
    (tmp_path / "cwd").mkdir()
    program = _PARENT.format(become=become.strip())
    with (tmp_path / "parents").open("wb") as output:
        output.write(b"a file has a position\n")
        output.flush()
        subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)], check=True, stdout=output, timeout=60
        )
    code, said = json.loads((tmp_path / "parents").read_text().splitlines()[-1])
    return code, said, (tmp_path / "output").read_text()


def test_nothing_of_the_parents_but_what_it_was_given(tmp_path: Path) -> None:
    code, said, output = _fork(tmp_path, _LOOK)
    found: dict[str, Any] = json.loads(said)
    assert code == 0 and output == "seen\n"
    kept = str(found["kept"])
    assert set(found["fds"]) == {"0", "1", "2", kept}
    assert found["fds"]["0"] == os.devnull
    assert found["fds"]["1"] == found["fds"]["2"] == str(tmp_path / "output")
    assert found["cwd"] == str(tmp_path / "cwd") and found["own"] == "here"
    assert found["session"] and found["term"] and found["int"]
    assert found["wakeup"] == -1 and found["mask"] == []
    assert found["words"].split("\0") == ["role", "--home", "x"]


@pytest.mark.parametrize(
    ("become", "code", "words"),
    [
        ("pass", 0, ""),
        ("raise SystemExit", 0, ""),
        ("raise SystemExit(3)", 3, ""),
        ("raise SystemExit('no room')", 1, "no room\n"),
        ("os.kill(os.getpid(), signal.SIGTERM)", -15, ""),
    ],
)
def test_ends_as_a_program_does(tmp_path: Path, become: str, code: int, words: str) -> None:
    assert _fork(tmp_path, become) == (code, "", words)


def test_an_error_is_told_with_its_traceback(tmp_path: Path) -> None:
    code, _, output = _fork(tmp_path, "raise ValueError('broken')")
    assert code == 1
    assert "Traceback" in output and output.endswith("ValueError: broken\n")


def test_the_folder_is_gone(tmp_path: Path) -> None:
    code, _, output = _fork(tmp_path, "(folder / 'never').touch()")
    assert code == 0 and (tmp_path / "never").exists()
    (tmp_path / "never").unlink()
    (tmp_path / "cwd").rmdir()
    program = _PARENT.format(become="(folder / 'never').touch()")
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], check=True, capture_output=True, text=True
    )
    assert json.loads(done.stdout) == [1, ""]
    assert "FileNotFoundError" in (tmp_path / "output").read_text()
    assert not (tmp_path / "never").exists()
    assert output == ""


def test_what_is_shared_starts_no_thread_and_opens_nothing() -> None:
    program = (
        "import os, threading\n"
        "from mizzen.compose import forking\n"
        "before = set(os.listdir('/proc/self/fd'))\n"
        "forking.load_shared()\n"
        "assert set(os.listdir('/proc/self/fd')) == before\n"
        "assert len(os.listdir('/proc/self/task')) == threading.active_count() == 1\n"
        "import gc; assert gc.get_freeze_count() > 10_000\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    assert len(forking.SHARED_MODULES) == len(set(forking.SHARED_MODULES))
