"""The supervisor with real processes: tiny programs in the place of the roles."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mizzen.compose.state import InstanceState, running_instance, take_lock
from mizzen.host.home import Home
from mizzen.host.process import ProcessId, wait_until_gone

_ROLE = """
import os, signal, sys
name, ready = sys.argv[1], int(sys.argv[sys.argv.index("--ready-fd") + 1])
from mizzen.host.process import die_with_parent
die_with_parent(int(sys.argv[sys.argv.index("--parent") + 1]))
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
os.write(ready, b"ready")
print(name, "runs", flush=True)
signal.sigwait({signal.SIGTERM})
print(name, "stops", flush=True)
open("order", "a").write(name + " ")
"""
_SUPERVISE = """
import os, sys
from mizzen.compose.supervisor import Supervisor
from mizzen.host.clock import RealClock
from mizzen.host.home import Home
program = sys.argv[2]
home = Home.locate(sys.argv[1], {})
roles = [("apiserver", "https://here"), ("node", ""), ("gateway", "")]
report = lambda event, message: print(event, message, flush=True)
command = lambda role: [sys.executable, "-c", program, role]
raise SystemExit(Supervisor(home, RealClock(), roles, command, report).run())
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home.locate(str(tmp_path), {})
    home.make()
    return home


@pytest.fixture
def start(home: Home) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def start(program: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", _SUPERVISE, str(home.root), program]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def _said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def _until(home: Home, condition: Callable[[InstanceState], bool]) -> InstanceState:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        state = running_instance(home)
        if state is not None and condition(state):
            return state
        time.sleep(0.02)
    raise AssertionError(f"not in 20 s; last: {running_instance(home)}")


def test_a_role_that_dies_is_started_again_and_stops_in_order(
    home: Home, start: Callable[[str], subprocess.Popen[str]]
) -> None:
    process = start(_ROLE)
    assert _said(process) == "ready \n"
    state = _until(home, lambda s: all(r.ready for r in s.roles))
    os.kill(state.roles[1].pid, signal.SIGKILL)
    state = _until(home, lambda s: s.roles[1].restarts == 1 and s.roles[1].ready)
    assert state.roles[0].address == "https://here"
    process.terminate()
    assert process.wait(20) == 0
    assert (home.state / "order").read_text().split() == ["gateway", "node", "apiserver"]
    assert (home.logs / "node.log").read_text().splitlines() == [
        "node runs",
        "node runs",
        "node stops",
    ]
    assert running_instance(home) is None


def test_a_role_that_never_starts_ends_the_first_start_with_its_last_words(
    start: Callable[[str], subprocess.Popen[str]],
) -> None:
    process = start("raise SystemExit('no such luck')")
    assert "does not start: no such luck" in _said(process)
    assert process.wait(20) == 1


def test_roles_die_with_a_killed_supervisor(
    home: Home, start: Callable[[str], subprocess.Popen[str]]
) -> None:
    process = start(_ROLE)
    assert _said(process) == "ready \n"
    state = _until(home, lambda s: all(r.ready for r in s.roles))
    process.kill()
    for role in state.roles:
        assert wait_until_gone(ProcessId(role.pid, role.start), 10)
    assert running_instance(home) is None
    assert json.loads((home.run / "supervisor.json").read_text())["pid"] == process.pid


def test_only_one_supervisor_holds_the_lock(home: Home) -> None:
    lock = take_lock(home)
    assert lock is not None
    assert take_lock(home) is None
    os.close(lock)
    again = take_lock(home)
    assert again is not None
    os.close(again)
