"""A server that is away for a moment: who waits for it, and what is never sent again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from mizzen.base.errors import Unavailable
from mizzen.base.resources import PODS
from mizzen.client.client import Client
from mizzen.client.kubeconfig import Connection
from mizzen.client.transport import Patience
from support.ports import free_port

POD = {"metadata": {"name": "a", "namespace": "x"}}
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
TURNED_AWAY = b"HTTP/1.1 503 \r\nRetry-After: 1\r\nContent-Length: 2\r\n\r\n{}"


class Server:
    """Hangs up on the first `deaf` requests that reach it, or says `first`; answers the others."""

    def __init__(self, deaf: int, first: bytes = b"") -> None:
        self.port = free_port()
        self.heard: list[bytes] = []
        self._deaf = deaf
        self._first = first

    async def start(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await _head(reader):
            self.heard.append(head.split(b" ", 1)[0])
            if len(self.heard) <= self._deaf:
                if self._first:
                    writer.write(self._first)
                    continue
                break
            writer.write(ANSWER)
        writer.close()


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            await reader.readexactly(int(line.split(b":")[1]))
    return head


def client(server: Server, patience: Patience | None) -> Client:
    url = f"http://127.0.0.1:{server.port}"
    return Client(Connection(url), user_agent="test", patience=patience)


@pytest.fixture
async def begun() -> AsyncIterator[list[asyncio.Server]]:
    running: list[asyncio.Server] = []
    yield running
    for server in running:
        server.close()


async def test_what_could_not_be_sent_waits_until_the_server_is_there(
    begun: list[asyncio.Server],
) -> None:
    server = Server(deaf=0)
    asked = asyncio.Event()

    def may_come_back() -> bool:
        asked.set()
        return True

    async with client(server, Patience(20, may_come_back)) as patient:
        write = asyncio.create_task(patient.create(PODS, POD))
        await asyncio.wait_for(asked.wait(), 10)
        begun.append(await server.start())
        assert await asyncio.wait_for(write, 10) == {}
    assert server.heard == [b"POST"]


async def test_a_read_is_repeated_and_a_write_never(begun: list[asyncio.Server]) -> None:
    server = Server(deaf=1)
    begun.append(await server.start())
    async with client(server, Patience(20, lambda: True)) as patient:
        assert await patient.get(PODS, "a", "x") == {}
    assert server.heard == [b"GET", b"GET"]
    server = Server(deaf=1)
    begun.append(await server.start())
    async with client(server, Patience(20, lambda: True)) as patient:
        with pytest.raises(Unavailable):
            await patient.create(PODS, POD)
    assert server.heard == [b"POST"]


async def test_who_is_turned_away_comes_back(begun: list[asyncio.Server]) -> None:
    """By a server that is about to stop: it has done nothing, so a write is sent again, too."""
    server = Server(deaf=2, first=TURNED_AWAY)
    begun.append(await server.start())
    async with client(server, Patience(20, lambda: True)) as patient:
        assert await patient.create(PODS, POD) == {}
    assert server.heard == [b"POST"] * 3
    server = Server(deaf=1, first=TURNED_AWAY)
    begun.append(await server.start())
    async with client(server, None) as impatient:
        with pytest.raises(Unavailable):
            await impatient.create(PODS, POD)


@pytest.mark.parametrize("patience", [None, Patience(20, lambda: False), Patience(0, lambda: True)])
async def test_nobody_waits_without_a_reason(patience: Patience | None) -> None:
    async with client(Server(deaf=0), patience) as impatient:
        with pytest.raises(Unavailable):
            await asyncio.wait_for(impatient.get(PODS, "a", "x"), 5)


async def test_a_stream_waits_for_its_server_too(begun: list[asyncio.Server]) -> None:
    server = Server(deaf=0)
    asked = asyncio.Event()

    def may_come_back() -> bool:
        asked.set()
        return True

    async def follow(patient: Client) -> list[bytes]:
        return [line async for line in patient.lines("/x")]

    async with client(server, Patience(20, may_come_back)) as patient:
        following = asyncio.create_task(follow(patient))
        await asyncio.wait_for(asked.wait(), 10)
        begun.append(await server.start())
        assert await asyncio.wait_for(following, 10) == [b"{}"]
