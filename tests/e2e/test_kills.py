"""Every process is killed in turn while a job trains, an endpoint serves and a client writes.

What must hold afterwards: every write that was acknowledged is there, every training step was
completed, none of the completed ones was computed again, and the endpoint answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from mizzen.base.errors import ApiError
from mizzen.base.resources import CONFIG_MAPS, MODEL_ENDPOINTS, PODS, TRAIN_JOBS, USAGE_RECORDS
from mizzen.client.client import Client
from mizzen.compose.settings import load
from mizzen.compose.state import RoleState, running_instance
from mizzen.host.home import Home
from mizzen.host.pki import load_api_keys
from mizzen.host.ports import PortTaken, choose
from support.instance import Instance
from support.tiny_gguf import write_tiny_gguf
from support.waiting import until

TRAIN = Path(__file__).parents[1] / "support" / "patient_training.py"
STEPS = 1000  # more than are done before the job is told to end
PATIENCE_S = 90
POLL_S = 0.1
ROLES = ("gateway", "scheduler", "controllers", "node", "apiserver")


class Workload:
    """What runs while processes die, and what it was promised."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.home = Home.locate(str(instance.home), {})
        self.told_to_end = instance.home.parent / "end"  # training lasts until there is this file
        self.acknowledged: list[str] = []
        self.begun = 0  # writes that were sent, acknowledged or not
        self.is_complete = False  # the job
        self.killed: dict[str, int] = {}  # roles and their pids, until they are back

    def client(self) -> Client:
        return Client.from_kubeconfig(self.home.kubeconfig, user_agent="kills")

    async def write(self) -> None:
        """Creates ConfigMaps one after the other, and remembers those the server acknowledged."""
        number = 0
        async with self.client() as client:
            while True:
                name = f"written-{number}"
                self.begun = number = number + 1
                body = {"metadata": {"name": name, "namespace": "default"}, "data": {"n": name}}
                with contextlib.suppress(ApiError):
                    await client.create(CONFIG_MAPS, body)
                    self.acknowledged.append(name)
                await asyncio.sleep(0.1)

    async def submit(self, model: Path) -> None:
        async with self.client() as client:
            await client.create(TRAIN_JOBS, train_job(STEPS, self.told_to_end))
            await client.create(MODEL_ENDPOINTS, endpoint(model))

    async def job(self) -> dict[str, Any]:
        async with self.client() as client:
            return await client.get(TRAIN_JOBS, "kills", "default")

    async def pod(self, name: str) -> dict[str, Any]:
        async with self.client() as client:
            return await client.get(PODS, name, "default")

    def step(self) -> int:
        """The newest step that any worker completed, from the memory it shares with the agent."""
        from mizzen.base.segment import RANK_OFFSET_STEPS_DONE, WORD

        newest = 0
        for path in (self.home.shm / "default" / "kills").glob("rank-*"):
            with path.open("rb") as file:
                file.seek(RANK_OFFSET_STEPS_DONE)
                word = file.read(WORD.size)  # none yet of a file that is just being made
                newest = max(newest, WORD.unpack(word)[0] if len(word) == WORD.size else 0)
        return newest

    async def answers(self) -> bool:
        settings = load(self.home)
        url = f"http://127.0.0.1:{settings.gateway_port}/v1/completions"
        headers = {"Authorization": f"Bearer {load_api_keys(self.home)[0]}"}
        body = {"model": "tiny", "prompt": "def ", "max_tokens": 4}
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.post(
                    url, json=body, headers=headers, timeout=aiohttp.ClientTimeout(30)
                ) as answer,
            ):
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    def role(self, name: str) -> RoleState:
        state = running_instance(self.home)
        assert state is not None, "the supervisor is gone"
        return next(role for role in state.roles if role.role == name)

    def kill_role(self, name: str) -> None:
        self.killed[name] = self.role(name).pid
        kill(self.killed[name])

    async def roles_return(self) -> None:
        """Waits until the supervisor has every role running again that was killed."""
        for name, pid in self.killed.items():
            await until(
                lambda name=name, pid=pid: (role := self.role(name)).ready and role.pid != pid,
                f"the {name} is back",
                PATIENCE_S,
            )
        self.killed.clear()

    async def goes_on(self, what: str) -> None:
        """What was killed is back, training makes steps, the endpoint answers and writes are acknowledged again."""
        await self.roles_return()
        step, sent = self.step(), self.begun
        await until(lambda: self.step() >= step + 2, f"two more steps after {what}", PATIENCE_S)
        # One that was sent after the deed: an earlier one may have been answered before it, and
        # be noted down only now.
        await until(
            lambda: _number(self.acknowledged) >= sent,
            f"an acknowledged write after {what}",
            PATIENCE_S,
        )
        end = time.monotonic() + PATIENCE_S
        while not await self.answers():
            assert time.monotonic() < end, f"the endpoint does not answer after {what}"
            await asyncio.sleep(POLL_S)


