"""`mizzen logs` and `train -f` as a user sees them: what is printed, and when nothing is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mizzen.base.names import DEFAULT_CONTAINER
from mizzen.base.objects import Obj
from mizzen.base.resources import JOBS, PODS
from mizzen.cli import following
from mizzen.cli.exits import NOT_FOUND, OK, CliError
from mizzen.cli.following import LogOptions, print_pod, print_workload
from mizzen.client.client import Client
from mizzen.host.home import Home
from mizzen.node.runtimes.process.shim.logs import LogFile
from support.api_in_process import api_server
from support.kubelet import NODE, Kubelet, kubelet
from support.waiting import until

POD = {"containers": [{"name": "main", "image": "mizzen.dev/python"}], "restartPolicy": "Never"}


class World:
    """A Job without a controller: the test is its controller, agent and program."""

    def __init__(self, client: Client, node: Kubelet, pods: Path) -> None:
        self.client = client
        self.node = node
        self._pods = pods
        self.job: Obj = {}

    async def start(self) -> None:
        metadata = {"name": "j", "namespace": "default"}
        spec = {"template": {"spec": POD}}
        self.job = await self.client.create(JOBS, {"metadata": metadata, "spec": spec})

    async def pod(self, name: str) -> Path:
        """A pod of the Job that runs; the folder of its logs."""
        uid = self.job["metadata"]["uid"]
        owner = {"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": uid}
        metadata = {
            "name": name,
            "namespace": "default",
            "ownerReferences": [owner | {"controller": True}],
        }
        pod = await self.client.create(
            PODS, {"metadata": metadata, "spec": {**POD, "nodeName": NODE}}
        )
        await self.node.knows(name)
        status = {
            "phase": "Running",
            "containerStatuses": [
                {
                    "name": "main",
                    "image": "i",
                    "imageID": "",
                    "ready": True,
                    "restartCount": 0,
                    "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
                }
            ],
        }
        await self.client.patch(PODS, name, {"status": status}, "default", subresource="status")
        place = self._pods / pod["metadata"]["uid"] / "main"
        place.mkdir(parents=True)
        return place

    async def end(self, name: str) -> None:
        status = {"status": {"phase": "Succeeded"}}
        await self.client.patch(PODS, name, status, "default", subresource="status")

    async def complete(self) -> None:
        done = {"type": "Complete", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        patch = {"status": {"conditions": [done]}}
        await self.client.patch(JOBS, "j", patch, "default", subresource="status")

    def follow(self) -> asyncio.Task[int]:
        return asyncio.create_task(
            print_workload(self.client, JOBS, self.job, LogOptions(follow=True))
        )


def write(place: Path, run: int, text: bytes) -> None:
    file = LogFile(str(place / f"{run}.log"))
    file.feed(b"stdout", text)
    file.close()


@pytest_asyncio.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(following, "_POLL_S", 0.01)
    home = Home.locate(str(tmp_path), {})
    async with api_server(tmp_path) as client, kubelet(client, home) as node:
        world = World(client, node, home.node / "pods")
        await world.start()
        yield world


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What goes to standard output and error, in order."""
    found: list[Any] = []

    def write_bytes(data: bytes, flush: bool) -> None:
        found.append(data)

    monkeypatch.setattr(following, "write_bytes", write_bytes)
    monkeypatch.setattr(following, "say", found.append)
    return found


async def test_a_follower_goes_on_with_the_pods_after_a_suspension(
    world: World, said: list[Any]
) -> None:
    write(await world.pod("j-0"), 0, b"before\n")
    reading = world.follow()
    await until(lambda: b"[0] before\n" in said, "the first pod's line")
    await world.client.delete(PODS, "j-0", "default", grace_period_s=0)
    write(await world.pod("j-0"), 0, b"after\n")
    await until(lambda: b"[0] after\n" in said, "the second pod's line")
    await world.end("j-0")
    await world.complete()
    assert await asyncio.wait_for(reading, 10) == OK
    assert said == [b"[0] before\n", b"[0] after\n"]


