"""Logs through the API: followed over rotations and restarts, byte for byte."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from mizzen.base.errors import BadRequest, Unavailable
from mizzen.base.names import ADMIN
from mizzen.base.resources import NODES, PODS
from mizzen.client.client import Client
from mizzen.host import pki
from mizzen.host.clock import RealClock
from mizzen.host.home import Home
from mizzen.node.kubelet.logfiles import Part
from mizzen.node.runtimes.process.shim.logs import LogFile
from support.api_in_process import ApiInProcess, api_server
from support.kubelet import NODE, Kubelet, kubelet, tell
from support.ports import free_port
from support.waiting import until


class World:
    """A pod with a log that the test writes."""

    def __init__(self, client: Client, pods: Path, node: Kubelet) -> None:
        self.client = client
        self._pods = pods
        self._node = node

    async def start(self, **spec: Any) -> None:
        container = {"name": "main", "image": "mizzen.dev/python"}
        spec = {"containers": [container], "nodeName": NODE, **spec}
        pod = await self.client.create(
            PODS, {"metadata": {"name": "p", "namespace": "default"}, "spec": spec}
        )
        self.place = self._pods / pod["metadata"]["uid"] / "main"
        self.place.mkdir(parents=True)
        self.begin(0)
        await self._node.knows("p")

    def begin(self, run: int, rotate_bytes: int = 10_000) -> None:
        self._file = LogFile(str(self.place / f"{run}.log"), rotate_bytes)

    def write(self, text: bytes) -> None:
        self._file.feed(b"stdout", text)

    def end(self) -> None:
        self._file.close()

    async def status(self, **state: Any) -> None:
        entry = {
            "name": "main",
            "ready": False,
            "restartCount": 0,
            "image": "i",
            "imageID": "",
            **state,
        }
        patch = {"status": {"containerStatuses": [entry]}}
        await self.client.patch(PODS, "p", patch, "default", subresource="status")

    async def phase(self, phase: str) -> None:
        await self.client.patch(
            PODS, "p", {"status": {"phase": phase}}, "default", subresource="status"
        )

    async def read(self, **wish: Any) -> bytes:
        return b"".join([line async for line in self.client.logs("p", "default", **wish)])

    async def follow(self) -> asyncio.Task[bytes]:
        """A follower that has read something."""
        found: list[bytes] = []

        async def work() -> bytes:
            async for line in self.client.logs("p", "default", follow=True):
                found.append(line)
            return b"".join(found)

        task = asyncio.create_task(work())
        await until(lambda: found, "the follower reads")
        return task


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    home = Home.locate(str(tmp_path), {})
    async with api_server(tmp_path) as client, kubelet(client, home) as node:
        yield World(client, home.node / "pods", node)


async def test_bytes_stay_bytes(world: World) -> None:
    """Blank lines, bytes that are no UTF-8, separators of other alphabets, a last line without end."""
    await world.start()
    world.begin(0, rotate_bytes=2**20)
    text = (
        b"\n\na\r\nb\x0bc\x85d\xe2\x80\xa8e\x00f\xff\n  two  spaces \n" + b"x" * 40_000 + b"\nhalf"
    )
    world.write(text)
    world.end()
    assert await world.read() == text
    assert await world.read(tail=1) == b"half"


async def test_a_follower_sees_every_line_of_every_run(world: World) -> None:
    await world.start()
    wanted = b"begin\n"
    world.write(wanted)
    reading = await world.follow()
    for run in range(3):
        if run:
            world.begin(run)
        for number in range(300):  # some 15 kB: one rotation
            line = b"run %d line %d\n" % (run, number)
            wanted += line
            world.write(line)
        world.end()
    await world.phase("Succeeded")
    async with asyncio.timeout(10):
        assert await reading == wanted


async def test_a_follower_stops_when_the_container_will_not_run_again(world: World) -> None:
    await world.start(restartPolicy="OnFailure")
    world.write(b"one\n")
    reading = await world.follow()
    terminated = {"startedAt": None, "finishedAt": None, "reason": "Error"}
    await world.status(state={"terminated": {"exitCode": 3, **terminated}})
    world.begin(1)
    world.write(b"two\n")
    await world.status(state={"terminated": {"exitCode": 0, **terminated}})
    async with asyncio.timeout(10):
        assert await reading == b"one\ntwo\n"


async def test_each_run_begins_on_a_line_of_its_own(world: World) -> None:
    await world.start()
    world.write(b"one\nhalf")
    reading = await world.follow()
    world.end()
    world.begin(1)
    world.write(b"two\n")
    await world.phase("Failed")
    async with asyncio.timeout(10):
        assert await reading == b"one\nhalf\ntwo\n"


async def test_the_run_before_is_served_and_not_followed(world: World) -> None:
    await world.start()
    world.write(b"why it fell\n")
    world.begin(1)
    world.write(b"again\n")
    async with asyncio.timeout(10):
        assert await world.read(previous=True, follow=True) == b"why it fell\n"
        assert await world.read() == b"again\n"


async def test_a_log_that_cannot_be_read_to_its_end_does_not_end_as_if_it_were_whole(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection breaks off, so that whoever reads it knows; others are answered as before."""
    await world.start()
    world.write(b"one\n")
    world.end()

    def fail(part: Part) -> bytes:
        raise OSError("Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(Part, "read", fail)
        with pytest.raises(Unavailable):
            await world.read()
    assert await world.read() == b"one\n"


async def test_times_stand_at_the_beginning_of_lines_alone(world: World) -> None:
    """Long ones are several parts in the file."""
    await world.start()
    world.begin(0, rotate_bytes=2**20)
    world.write(b"x" * 40_000 + b"\nshort\n")
    lines = (await world.read(timestamps=True)).splitlines()
    assert [line.split(b" ", 1)[1] for line in lines] == [b"x" * 40_000, b"short"]
    assert await world.read(resume_at=lines[1].split(b" ", 1)[0].decode()) == b"short\n"


@pytest.mark.parametrize("text", ["0", "now", "2026-01-01T00:00:00Z", "x" * 30])
async def test_only_the_time_of_a_line_is_resumed_at(world: World, text: str) -> None:
    await world.start()
    with pytest.raises(BadRequest, match="resumeAt"):
        await world.read(resume_at=text)


@pytest.mark.parametrize("protocol", ["", "binary.k8s.io", "base64.binary.k8s.io"])
async def test_a_log_comes_over_a_websocket_too(tmp_path: Path, protocol: str) -> None:
    server = ApiInProcess(tmp_path)
    await server.start()
    home = Home.locate(str(tmp_path), {})
    files = pki.load(home)
    async with server.client(ADMIN) as client, kubelet(client, home) as node:
        world = World(client, home.node / "pods", node)
        await world.start()
        world.write(b"one\ntwo\xff\n")
        world.end()
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(
                f"{server.url}/api/v1/namespaces/default/pods/p/log",
                protocols=(protocol,) if protocol else (),
                headers={"Authorization": f"Bearer {files.tokens[ADMIN]}"},
                ssl=ssl.create_default_context(cafile=files.ca_file),
            ) as socket,
        ):
            said = [message.data async for message in socket]
    await server.stop()
    whole = (base64.b64decode(each) if isinstance(each, str) else each for each in said)
    assert b"".join(whole) == b"one\ntwo\xff\n"
    assert all(isinstance(each, str) is protocol.startswith("base64") for each in said)


