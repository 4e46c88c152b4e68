"""Hung, busy and paused told apart, with real processes."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mizzen.compose.pulse import (
    BETWEEN_LOOKS_S,
    BUSY_S_MAX,
    LOOK_S,
    SILENT_S_MAX,
    AwakeClock,
    Pulse,
)

_AFTER = int((SILENT_S_MAX + 1) * 1e9)
_LOOK_LATER = int(BETWEEN_LOOKS_S * 1e9)


def _is_hung(pulse: Pulse, now_ns: int) -> bool:
    return pulse.is_hung(now_ns, SILENT_S_MAX)


def _process(program: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


@pytest.fixture
def resting() -> Iterator[subprocess.Popen[bytes]]:
    for process in _process("import time; print(flush=True); time.sleep(60)"):
        while Path(f"/proc/{process.pid}/stat").read_text().split()[2] != "S":
            time.sleep(0.01)
        yield process


@pytest.fixture
def busy() -> Iterator[subprocess.Popen[bytes]]:
    yield from _process("print(flush=True)\nwhile True: pass")


def test_what_rests_in_silence_has_hung(resting: subprocess.Popen[bytes]) -> None:
    pulse = Pulse(resting.pid)
    assert not _is_hung(pulse, _AFTER), "it never beat: it may still be starting"
    pulse.beat(0)
    assert not _is_hung(pulse, _AFTER - 2 * _LOOK_LATER)
    assert not _is_hung(pulse, _AFTER), "one look cannot tell whether it works"
    assert not _is_hung(pulse, _AFTER + _LOOK_LATER // 2), "nor two in quick succession"
    assert _is_hung(pulse, _AFTER + _LOOK_LATER)
    pulse.beat(_AFTER + _LOOK_LATER)
    assert not _is_hung(pulse, _AFTER + 2 * _LOOK_LATER)


def test_what_computes_in_silence_is_given_longer(busy: subprocess.Popen[bytes]) -> None:
    pulse = Pulse(busy.pid)
    pulse.beat(0)
    for seconds in (11, 12, 50, int(BUSY_S_MAX)):
        before = time.process_time()
        while time.process_time() - before < 0.02:
            pass  # so that both have run for a tick and more
        assert not _is_hung(pulse, seconds * 10**9)
    assert _is_hung(pulse, int((BUSY_S_MAX + 1) * 1e9))


class _Clock:
    def __init__(self) -> None:
        self.at = 5

    def now_ns(self) -> int:
        return 0

    def monotonic_ns(self) -> int:
        return self.at


def test_a_pause_of_the_whole_machine_counts_as_one_look() -> None:
    clock = _Clock()
    awake = AwakeClock(clock)
    clock.at += 10**9
    assert awake.look() == 10**9
    clock.at += 3600 * 10**9
    assert awake.look() == 10**9 + int(2 * LOOK_S * 1e9)