async def test_a_follower_says_what_is_waited_for_once(world: World, said: list[Any]) -> None:
    reading = world.follow()
    suspended = {
        "type": "Suspended",
        "status": "True",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    patch = {"status": {"conditions": [suspended]}}
    await world.client.patch(JOBS, "j", patch, "default", subresource="status")
    await until(lambda: said, "what it waits for")
    write(await world.pod("j-0"), 0, b"runs\n")
    await world.end("j-0")
    await until(lambda: b"[0] runs\n" in said, "the pod's line")
    await world.complete()
    assert await asyncio.wait_for(reading, 10) == OK
    assert said.count("job/j waits: it is suspended") >= 1 and len(said) == 2


async def test_a_job_that_is_deleted_ends_its_follower_with_a_word(
    world: World, said: list[Any]
) -> None:
    reading = world.follow()
    await world.client.delete(JOBS, "j", "default")
    with pytest.raises(CliError, match="job/j was deleted meanwhile") as caught:
        await asyncio.wait_for(reading, 10)
    assert caught.value.code == NOT_FOUND


async def test_nothing_to_print_is_said(world: World, said: list[Any]) -> None:
    assert await print_workload(world.client, JOBS, world.job, LogOptions()) == NOT_FOUND
    assert said == ["mizzen: job/j has no log; `mizzen why job/j` tells what became of it"]


async def test_the_run_before_the_last_restart_can_be_read(world: World, said: list[Any]) -> None:
    place = await world.pod("j-0")
    write(place, 0, b"why it died\n")
    assert (
        await print_workload(world.client, JOBS, world.job, LogOptions(previous=True)) == NOT_FOUND
    )
    said.clear()
    write(place, 1, b"runs again\n")
    assert await print_workload(world.client, JOBS, world.job, LogOptions(previous=True)) == OK
    assert said == [b"[0] why it died\n"]


async def test_a_pod_that_waits_to_be_started_again_has_its_log(
    world: World, said: list[Any]
) -> None:
    place = await world.pod("j-0")
    write(place, 0, b"why it failed\n")
    ended = {
        "exitCode": 1,
        "startedAt": "2026-01-01T00:00:00Z",
        "finishedAt": "2026-01-01T00:00:00Z",
    }
    container = {
        "name": "main",
        "image": "i",
        "imageID": "",
        "ready": False,
        "restartCount": 1,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": ended},
    }
    status = {"status": {"containerStatuses": [container]}}
    await world.client.patch(PODS, "j-0", status, "default", subresource="status")
    assert await print_workload(world.client, JOBS, world.job, LogOptions()) == OK
    assert said == [b"[0] why it failed\n"]


@pytest.mark.parametrize(("marked", "chosen"), [(None, "main"), ("side", "side"), ("x", "main")])
async def test_of_several_containers_one_is_shown_and_the_others_named(
    world: World, said: list[Any], tmp_path: Path, marked: str | None, chosen: str
) -> None:
    both = [{"name": name, "image": "mizzen.dev/python"} for name in ("main", "side")]
    notes = {DEFAULT_CONTAINER: marked} if marked else {}
    metadata = {"name": "two", "namespace": "default", "annotations": notes}
    spec = {"containers": both, "nodeName": NODE}
    pod = await world.client.create(PODS, {"metadata": metadata, "spec": spec})
    await world.node.knows("two")
    for name in ("main", "side"):
        place = tmp_path / "state" / "node" / "pods" / pod["metadata"]["uid"] / name
        place.mkdir(parents=True)
        write(place, 0, name.encode() + b"\n")
    assert await print_pod(world.client, pod, "", LogOptions())
    assert said[-1] == chosen.encode() + b"\n" and "--container" in said[0]
    said.clear()
    assert await print_pod(world.client, pod, "", LogOptions(container="side"))
    assert said == [b"side\n"]
