"""An instance as its user sees it: up, status, kubectl's view, kill, down, up again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.instance import DEADLINE_S, Instance


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


def test_an_instance_whose_store_is_gone_stops_and_does_not_begin_anew_by_itself(
    tmp_path: Path,
) -> None:
    instance = Instance(tmp_path / "gone")
    instance.ok("up", "--detach")
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [
        {"name": "c", "image": "/bin/sleep", "command": ["/bin/sleep", "600"]}]}}  # fmt: skip
    instance.kubectl("create", "-f", "-", given=json.dumps(pod))
    phase = ("get", "pod", "p", "-o", "jsonpath={.status.phase}")
    assert instance.until(lambda: instance.kubectl(*phase) == "Running")
    os.kill(instance.process("supervisor")["pid"], signal.SIGKILL)
    shutil.rmtree(instance.home / "state" / "store")
    stopped = instance.run("down")
    assert stopped.returncode == 0 and "is missing, and there was one" in stopped.stderr
    assert instance.processes() == []
    started = instance.run("up", "--detach")
    assert started.returncode == 1 and "begin with nothing by `mizzen up --new-store`" in (
        started.stderr
    )
    assert instance.run("check").returncode == 1
    instance.ok("up", "--detach", "--new-store")
    assert instance.kubectl("get", "pods") == ""
    assert instance.run("up", "--detach", "--new-store").returncode == 1
    instance.ok("down")
    again = instance.run("up", "--detach", "--new-store")
    assert again.returncode == 1 and "is there: look at it with `mizzen check`" in again.stderr
    assert instance.processes() == []


def test_ctrl_c_in_the_foreground_stops_everything(tmp_path: Path) -> None:
    instance = Instance(tmp_path / "foreground")
    command = [sys.executable, "-m", "mizzen.cli", "--home", str(instance.home), "up"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert "Mizzen is ready" in running.stdout.readline()
        running.send_signal(signal.SIGINT)
        assert running.wait(DEADLINE_S) == 0
    assert instance.processes() == []
