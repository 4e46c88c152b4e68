"""An instance as its user sees it: up, status, kubectl's view, kill, down, up again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

_DEADLINE_S = 60


class Instance:
    """One instance in a folder of its own, driven through the command line."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "mizzen.cli", "--home", str(self.home), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=_DEADLINE_S)

    def ok(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def status(self) -> dict[str, Any]:
        return json.loads(self.run("status", "-o", "json").stdout)

    def process(self, role: str) -> dict[str, Any]:
        return next(p for p in self.status()["processes"] if p["role"] == role)

    def until(self, condition: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + _DEADLINE_S
        while time.monotonic() < deadline:
            found = condition()
            if found:
                return found
            time.sleep(0.05)
        raise AssertionError(f"not in {_DEADLINE_S} s: {self.status()}")

    def processes(self) -> list[int]:
        """Every process that belongs to this instance, by what its environment or command names."""
        found: list[int] = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
                folder = (entry / "cwd").readlink()
            except (FileNotFoundError, PermissionError, ProcessLookupError):
                continue
            if os.fsencode(self.home) in words or folder.is_relative_to(self.home):
                found.append(int(entry.name))
        return found


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    instance = Instance(tmp_path_factory.mktemp("instance"))
    instance.ok("up", "--detach")
    yield instance
    instance.run("down")


def test_status_names_every_process(instance: Instance) -> None:
    status = instance.status()
    roles = {p["role"]: p for p in status["processes"]}
    assert set(roles) == {"supervisor", "apiserver", "controllers", "scheduler", "node", "gateway"}
    assert all(p["state"] == "Running" and p["memoryBytes"] > 0 for p in roles.values())
    assert roles["apiserver"]["address"].startswith("https://127.0.0.1:")
    table = instance.ok("status")
    assert "TOTAL" in table and "ROLE" in table


def test_a_second_up_says_that_it_runs(instance: Instance) -> None:
    done = instance.run("up", "--detach")
    assert done.returncode == 1
    assert "already runs" in done.stderr


@pytest.mark.parametrize("role", ["gateway", "scheduler", "controllers", "node", "apiserver"])
def test_a_killed_role_comes_back(instance: Instance, role: str) -> None:
    before = instance.process(role)
    os.kill(before["pid"], signal.SIGKILL)
    after = instance.until(
        lambda: (p := instance.process(role))["restarts"] > before["restarts"] and p
    )
    assert after["restarts"] == before["restarts"] + 1
    instance.until(lambda: all(p["state"] == "Running" for p in instance.status()["processes"]))
    assert instance.ok("ps")


def test_two_instances_do_not_disturb_each_other(instance: Instance, tmp_path: Path) -> None:
    other = Instance(tmp_path / "other")
    other.ok("up", "--detach")
    try:
        mine, theirs = instance.process("apiserver"), other.process("apiserver")
        assert mine["address"] != theirs["address"]
        kubeconfig = json.loads(Path(other.ok("kubeconfig").strip()).read_text())
        assert kubeconfig["clusters"][0]["cluster"]["server"] == theirs["address"]
    finally:
        other.ok("down")
    assert other.processes() == []
    assert instance.ok("ps")


def test_a_killed_supervisor_is_followed_by_an_ordinary_up(tmp_path: Path) -> None:
    instance = Instance(tmp_path / "killed")
    instance.ok("up", "--detach")
    os.kill(instance.process("supervisor")["pid"], signal.SIGKILL)
    assert instance.until(lambda: instance.run("status").returncode == 3)
    instance.ok("up", "--detach")
    os.kill(instance.process("supervisor")["pid"], signal.SIGKILL)
    instance.ok("down")
    assert instance.processes() == []


def test_ctrl_c_in_the_foreground_stops_everything(tmp_path: Path) -> None:
    instance = Instance(tmp_path / "foreground")
    command = [sys.executable, "-m", "mizzen.cli", "--home", str(instance.home), "up"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert "Mizzen is ready" in running.stdout.readline()
        running.send_signal(signal.SIGINT)
        assert running.wait(_DEADLINE_S) == 0
    assert instance.processes() == []
