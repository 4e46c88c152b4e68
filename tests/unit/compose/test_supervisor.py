"""The supervisor with real processes: tiny programs in the place of the roles."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mizzen.compose.state import (
    InstanceState,
    RoleState,
    ended_uncleanly,
    running_instance,
    take_lock,
    take_stopped,
    write_state,
)
from mizzen.host.home import Home
from mizzen.host.process import ProcessId, identify, wait_until_gone

PATIENCE_S = 60  # a busy machine takes its time
_ROLE = """
import os, signal, sys
name, ready = sys.argv[1], int(sys.argv[sys.argv.index("--ready-fd") + 1])
from mizzen.host.process import die_with_parent
die_with_parent(int(sys.argv[sys.argv.index("--parent") + 1]))
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
from mizzen.compose.role_clock import NOT_BEFORE, role_clock
assert 0 < int(os.environ[NOT_BEFORE]) <= role_clock().now_ns()
print(name, "runs", flush=True)
os.write(ready, b"ready")
signal.sigwait({signal.SIGTERM})
print(name, "stops", flush=True)
open("order", "a").write(name + " ")
"""
# Beats until it is told to block: as a role does whose loop is held up by a call.
_BEATING = """
import os, pathlib, signal, sys, time
name, ready = sys.argv[1], int(sys.argv[sys.argv.index("--ready-fd") + 1])
from mizzen.host.process import die_with_parent
die_with_parent(int(sys.argv[sys.argv.index("--parent") + 1]))
os.write(ready, b"ready\\n.")
blocked = pathlib.Path(name + ".blocks")
while not blocked.exists():
    os.write(ready, b".")
    time.sleep(0.05)
if blocked.read_text() == "once":
    blocked.unlink()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("blocks", flush=True)
time.sleep(600)
"""
# The node's agent has much to read; what it says arrives in pieces and in one.
_SYNCING = """
import pathlib, time
if name == "node":
    os.write(ready, b"syncing 2000\\n")
    os.write(ready, b"syncing 9000\\n")
    while not pathlib.Path("read").exists():
        time.sleep(0.01)
os.write(ready, b"ready\\n")
"""
_SUPERVISE = """
import os, sys
from mizzen.compose import pulse, supervisor
# So short that a test need not wait; what they are is in test_pulse.
pulse.BETWEEN_LOOKS_S, supervisor.SILENT_S_MAX, supervisor.STOPPING_SILENT_S_MAX = 0.2, 1.5, 0.5
supervisor.LOOK_S = pulse.LOOK_S = 0.2
from mizzen.compose.state import take_lock
from mizzen.compose.supervisor import Supervisor
from mizzen.host.clock import RealClock
from mizzen.host.home import Home
program = sys.argv[2]
home = Home.locate(sys.argv[1], {})
lock = take_lock(home)
roles = [("apiserver", "https://here"), ("node", ""), ("gateway", "")]
report = lambda event, message: print(event, message, flush=True)
command = lambda role: [sys.executable, "-c", "", role]
def become(role, words):
    sys.argv = ["-c", role, *words]
    exec(compile(program, role, "exec"), {"__name__": "__main__"})
end_pods = lambda: "the pods were ended"
raise SystemExit(Supervisor(home, RealClock(), roles, command, become, report, end_pods).run())
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
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        state = running_instance(home)
        if state is not None and state.roles and condition(state):
            return state
        time.sleep(0.02)
    raise AssertionError(f"not in {PATIENCE_S} s; last: {running_instance(home)}")


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
    assert process.wait(PATIENCE_S) == 0
    assert (home.state / "order").read_text().split() == ["gateway", "node", "apiserver"]
    assert (home.logs / "node.log").read_text().splitlines() == [
        "node runs",
        "node runs",
        "node stops",
    ]
    assert running_instance(home) is None


def test_a_role_that_still_reads_a_large_store_holds_up_nobody(
    home: Home, start: Callable[[str], subprocess.Popen[str]]
) -> None:
    process = start(_ROLE.replace('os.write(ready, b"ready")', _SYNCING))
    assert _said(process) == "ready node\n"
    syncing = _until(home, lambda s: s.roles[1].syncing == 9000)
    assert [role.condition for role in syncing.roles] == ["Running", "Syncing", "Running"]
    (home.state / "read").touch()
    state = _until(home, lambda s: s.roles[1].ready)
    assert (state.roles[1].condition, state.roles[1].syncing) == ("Running", 0)
    process.terminate()
    assert process.wait(PATIENCE_S) == 0


def test_a_role_that_never_starts_ends_the_first_start_with_its_last_words(
    start: Callable[[str], subprocess.Popen[str]],
) -> None:
    process = start("raise SystemExit('no such luck')")
    assert "does not start: exit code 1: no such luck" in _said(process)
    assert process.wait(PATIENCE_S) == 1


def test_roles_die_with_a_killed_supervisor(
    home: Home, start: Callable[[str], subprocess.Popen[str]]
) -> None:
    process = start(_ROLE)
    assert _said(process) == "ready \n"
    state = _until(home, lambda s: all(r.ready for r in s.roles))
    process.kill()
    for role in state.roles:
        assert wait_until_gone(ProcessId(role.pid, role.start), PATIENCE_S)
    assert running_instance(home) is None
    assert json.loads((home.run / "supervisor.json").read_text())["pid"] == process.pid


