"""pods/portforward: connections to a pod through both subprotocols, and what breaks them."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from mizzen.host import spdy
from mizzen.host.spdy import Data, Frame, Ping, RstStream
from support.pod_streams import DEADLINE_S, V4, Said, StreamsWorld, binary, streams_world

TUNNEL = "SPDY/3.1+portforward.k8s.io"
# Answers what it is sent, from end to end of it: who does not say that it ends gets no answer.
SERVER = """
import asyncio, os, sys
async def serve(reader, writer):
    data = await reader.read()
    writer.write(b"%d:" % len(data) + data)
    await writer.drain()
    writer.close()
async def main():
    server = await asyncio.start_server(serve, os.environ["POD_IP"], 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


class Tunnel:
    """A client of SPDY within a websocket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self._writer, self._parser = spdy.SpdyWriter(), spdy.SpdyParser()
        self._next = 1
        self.frames: list[Frame] = []
        self.said: dict[int, bytes] = {}
        self.ended: set[int] = set()
        self.reset: set[int] = set()

    async def open(self, port: int | str, request: str = "", kind: str = "") -> tuple[int, int]:
        """The ids of the error and the data stream of a connection, as kubectl opens them."""
        ids: list[int] = []
        for each in (kind,) if kind else ("error", "data"):
            headers = {"streamtype": each, "port": str(port)}
            headers |= {"requestid": request} if request else {}
            await self.socket.send_bytes(self._writer.syn_stream(self._next, headers))
            ids.append(self._next)
            self._next += 2
        return ids[0], ids[-1]

    async def send(self, stream: int, data: bytes, *, is_fin: bool = False) -> None:
        await self.socket.send_bytes(spdy.data(stream, data, is_fin=is_fin))

    async def take(self) -> None:
        message = await self.socket.receive()
        assert message.type is aiohttp.WSMsgType.BINARY, message
        for frame in self._parser.feed(message.data):
            self.frames.append(frame)
            if isinstance(frame, Data):
                self.said[frame.stream] = self.said.get(frame.stream, b"") + frame.data
                self.ended |= {frame.stream} if frame.is_fin else set()
            elif isinstance(frame, RstStream):
                self.reset.add(frame.stream)

    async def until(self, *streams: int) -> None:
        """All of these have ended, well or not."""
        async with asyncio.timeout(DEADLINE_S):
            while not {*streams} <= self.ended | self.reset:
                await self.take()


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[StreamsWorld]:
    async with streams_world(tmp_path) as made:
        yield made


async def serve(world: StreamsWorld) -> int:
    """A pod that answers at its port; the port."""
    await world.run("p", f"exec {sys.executable} -c '{SERVER}'")
    return int(await world.first_line("p"))


async def tunnel(world: StreamsWorld) -> Tunnel:
    return Tunnel(await world.dial("p", "portforward", [], TUNNEL))


async def test_a_connection_with_a_half_close(world: StreamsWorld) -> None:
    port = await serve(world)
    client = await tunnel(world)
    error, data = await client.open(port, "0")
    await client.send(error, b"", is_fin=True)
    await client.send(data, b"hello ")
    await client.send(data, b"there", is_fin=True)
    await client.until(error, data)
    assert client.said[data] == b"11:hello there" and not client.said.get(error)
    assert not client.reset
    await client.socket.close()


async def test_many_connections_in_one_websocket(world: StreamsWorld) -> None:
    port = await serve(world)
    client = await tunnel(world)
    opened = [await client.open(port, str(number)) for number in range(100)]
    for number, (_, data) in enumerate(opened):
        await client.send(data, f"{number}".encode(), is_fin=True)
    await client.until(*(stream for both in opened for stream in both))
    for number, (_, data) in enumerate(opened):
        assert client.said[data].partition(b":")[2] == f"{number}".encode()
    await client.socket.close()


async def test_much_goes_through(world: StreamsWorld) -> None:
    port = await serve(world)
    client = await tunnel(world)
    sent = os.urandom(8 << 20)
    error, data = await client.open(port, "0")
    for at in range(0, len(sent), 32 << 10):
        await client.send(data, sent[at : at + (32 << 10)])
    await client.send(data, b"", is_fin=True)
    await client.until(error, data)
    assert client.said[data].partition(b":")[2] == sent
    await client.socket.close()


async def test_a_port_where_nobody_listens_is_told_and_the_next_one_works(
    world: StreamsWorld,
) -> None:
    port = await serve(world)
    client = await tunnel(world)
    error, data = await client.open(1, "0")
    await client.until(error, data)
    assert b"error forwarding port 1 to pod p, uid " in client.said[error]
    assert b"connection refused" in client.said[error] and {error, data} <= client.reset
    error, data = await client.open(port, "1")
    await client.send(data, b"x", is_fin=True)
    await client.until(data)
    assert client.said[data] == b"1:x"
    await client.socket.close()


async def test_a_stream_that_is_reset_ends_its_connection(world: StreamsWorld) -> None:
    port = await serve(world)
    client = await tunnel(world)
    error, data = await client.open(port, "0")
    await client.socket.send_bytes(spdy.rst_stream(data, spdy.CANCEL) + spdy.ping(1))
    while Ping(1) not in client.frames:
        await client.take()
    assert not client.said.get(data) and not client.said.get(error)
    await client.socket.close()


@pytest.mark.parametrize(
    ("port", "kind"),
    [("0", "data"), ("x", "data"), ("70000", "data"), ("80", "odd"), ("", "error")],
)
async def test_a_stream_that_asks_for_nonsense_is_refused(
    world: StreamsWorld, port: str, kind: str
) -> None:
    await serve(world)
    client = await tunnel(world)
    stream, _ = await client.open(port, "0", kind)
    await client.until(stream)
    assert client.reset == {stream}
    await client.socket.close()


@pytest.mark.parametrize(
    "message",
    [b"GET / HTTP/1.1\r\n\r\n", b"\x80\x02\x00\x01\0\0\0\0", b"\0\0\0\1\0\xff\xff\xff", "x"],
)
async def test_what_is_no_spdy_is_closed(world: StreamsWorld, message: bytes | str) -> None:
    await serve(world)
    client = await tunnel(world)
    if isinstance(message, str):
        await client.socket.send_str(message)
    else:
        await client.socket.send_bytes(message)
    assert (await asyncio.wait_for(client.socket.receive(), DEADLINE_S)).type in (
        aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED,
    )  # fmt: skip
    assert (await tunnel(world)) is not None


async def test_v4_has_two_channels_for_each_port(world: StreamsWorld) -> None:
    await world.run("p", f"exec {sys.executable} -m http.server 8000 --bind $POD_IP")
    assert (await world.first_line("p")).startswith("Serving")
    dial = world.dial("p", "portforward", [("ports", "8000"), ("ports", "1")], V4)
    async with await dial as socket:
        said = Said(socket, binary)
        await socket.send_bytes(b"\x00GET /no HTTP/1.0\r\n\r\n")
        found = await said.all()
    assert {channel: data[:2] for channel, data in found.items()} == {
        0: b"\x40\x1f", 1: b"\x40\x1f", 2: b"\x01\x00", 3: b"\x01\x00",
    }  # fmt: skip
    assert found[0][2:].startswith(b"HTTP/1.0 404")
    assert found[1][2:] == b"" and b"error forwarding port 1 to pod p" in found[3]


@pytest.mark.parametrize("ports", ["", "0", "x", "80,99999", ",".join(["80"] * 65)])
async def test_v4_refuses_ports_that_are_none(world: StreamsWorld, ports: str) -> None:
    await serve(world)
    code, message = await world.refusal("p", "portforward", [("ports", ports)], V4)
    assert code == 400 and ("port" in message)
