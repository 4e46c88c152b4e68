"""A log that is followed while its server goes and comes: each line once, in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from mizzen.base.errors import Unavailable
from mizzen.base.names import ADMIN
from mizzen.base.objects import Obj
from mizzen.base.resources import PODS
from mizzen.client.client import LOG_LINE_BYTES_MAX, Client
from mizzen.client.following import followed
from mizzen.client.transport import Patience
from mizzen.host.home import Home
from mizzen.node.runtimes.process.shim.logs import LINE_BYTES_MAX, LogFile
from support.api_in_process import ApiInProcess
from support.kubelet import NODE, Kubelet, kubelet
from support.waiting import until


class World:
    """A pod whose program is the test, at a server that the test stops and starts."""

    def __init__(self, server: ApiInProcess, node: Kubelet, client: Client, pods: Path) -> None:
        self.server = server
        self.node = node
        self.client = client
        self._pods = pods
        self.wanted = b""
        self.read: list[bytes] = []

    async def start(self, tail: int | None = None) -> asyncio.Task[None]:
        metadata = {"name": "p", "namespace": "default"}
        container = {"name": "main", "image": "mizzen.dev/python"}
        spec = {"nodeName": NODE, "containers": [container]}
        self.pod: Obj = await self.client.create(PODS, {"metadata": metadata, "spec": spec})
        self.place = self._pods / self.pod["metadata"]["uid"] / "main"
        self.place.mkdir(parents=True)
        self.begin(0)
        await self.node.knows("p")
        return asyncio.create_task(self._follow(tail))

    async def _follow(self, tail: int | None) -> None:
        async for line in followed(self.client, self.pod, tail=tail):
            self.read.append(line)

    def begin(self, run: int, rotate_bytes: int = 100_000) -> None:
        self._file = LogFile(str(self.place / f"{run}.log"), rotate_bytes=rotate_bytes)

    def write(self, text: bytes) -> None:
        self.wanted += text
        self._file.feed(b"stdout", text)

    def close(self) -> None:
        self._file.close()

    async def until_read(self) -> None:
        await until(lambda: b"".join(self.read) == self.wanted, "all is read")

    async def end(self) -> None:
        self._file.close()
        status = {"status": {"phase": "Succeeded"}}
        await self.client.patch(PODS, "p", status, "default", subresource="status")


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    server = ApiInProcess(tmp_path)
    await server.start()
    home = Home.locate(str(tmp_path), {})
    async with (
        server.client(ADMIN, Patience(20.0, lambda: True)) as client,
        kubelet(client, home) as node,
    ):
        yield World(server, node, client, home.node / "pods")
    await server.stop()


@pytest.mark.parametrize("away", ["server", "agent"])
async def test_no_line_is_lost_or_repeated_while_the_server_is_away(
    world: World, away: str
) -> None:
    """Lines alike, lines of many parts, rotations and new runs while nobody listens."""
    goes = world.server if away == "server" else world.node
    reading = await world.start()
    for turn in range(3):
        world.write(b"alike\n" * 5 + b"x" * (2 * LINE_BYTES_MAX + turn) + b"\n")
        await world.until_read()
        await goes.stop()
        world.write(b"alike\n" * 3000)  # one rotation or two
        if turn == 1:
            world.close()
            world.begin(1)
            world.write(b"of the run after\n")
        await goes.start()
        await world.until_read()
    await world.end()
    async with asyncio.timeout(10):
        await reading
    assert b"".join(world.read) == world.wanted


async def test_what_is_rotated_away_meanwhile_is_said(world: World) -> None:
    reading = await world.start()
    world.write(b"first\n")
    await world.until_read()
    await world.server.stop()
    world.write(b"".join(b"%d\n" % number for number in range(9000)))
    await world.server.start()
    await until(lambda: world.read[-1] == b"8999\n", "the last line")
    assert world.read[0] == b"first\n" and b"lines are missing here" in world.read[1]
    numbers = [int(line) for line in world.read[2:]]
    assert numbers == list(range(numbers[0], 9000))
    await world.end()
    async with asyncio.timeout(10):
        await reading


async def test_a_line_without_an_end_is_not_gathered_without_one(world: World) -> None:
    follower = await world.start()
    world.begin(0, rotate_bytes=100 << 20)
    world.write(b"x" * (2 * LOG_LINE_BYTES_MAX))
    await until(lambda: world.read, "some of it came, though the line goes on")
    world.write(b"\nand the next\n")
    await world.end()
    await follower
    assert b"".join(world.read) == world.wanted and world.read[-1] == b"and the next\n"
    assert len(world.read) >= 3


async def test_another_pod_of_that_name_is_not_taken_for_it(world: World) -> None:
    (await world.start()).cancel()
    await world.client.delete(PODS, "p", "default", grace_period_s=0)
    metadata = {"name": "p", "namespace": "default"}
    await world.client.create(PODS, {"metadata": metadata, "spec": world.pod["spec"]})
    assert [line async for line in followed(world.client, world.pod)] == []


async def test_without_patience_a_break_is_told(world: World) -> None:
    """And never as an end: what was cut off is not whole."""
    await world.start()
    world.write(b"one\n")
    async with world.server.client(ADMIN) as client:
        lines = followed(client, world.pod)
        assert await anext(lines) == b"one\n"
        await world.server.stop()
        with pytest.raises(Unavailable):
            await anext(lines)
