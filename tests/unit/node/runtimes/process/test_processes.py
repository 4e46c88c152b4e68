"""Who is killed with a run, and who never is: real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mizzen.node.runtimes.process.processes import kill_run, start_ticks, tree_pids
from support.waiting import until

UID = "11111111-2222-3333-4444-555555555555"
# A run as the shim starts it: leads a session, adopts orphans; with children of every kind.
LEADER = """
import ctypes, os, time
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
def child(*steps):
    if os.fork():
        return
    for step in steps:
        step()
    open(str(os.getpid()), "w").close()
    time.sleep(60)
    os._exit(0)
def again():
    if os.fork():
        os._exit(0)
child(), child(os.setsid), child(again, os.setsid, again), child(os.setsid, again, os.setsid)
open("leader", "w").close()
time.sleep(60)
"""


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    made: list[subprocess.Popen[bytes]] = []
    yield made
    for process in made:
        process.kill()
        process.wait()


def start(program: str, folder: Path, session: bool, uid: str = "") -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", program],
        cwd=folder,
        start_new_session=session,
        env={**os.environ, "POD_UID": uid},
    )


async def test_all_that_a_run_started_ends_with_it(
    tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    started.append(leader := start(LEADER, tmp_path, session=True, uid=UID))
    await until(lambda: len(list(tmp_path.iterdir())) == 5, "all of the run is there")
    others = [int(path.name) for path in tmp_path.iterdir() if path.name != "leader"]
    assert set(others) < set(tree_pids(leader.pid))
    assert kill_run(leader.pid, start_ticks(leader.pid), UID)
    leader.wait()
    await until(lambda: not any(start_ticks(pid) for pid in others), f"{others} ended")


SLEEP = "import time; time.sleep(60)"


@pytest.mark.parametrize("session", [False, True])
def test_a_stranger_that_a_record_names_lives(
    tmp_path: Path, started: list[subprocess.Popen[bytes]], session: bool
) -> None:
    """Even where the record has its pid and its very start: it is no run, or not that pod's."""
    started.append(stranger := start(SLEEP, tmp_path, session))
    ticks = start_ticks(stranger.pid)
    assert not kill_run(stranger.pid, ticks, UID)
    assert not kill_run(stranger.pid, ticks + 1)
    assert stranger.poll() is None


@pytest.mark.parametrize("pid", [0, 1, -1, -(2**31), 2**31, 2**64])
def test_numbers_that_name_many_or_the_first_signal_nobody(
    pid: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda *args: sent.append(args))  # it would end the machine
    monkeypatch.setattr(os, "killpg", lambda *args: sent.append(args))
    for ticks in (0, 1, start_ticks(1)):
        assert not kill_run(pid, ticks) and not kill_run(pid, ticks, UID)
    assert not kill_run(os.getpid(), start_ticks(os.getpid()))
    assert sent == []


async def test_a_run_that_is_stopped_ends_too(
    tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    started.append(leader := start(SLEEP, tmp_path, session=True))
    await until(lambda: os.getsid(leader.pid) == leader.pid, "it leads")
    leader.send_signal(signal.SIGSTOP)
    assert kill_run(leader.pid, start_ticks(leader.pid))
    assert leader.wait() == -signal.SIGKILL