def _number(acknowledged: list[str]) -> int:
    return int(acknowledged[-1].removeprefix("written-")) if acknowledged else -1


def train_job(steps: int, told_to_end: Path) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "kills",
            "namespace": "default",
            "annotations": {
                "mizzen.dev/min-nodes": "1",
                "mizzen.dev/max-nodes": "2",
            },
        },
        "spec": {
            "runtimeRef": {"name": "jax-distributed"},
            "trainer": {
                "numNodes": 2,
                "command": ["python", str(TRAIN)],
                "args": [str(steps), str(told_to_end)],
                "resourcesPerNode": {"limits": {"mizzen.dev/cpu-core": "1"}},
            },
        },
    }


def endpoint(model: Path) -> dict[str, Any]:
    return {
        "metadata": {"name": "tiny", "namespace": "default"},
        "spec": {"model": {"path": str(model)}, "replicas": {"min": 1, "max": 1}},
    }


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def container_pid(pod: dict[str, Any]) -> int:
    return int(pod["status"]["containerStatuses"][0]["containerID"].removeprefix("process://"))


def shim_pid(instance: Instance) -> int:
    for pid in instance.processes():
        if b"shim" in Path(f"/proc/{pid}/cmdline").read_bytes():
            return pid
    raise AssertionError("the instance has no shim")


@pytest.fixture
async def workload(tmp_path: Path) -> AsyncIterator[Workload]:
    instance = Instance(tmp_path / "i")
    instance.ok("up", "--detach")
    workload = Workload(instance)
    model = write_tiny_gguf(tmp_path / "tiny.gguf")
    writer = asyncio.create_task(workload.write())
    try:
        await workload.submit(model)
        await until(lambda: workload.step() >= 2, "the first steps", PATIENCE_S)
        yield workload
    finally:
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)
        instance.run("down")
    assert instance.processes() == []
    if workload.is_complete:  # and the endpoint has no process: neither keeps shared memory
        assert not workload.home.shm.exists(), list(workload.home.shm.rglob("*"))
    shutil.rmtree(workload.home.shm, ignore_errors=True)


async def test_nothing_is_lost_whatever_is_killed(workload: Workload) -> None:
    instance = workload.instance
    await workload.goes_on("the start")
    for role in ROLES:
        workload.kill_role(role)
        if role == "apiserver":  # its port stays its own while nobody listens there
            with pytest.raises(PortTaken):
                choose("127.0.0.1", load(workload.home).port, explicit=True)
        await workload.goes_on(f"kill -9 of the {role}")
    kill(container_pid(await workload.pod("kills-node-0-1")))
    await workload.goes_on("kill -9 of a worker")
    kill(container_pid(await workload.pod("tiny-0")))
    await workload.goes_on("kill -9 of the engine")
    kill(shim_pid(instance))
    await workload.goes_on("kill -9 of the shim")
    kill(instance.process("supervisor")["pid"])
    await asyncio.to_thread(instance.until, lambda: instance.run("status").returncode == 3)
    instance.ok("up", "--detach")
    await workload.goes_on("kill -9 of the supervisor")
    for pid in instance.processes():
        with contextlib.suppress(ProcessLookupError):
            kill(pid)
    instance.ok("up", "--detach")
    await workload.goes_on("kill -9 of everything at once")
    await complete(workload)
    await check(workload)


async def complete(workload: Workload) -> None:
    workload.told_to_end.touch()
    end = time.monotonic() + 2 * PATIENCE_S
    while True:
        conditions = (await workload.job()).get("status", {}).get("conditions", [])
        if any(c["type"] == "Complete" and c["status"] == "True" for c in conditions):
            workload.is_complete = True
            return
        assert time.monotonic() < end, f"the job did not complete: {json.dumps(conditions)}"
        await asyncio.sleep(POLL_S)


async def check(workload: Workload) -> None:
    """The promises, from the API and the recorded intervals alone."""
    acknowledged = set(workload.acknowledged)  # the writer goes on while these lists are read
    async with workload.client() as client:
        maps, _ = await client.list(CONFIG_MAPS, "default")
        records, _ = await client.list(USAGE_RECORDS)
    missing = acknowledged - {m["metadata"]["name"] for m in maps}
    assert not missing, f"{len(missing)} of {len(acknowledged)} acknowledged writes are gone"
    useful: set[int] = set()
    redone: set[int] = set()
    for record in records:
        for interval in record["spec"]["intervals"]:
            if interval["line"] == "usefulStep":
                useful.add(interval["step"])
            elif interval["line"] == "redoneStep":
                redone.add(interval["step"])
    assert not redone, f"completed steps were computed again: {sorted(redone)}"
    assert useful == set(range(STEPS)), f"steps missing: {sorted(set(range(STEPS)) - useful)}"
