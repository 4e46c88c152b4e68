"""What goes wrong: processes die or freeze, the disk is full, memory is scarce.

Each fault ends by itself after seconds and returns what it did, for the report.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from support.instance import Instance

ROLES = ("gateway", "scheduler", "controllers", "node", "apiserver")
FROZEN_S = 40.0  # long enough to be found hung and replaced
FULL_S = 8.0
HOG_BYTES = 256 << 20
HOG = "import sys; held = bytearray(1)\nwhile True: held.extend(bytes(16 << 20))\n"


@dataclass
class Faults:
    instance: Instance
    chance: Random
    disk: Path | None  # a file system of the instance's own that may be filled; None: none is
    struck: str | None = None  # the training that lost a worker last, and its step then

    def strike(self) -> str:
        """One fault, drawn; returns what it was."""
        kinds: list[Callable[[], str]] = [self.kill_role] * 6
        kinds += [self.kill_worker, self.freeze_role, self.hog_memory, self.kill_supervisor]
        if self.disk is not None:
            kinds += [self.fill_disk, self.fill_disk]
        return self.chance.choice(kinds)()

    def kill_role(self) -> str:
        role = self.chance.choice(ROLES)
        self._signal(self._pid(role), signal.SIGKILL)
        return f"kill -9 {role}"

    def kill_supervisor(self) -> str:
        """All roles go with it; the pods stay, and the next start adopts them."""
        self._signal(self._pid("supervisor"), signal.SIGKILL)
        self.instance.until(lambda: self.instance.run("status").returncode == 3)
        self._up()
        return "kill -9 supervisor"

    def kill_worker(self) -> str:
        """Any process of a pod, without a word to the agent."""
        commands = {pid: _command(pid) for pid in self.instance.processes()}
        pods = [pid for pid, command in commands.items() if b"mizzen.engine" in command]
        workers = [pid for pid, command in commands.items() if b"train.py" in command]
        step = self._step() if workers else None
        if step is not None and step != self.struck:
            pods += workers
        if not pods:
            return self.kill_role()
        pid = self.chance.choice(pods)
        if pid in workers:
            self.struck = step
        self._signal(pid, signal.SIGKILL)
        return "kill -9 of a pod's process"

    def _step(self) -> str | None:
        """Which training it is and how far it has come; None while nobody knows.

        One that is struck again and again before it makes a step fails, and rightly so.
        """
        with contextlib.suppress(AssertionError, ValueError, KeyError, subprocess.TimeoutExpired):
            job = json.loads(self.instance.kubectl("get", "trainjob", "learner", "-o", "json"))
            return f"{job['metadata']['uid']} {job['status']['trainerStatus']['metrics']}"
        return None

    def freeze_role(self) -> str:
        """Stopped and never continued: the supervisor has to notice."""
        role = self.chance.choice(ROLES)
        pid = self._pid(role)
        self._signal(pid, signal.SIGSTOP)
        end = time.monotonic() + FROZEN_S
        while time.monotonic() < end:
            if self._pid(role) not in (pid, 0):
                return f"freeze {role}"
            time.sleep(0.5)
        self._signal(pid, signal.SIGCONT)
        raise AssertionError(f"{role} was frozen for {FROZEN_S:.0f} s and nobody replaced it")

    def hog_memory(self) -> str:
        """A pod that takes more than its limit; the kernel ends it, and nobody else."""
        name = f"hog-{self.chance.randrange(1 << 32):x}"
        container = {
            "name": "c",
            "image": "mizzen.dev/python",
            "command": ["python", "-c", HOG],
            "resources": {"limits": {"memory": str(HOG_BYTES)}},
        }
        spec = {"restartPolicy": "Never", "containers": [container]}
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
        self.instance.kubectl("create", "-f", "-", given=json.dumps(body))
        phase = ("get", "pod", name, "-o", "jsonpath={.status.phase}")
        self.instance.until(lambda: self.instance.kubectl(*phase) in ("Failed", "Succeeded"))
        reason = "jsonpath={.status.containerStatuses[0].state.terminated.reason}"
        said = self.instance.kubectl("get", "pod", name, "-o", reason)
        self.instance.kubectl("delete", "pod", name, "--wait=false")
        assert said == "OOMKilled", f"a pod above its memory limit ended as {said}"
        return "memory hog"

    def fill_disk(self) -> str:
        """Not a byte is left for some seconds; then it is as before."""
        assert self.disk is not None
        filler = self.disk / "filler"
        try:
            with contextlib.suppress(OSError), filler.open("wb") as file:
                while True:
                    file.write(bytes(1 << 20))
                    file.flush()
            time.sleep(FULL_S)
        finally:
            filler.unlink(missing_ok=True)
        return "disk full"

    def settle(self) -> None:
        """Everything runs again."""
        self._up()
        self.instance.until(lambda: self.instance.run("status").returncode == 0)

    def _up(self) -> None:
        if self.instance.run("status").returncode == 3:
            self.instance.ok("up", "--detach")

    def _pid(self, role: str) -> int:
        with contextlib.suppress(StopIteration, ValueError, KeyError):
            return int(self.instance.process(role)["pid"])
        return 0

    def _signal(self, pid: int, number: int) -> None:
        if pid > 1:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


def _command(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""
