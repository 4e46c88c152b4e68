"""Roles of a real instance are stopped (SIGSTOP), one after the other: nobody waits for them long.

What must hold: the command line says who does not answer, the supervisor replaces it, what ran
runs on, what is asked for next is done. And `mizzen down` ends all of it, and says what by force.
"""

from __future__ import annotations

import json
import os
import re
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mizzen.compose.pulse import SILENT_S_MAX
from mizzen.compose.state import InstanceState, RoleState, running_instance
from mizzen.host.home import Home
from mizzen.host.pki import load_api_keys
from support.instance import Instance

REPLACED_WITHIN_S = 20  # as long as the command line waits for a role
PATIENCE_S = 90
POLL_S = 0.005  # the record says for a second or two that a role is silent


class Frozen:
    """An instance with one pod that counts, and whose roles can be stopped."""

    def __init__(self, instance: Instance, counted: Path) -> None:
        self.instance = instance
        self.counted = counted
        self.home = Home.locate(str(instance.home), {})

    def state(self) -> InstanceState:
        found = running_instance(self.home)
        assert found is not None, "the supervisor is gone"
        return found

    def role(self, name: str) -> RoleState:
        return next(role for role in self.state().roles if role.role == name)

    def stop(self, name: str) -> None:
        os.kill(self.role(name).pid, signal.SIGSTOP)

    def until_silent(self, name: str) -> None:
        end = time.monotonic() + PATIENCE_S
        while not self.role(name).silent_s:
            assert time.monotonic() < end, self.state()
            time.sleep(POLL_S)

    def shown(self, name: str) -> tuple[int, dict[str, Any]]:
        """What `mizzen status` says about a role while nothing changes: its code, the row."""
        supervisor = self.state().pid
        os.kill(supervisor, signal.SIGSTOP)
        try:
            done = self.instance.run("status", "-o", "json")
        finally:
            os.kill(supervisor, signal.SIGCONT)
        rows = json.loads(done.stdout)["processes"]
        return done.returncode, next(row for row in rows if row["role"] == name)

    def start_pod(self, name: str, program: str) -> None:
        container = {"name": "main", "image": "mizzen.dev/python", "command": ["sh", "-c", program]}
        spec = {"terminationGracePeriodSeconds": 1, "containers": [container]}
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
        self.instance.kubectl("create", "-f", "-", given=json.dumps(body))
        self.instance.until(lambda: self.pod(name)["status"].get("phase") == "Running")

    def pod(self, name: str) -> dict[str, Any]:
        return json.loads(self.instance.kubectl("get", "pod", name, "-o", "json"))

    def process(self, name: str) -> str:
        return self.pod(name)["status"]["containerStatuses"][0]["containerID"]

    def counts_on(self) -> None:
        before = self.counted.stat().st_size
        self.instance.until(lambda: self.counted.stat().st_size > before)

    def gateway_answers(self) -> bool:
        url = self.role("gateway").address + "/v1/models"
        headers = {"Authorization": f"Bearer {load_api_keys(self.home)[0]}"}
        try:
            with urllib.request.urlopen(
                urllib.request.Request(url, headers=headers), timeout=30
            ) as answer:
                return answer.status == 200
        except (urllib.error.URLError, TimeoutError):
            return False


@pytest.fixture
def frozen(tmp_path: Path) -> Iterator[Frozen]:
    instance = Instance(tmp_path / "i")
    instance.ok("up", "--detach")
    frozen = Frozen(instance, tmp_path / "counted")
    try:
        counts = f"while :; do printf . >> {frozen.counted}; sleep 0.1; done"
        frozen.start_pod("counts", counts)
        frozen.instance.until(frozen.counted.exists)
        yield frozen
    finally:
        instance.run("down")
    assert instance.processes() == []


@pytest.fixture
def asks() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as asks:
        yield asks


def test_whoever_does_not_answer_is_named_and_replaced(
    frozen: Frozen, asks: ThreadPoolExecutor
) -> None:
    process = frozen.process("counts")
    for name in ("node", "apiserver", "gateway"):
        before = frozen.state()
        frozen.stop(name)
        listed = asks.submit(frozen.instance.run, "ps")

        frozen.until_silent(name)
        code, row = frozen.shown(name)
        assert (code, row["state"]) == (1, "NotResponding")
        assert re.fullmatch(r"has not answered for \d+ s", row["detail"])

        frozen.instance.until(lambda name=name: frozen.role(name).restarts == 1)
        frozen.instance.until(lambda name=name: frozen.role(name).ready)
        said = re.fullmatch(r"did not answer for (\d+) s and was killed", frozen.role(name).reason)
        assert said and SILENT_S_MAX <= int(said[1]) < REPLACED_WITHIN_S, frozen.role(name)
        assert f"last end: {said[0]}" in frozen.instance.ok("status")
        done = listed.result()
        assert done.returncode == 0 and "pod/counts" in done.stdout, done

        others = {r.pid for r in before.roles if r.role != name}
        assert others < {r.pid for r in frozen.state().roles}
        assert frozen.process("counts") == process
        frozen.counts_on()
        frozen.start_pod(f"after-{name}", "sleep 600")
        frozen.instance.until(frozen.gateway_answers)
    stopped_while_the_instance_ends(frozen)


def stopped_while_the_instance_ends(frozen: Frozen) -> None:
    """The instance is the same, as silence takes time to be noticed."""
    frozen.stop("node")
    frozen.stop("apiserver")
    done = frozen.instance.run("down")
    assert done.returncode == 0, done
    for name in ("node", "apiserver"):
        assert re.search(rf"mizzen: {name} did not answer for \d+ s and was killed", done.stderr)
    assert "no agent was there: the shim ended 4 processes of pods" in done.stderr
    assert "gateway" not in done.stderr
    assert frozen.instance.processes() == []
    assert frozen.instance.run("status").returncode == 3
