import os
import signal
import subprocess
import sys

from mizzen.host import process


def _sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])


def test_identity_survives_and_ends_with_the_process() -> None:
    child = _sleeper()
    identity = process.identify(child.pid)
    assert identity is not None and identity.alive
    assert process.resident_bytes(child.pid) > 0
    assert 0 < process.proportional_bytes(child.pid) <= process.resident_bytes(child.pid)
    assert not process.wait_until_gone(identity, 0.01)
    assert process.send(identity, signal.SIGKILL)
    assert process.wait_until_gone(identity, 10)
    child.wait()
    assert not identity.alive
    assert process.resident_bytes(child.pid) == process.proportional_bytes(child.pid) == 0


def test_another_process_under_the_same_pid_is_never_signalled() -> None:
    child = _sleeper()
    try:
        identity = process.identify(child.pid)
        assert identity is not None
        impostor = process.ProcessId(identity.pid, identity.start - 1)
        assert not impostor.alive
        assert not process.send(impostor, signal.SIGKILL)
        assert identity.alive
    finally:
        child.kill()
        child.wait()


def test_children_die_with_their_parent() -> None:
    child = "import os, time; from mizzen.host.process import *; die_with_parent(os.getppid()); print(os.getpid(), flush=True); time.sleep(60)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        grandchild = process.identify(int(running.stdout.readline()))
        assert grandchild is not None
        os.kill(running.pid, signal.SIGKILL)
        assert process.wait_until_gone(grandchild, 10)


def test_a_process_has_its_title_and_goes_on_where_it_can_have_none() -> None:
    code = """
import sys
from mizzen.host.process import Path, set_title
set_title("mizzen-scheduler-of-nodes")
print(Path("/proc/self/comm").read_text().strip())
Path.write_text = lambda *_: open("/proc/none/comm", "w")
set_title("another")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("mizzen-schedule\n", "")


def test_a_command_line_that_has_no_room_is_left_as_it_is() -> None:
    program = (
        "import sys; from pathlib import Path; from mizzen.host.process import set_command_line\n"
        "shown = lambda: Path('/proc/self/cmdline').read_bytes().rstrip(b'\\0').split(b'\\0')\n"
        "before = shown()\n"
        "set_command_line(['x' * 10_000])\n"
        "assert shown() == before\n"
        "set_command_line(['role', 'of', 'few', 'words'])\n"
        "assert shown() == [b'role', b'of', b'few', b'words'] and sys.argv == ['-c']\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
