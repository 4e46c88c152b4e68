"""Pods end without an agent: a real shim is told, or killed where it does not answer."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mizzen.host.clock import RealClock
from mizzen.node.podfiles import PodFiles
from mizzen.node.runtimes.process import ending
from mizzen.node.runtimes.process.processes import is_alive
from mizzen.node.runtimes.process.shim_client import Shim
from support.waiting import until


class Moment(RealClock):
    """The real clock, but for the time of day."""

    def now_ns(self) -> int:
        return NOW


NOW = 1_700_000_000_000_000_000
CLOCK = Moment()
UID = "uid-of-pod"


def end_pods(state_dir: Path) -> str:
    return ending.end_pods(state_dir, CLOCK)


class Runs:
    """A shim that was left with runs, and what is known of its processes."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self.started: dict[str, dict[str, Any]] = {}
        self.shim = Shim(state_dir, self._heard)

    def _heard(self, message: dict[str, Any]) -> None:
        if message["event"] == "started":
            self.started[message["key"]] = message

    async def start(self, *programs: list[str]) -> None:
        await self.shim.connect()
        files = PodFiles(self.state_dir / "pods", UID)
        for number, argv in enumerate(programs):
            self.shim.spawn(
                {
                    "key": f"{UID}/main/{number}",
                    "argv": argv,
                    "env": {"PATH": os.environ["PATH"], "POD_UID": UID},
                    "cwd": str(self.state_dir),
                    "log": str(files.log("main", number)),
                    "record": str(files.record("main", number)),
                }
            )
        await until(lambda: len(self.started) == len(programs), "all runs started", 60)
        await self.shim.close()

    def is_alive(self, number: int) -> bool:
        run = self.started[f"{UID}/main/{number}"]
        return is_alive(run["pid"], run["ticks"])


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    runs = Runs(tmp_path)
    yield runs
    for run in runs.started.values():
        with contextlib.suppress(ProcessLookupError):
            os.killpg(run["pid"], signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(runs.shim.pid, signal.SIGKILL)


def test_where_no_shim_is_there_is_nothing_to_end(tmp_path: Path) -> None:
    assert end_pods(tmp_path) == ""
    assert end_pods(tmp_path / "missing") == ""


async def test_pods_get_sigterm_first_and_are_marked_as_interrupted(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said, ready = tmp_path / "said", tmp_path / "ready"
    polite = f"trap 'echo bye > {said}; exit 0' TERM; echo > {ready}; while :; do sleep 0.05; done"
    # Nobody waits so long where the machine is not busy.
    monkeypatch.setattr(ending, "GRACE_S", 60.0)
    monkeypatch.setattr(ending, "ANSWER_S_MAX", 60.0)
    await runs.start(["/bin/sh", "-c", polite], ["/bin/sleep", "1000"])
    await until(ready.exists, "it takes the signal", 60)
    assert end_pods(tmp_path) == ("no agent was there: the shim ended 2 processes of pods")
    assert said.read_text() == "bye\n"
    assert not runs.is_alive(0) and not runs.is_alive(1)
    assert PodFiles(tmp_path / "pods", UID).interrupted_at == NOW
    assert end_pods(tmp_path) == ""


async def test_what_ignores_sigterm_is_killed(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "GRACE_S", 0.2)
    monkeypatch.setattr(ending, "ANSWER_S_MAX", 60.0)
    ready = tmp_path / "ready"
    stubborn = f"trap '' TERM; echo > {ready}; while :; do sleep 0.05; done"
    await runs.start(["/bin/sh", "-c", stubborn])
    await until(ready.exists, "it ignores the signal", 60)
    assert end_pods(tmp_path) == ("no agent was there: the shim ended 1 processes of pods")
    await until(lambda: not runs.is_alive(0), "it is killed", 60)


async def test_a_frozen_shim_is_killed_and_its_pods_by_their_records(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "ANSWER_S_MAX", 0.3)
    await runs.start(["/bin/sleep", "1000"])
    os.kill(runs.shim.pid, signal.SIGSTOP)
    assert "did not answer and was killed" in end_pods(tmp_path)
    await until(lambda: not runs.is_alive(0), "its pod is killed", 60)
    await until(lambda: not is_alive(runs.shim.pid, runs.shim.ticks), "the shim is gone", 60)
    assert PodFiles(tmp_path / "pods", UID).interrupted_at == NOW


def test_a_record_that_names_a_stranger_or_nobody_ends_no_one(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        for number, record in enumerate(
            (
                f'{{"pid": {stranger.pid}, "ticks": 1}}',
                '{"pid": 0, "ticks": 0}',
                '{"pid": -1, "ticks": 5}',
                '{"pid": 1, "ticks": 1}',
                '{"pid": 2147483648, "ticks": 1}',
                '{"pid": "1"}',
                "[]",
                "",
            )
        ):
            path = PodFiles(tmp_path / "pods", UID).record("main", number)
            path.write_text(record)
        ending.end_recorded(tmp_path / "pods", NOW)
        assert stranger.poll() is None
        stranger.kill()
