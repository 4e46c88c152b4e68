"""Whom the agent's own API lets in, and what it makes of what is no request."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from mizzen.base.exposition import MetricsRegistry
from mizzen.base.objects import Key, Obj
from mizzen.host import pki
from mizzen.host.clock import RealClock
from mizzen.host.get_server import HEAD_BYTES_MAX
from mizzen.host.home import Home
from mizzen.host.mutual_tls import MutualTls
from mizzen.node.core.pod_events import NO_DEBUGGERS
from mizzen.node.kubelet.server import NodeServer, NodeView

LOG = b"GET /containerLogs/default/p/main HTTP/1.1\r\nHost: n1\r\n\r\n"


class World:
    port = 0

    def __init__(self, home: Home) -> None:
        self.keys = pki.ensure(home, RealClock(), listen="127.0.0.1", port=1)
        self.metrics = MetricsRegistry()
        self.pods: dict[Key, Obj] = {}
        self._view = NodeView(self.pods, home.node / "pods", RealClock(), self.metrics)
        self.server = NodeServer(self.keys.kubelet, self._view)

    async def ask(self, request: bytes, shown: MutualTls | None = None) -> bytes:
        """All that comes back until the connection ends."""
        context = (shown or self.keys.kubelet_client).client_context()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=context)
        try:
            writer.write(request)
            async with asyncio.timeout(10):
                return await reader.read()
        finally:
            writer.close()


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    home = Home.locate(str(tmp_path), {})
    home.make()
    world = World(home)
    world.port = await world.server.open()
    yield world
    await world.server.close()


async def test_the_api_server_is_answered(world: World) -> None:
    answer = await world.ask(LOG)
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert answer.endswith(b'pod "p" is not known to its node')


async def test_nobody_else_gets_in(world: World) -> None:
    """Neither without a certificate, nor with a server's of the same authority."""
    for shown in (world.keys.kubelet, None):
        context = ssl.create_default_context(cafile=world.keys.ca_file)
        if shown is not None:
            context.load_cert_chain(shown.cert_file, shown.key_file)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            reader, writer = await asyncio.open_connection("127.0.0.1", world.port, ssl=context)
            writer.write(LOG)
            await writer.drain()
            answer = await reader.read()
            writer.close()
            assert not answer
            raise ConnectionError("it hung up without a word")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"POST /containerLogs/a/b/c HTTP/1.1\r\n\r\n", b"405"),
        (b"GET /exec/a/b/c HTTP/1.1\r\n\r\n", b"404"),
        (b"GET /containerLogs/a HTTP/1.1\r\n\r\n", b"404"),
        (b"GET /metrics/cadvisor HTTP/1.1\r\n\r\n", b"404"),
        (b"GET /healthz/ping HTTP/1.1\r\n\r\n", b"404"),
        (b"GET / HTTP/1.1\r\n\r\n", b"404"),
        (b"hello\r\n\r\n", b"400"),
    ],
)
async def test_what_is_not_served_is_a_4xx(world: World, request_: bytes, status: bytes) -> None:
    assert (await world.ask(request_)).split(b" ", 2)[1] == status


async def test_a_head_without_end_is_hung_up_on(world: World) -> None:
    with contextlib.suppress(ConnectionError):
        assert await world.ask(b"GET /" + b"x" * (2 * HEAD_BYTES_MAX)) == b""
    assert (await world.ask(LOG)).startswith(b"HTTP/1.1 404 ")


async def test_it_shows_the_agents_metrics_and_that_it_lives(world: World) -> None:
    world.metrics.register(lambda page: page.add("hits_total", "counter", "Hits.", 3))
    answer = await world.ask(b"GET /metrics HTTP/1.1\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ") and b"\nhits_total 3\n" in answer
    assert b"ok" in await world.ask(b"GET /healthz HTTP/1.1\r\n\r\n")


async def test_the_log_of_a_debugger_says_that_it_was_not_started(world: World) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": "default", "name": "p", "uid": "u"},
        "spec": {"containers": [{"name": "main"}], "ephemeralContainers": [{"name": "debugger"}]},
    }
    world.pods[Key("default", "p")] = pod
    answer = await world.ask(LOG.replace(b"/main", b"/debugger"))
    assert answer.startswith(b"HTTP/1.1 400 ") and NO_DEBUGGERS.encode() in answer
    assert b"it has written no log yet" in await world.ask(LOG)