async def test_a_pod_without_a_node_waits_to_start(world: World) -> None:
    container = {"name": "main", "image": "mizzen.dev/python"}
    pod = {"metadata": {"name": "p", "namespace": "default"}, "spec": {"containers": [container]}}
    await world.client.create(PODS, pod)
    with pytest.raises(BadRequest, match="waiting to start"):
        await world.read()


async def test_an_agent_that_is_away_is_a_clear_5xx_and_back_it_is_found(world: World) -> None:
    await world.start()
    world.write(b"one\n")
    status = (await world.client.get(NODES, NODE))["status"]
    port = status["daemonEndpoints"]["kubeletEndpoint"]["Port"]
    await tell(world.client, free_port())
    with pytest.raises(Unavailable, match=f'agent of node "{NODE}" does not answer'):
        await world.read()
    await world.client.patch(
        NODES, NODE, {"status": {"daemonEndpoints": None}}, subresource="status"
    )
    with pytest.raises(Unavailable, match="does not say where it listens"):
        await world.read()
    await tell(world.client, port)
    assert await world.read() == b"one\n"


async def test_whoever_has_no_certificate_of_the_authority_is_asked_nothing(
    world: World, tmp_path: Path
) -> None:
    """Somebody else listens where the agent did."""
    await world.start()
    world.write(b"one\n")
    asked: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            asked.append(await reader.read(1000))
        writer.close()

    other = pki.ensure(_home(tmp_path / "other"), RealClock(), listen="127.0.0.1", port=1)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(other.kubelet.cert_file, other.kubelet.key_file)
    async with await asyncio.start_server(listen, "127.0.0.1", 0, ssl=context) as server:
        await tell(world.client, server.sockets[0].getsockname()[1])
        with pytest.raises(Unavailable, match="certificate verify failed"):
            await world.read()
    assert asked == []


async def test_a_pod_of_the_same_name_has_a_log_of_its_own(world: World) -> None:
    """Its node may still know the one before."""
    await world.start()
    world.write(b"one\n")
    await world.client.delete(PODS, "p", "default", grace_period_s=0)
    await world.client.create(
        PODS,
        {
            "metadata": {"name": "p", "namespace": "default"},
            "spec": {
                "containers": [{"name": "main", "image": "mizzen.dev/python"}],
                "nodeName": NODE,
            },
        },
    )
    with pytest.raises(BadRequest, match="waiting to start"):
        await world.read()


def _home(root: Path) -> Home:
    home = Home.locate(str(root), {})
    home.make()
    return home