def test_a_role_that_hangs_is_killed_and_started_again_with_the_reason(
    home: Home, start: Callable[[str], subprocess.Popen[str]]
) -> None:
    process = start(_BEATING)
    assert _said(process) == "ready \n"
    before = _until(home, lambda s: all(r.ready for r in s.roles))
    (home.state / "node.blocks").write_text("once")
    silent = _until(home, lambda s: s.roles[1].condition == "NotResponding")
    assert silent.roles[0].condition == "Running"
    after = _until(home, lambda s: s.roles[1].restarts == 1 and s.roles[1].ready)
    assert "did not answer for" in after.roles[1].reason and "killed" in after.roles[1].reason
    assert after.roles[0].pid == before.roles[0].pid
    os.kill(after.roles[2].pid, signal.SIGSTOP)
    stopped = _until(home, lambda s: s.roles[2].restarts == 1 and s.roles[2].ready)
    assert "did not answer for" in stopped.roles[2].reason


def test_a_role_that_dies_again_and_again_waits_longer_and_says_why(
    home: Home, start: Callable[[str], subprocess.Popen[str]]
) -> None:
    dies = 'if sys.argv[1] == "node" and pathlib.Path("dies").exists(): sys.exit("no memory")'
    process = start(_BEATING.replace("os.write(ready", f"{dies}\nos.write(ready", 1))
    assert _said(process) == "ready \n"
    state = _until(home, lambda s: all(r.ready for r in s.roles))
    (home.state / "dies").touch()
    os.kill(state.roles[1].pid, signal.SIGKILL)
    state = _until(home, lambda s: "again and again" in s.roles[1].reason)
    assert state.roles[1].condition == "Restarting"
    assert state.roles[1].reason.startswith("exit code 1: no memory")
    assert state.roles[1].restarts == 6, "0.1 s, doubled until people notice"


def test_a_pause_of_everything_ends_nobody(
    home: Home, start: Callable[[str], subprocess.Popen[str]]
) -> None:
    process = start(_BEATING)
    assert _said(process) == "ready \n"
    state = _until(home, lambda s: all(r.ready for r in s.roles))
    pids = [process.pid, *(role.pid for role in state.roles)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(2.0)  # longer than a role may be silent
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    time.sleep(1.0)
    state = _until(home, lambda s: all(r.ready for r in s.roles))
    assert [role.restarts for role in state.roles] == [0, 0, 0]


def test_what_does_not_answer_is_killed_when_the_instance_stops_and_named(
    home: Home, start: Callable[[str], subprocess.Popen[str]]
) -> None:
    process = start(_BEATING)
    assert _said(process) == "ready \n"
    _until(home, lambda s: all(r.ready for r in s.roles))
    (home.state / "node.blocks").write_text("for ever")
    _until(home, lambda s: (home.logs / "node.log").exists())
    process.terminate()
    assert process.wait(PATIENCE_S) == 0
    node, pods = take_stopped(home)
    assert node.startswith("node did not answer for") and node.endswith("and was killed")
    assert pods == "the pods were ended"
    assert take_stopped(home) == []


@pytest.mark.parametrize(
    "record", [b"", b"{", b"[]", b"\xff", b'{"pid": -1}', b'{"pid": "1", "roles": 3}', None]
)
def test_a_damaged_record_hides_no_instance(
    home: Home, start: Callable[[str], subprocess.Popen[str]], record: bytes | None
) -> None:
    assert running_instance(home) is None
    lock = take_lock(home)
    assert lock is not None
    path = home.run / "supervisor.json"
    if record is not None:
        path.write_bytes(record)
    found = running_instance(home)
    assert found is not None and found.pid == os.getpid() and found.roles == ()
    os.close(lock)
    assert running_instance(home) is None
    assert ended_uncleanly(home) == path.exists()


def test_a_stranger_with_the_recorded_pid_is_not_the_supervisor(home: Home) -> None:
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        known = identify(stranger.pid)
        assert known is not None
        write_state(home, InstanceState(known.pid, known.start, 0, ()))
        assert running_instance(home) is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_full_disk_and_a_closed_terminal_take_no_supervisor_down(
    home: Home, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", _SUPERVISE, str(home.root), _ROLE]
    reader, writer = os.pipe()
    with open("/dev/full", "wb") as full:
        process = subprocess.Popen(command, stdout=writer, stderr=full)
    try:
        os.close(writer)
        with os.fdopen(reader) as terminal:
            assert terminal.readline() == "ready \n"
        state = _until(home, lambda s: all(r.ready for r in s.roles))
        os.kill(state.roles[2].pid, signal.SIGKILL)
        _until(home, lambda s: s.roles[2].restarts == 1 and s.roles[2].ready)
        process.terminate()
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        process.wait()


def test_a_record_is_renewed_where_it_lies_when_there_is_no_room(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = take_lock(home)
    assert lock is not None
    me = identify(os.getpid())
    assert me is not None
    role = RoleState("node", 5, 6, "", 7, 0, True, reason="a long word that goes")
    write_state(home, InstanceState(me.pid, me.start, 0, (role,)))

    def no_room(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("mizzen.compose.state.write_atomically", no_room)
    write_state(
        home, InstanceState(me.pid, me.start, 0, (RoleState("node", 8, 9, "", 7, 1, True),))
    )
    found = running_instance(home)
    assert found is not None and found.roles[0].pid == 8 and found.roles[0].restarts == 1
    os.close(lock)


def test_only_one_supervisor_holds_the_lock(home: Home) -> None:
    lock = take_lock(home)
    assert lock is not None
    assert take_lock(home) is None
    os.close(lock)
    again = take_lock(home)
    assert again is not None
    os.close(again)
