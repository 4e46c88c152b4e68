"""The relay of roles' metrics, in front of roles that answer, are not there, hang or break off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from mizzen.apiserver import role_metrics
from mizzen.apiserver.kubelet_client import KubeletClient
from mizzen.apiserver.role_metrics import RoleMetrics
from mizzen.base.errors import ApiError, InternalError, NotFound, Timeout, Unavailable
from mizzen.host.monitor import Monitor
from mizzen.host.sockets import SocketFolder
from mizzen.store.memory import MemoryStore
from support.api_handlers import NO_NODES


class World:
    def __init__(self, folder: Path) -> None:
        self.sockets = SocketFolder(folder)
        store = MemoryStore()
        self.roles = RoleMetrics(folder, KubeletClient(store, NO_NODES), store)
        self.outside = RoleMetrics(None, KubeletClient(store, NO_NODES), store)

    async def refusal(self, path: str) -> ApiError:
        with pytest.raises(ApiError) as caught:
            await self.roles.get(path)
        return caught.value


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path / "monitors")
    yield world
    world.sockets.close()


async def test_a_page_is_passed_on(world: World) -> None:
    monitor = Monitor()
    monitor.metrics.register(lambda page: page.add("hits_total", "counter", "Hits.", 3))
    await monitor.open(world.sockets.listen("scheduler", 1))
    try:
        answer = await world.roles.get("/metrics/scheduler")
    finally:
        await monitor.close()
    assert answer.status == 200 and b"\nhits_total 3\n" in answer.body


async def test_a_role_that_does_not_run_is_a_503_that_says_so(world: World) -> None:
    """Neither one that never ran, nor one whose socket is left."""
    for _ in range(2):
        error = await world.refusal("/metrics/scheduler")
        assert isinstance(error, Unavailable)
        assert error.message.startswith("scheduler does not run, or not yet: nobody answers at ")
        assert not error.retry_after_s  # kubectl would ask ten times more
        world.sockets.listen("scheduler", 1).close()


async def test_a_role_that_hangs_is_a_504_in_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel takes the connection, nobody takes it up: as of a process that is stopped."""
    monkeypatch.setattr(role_metrics, "ANSWER_S_MAX", 0.1)
    listener = world.sockets.listen("controllers", 1)
    try:
        async with asyncio.timeout(5):
            error = await world.refusal("/metrics/controllers")
    finally:
        listener.close()
    assert isinstance(error, Timeout)
    assert error.message == (
        "controllers does not answer within 0.1 s: it hangs, or is at one piece of work; look at "
        "`mizzen status` and its log"
    )


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", Unavailable),
        (b"hello\r\n\r\n", Unavailable),
        (b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno", InternalError),
    ],
)
async def test_what_is_no_page_is_not_passed_on(
    world: World, said: bytes, kind: type[ApiError]
) -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        writer.close()

    server = await asyncio.start_unix_server(serve, sock=world.sockets.listen("gateway", 1))
    try:
        assert type(await world.refusal("/metrics/gateway")) is kind
    finally:
        server.close()


async def test_what_is_no_role_is_not_found(world: World) -> None:
    for path in ("/metrics/x", "/metrics/", "/metrics/scheduler/x", "/metrics/../pki"):
        assert isinstance(await world.refusal(path), NotFound)
    with pytest.raises(NotFound):
        await world.outside.get("/metrics/scheduler")


async def test_without_a_node_of_its_own_a_node_is_to_be_named(world: World) -> None:
    error = await world.refusal("/metrics/node")
    assert isinstance(error, NotFound) and error.message.endswith("ask for /metrics/node/NAME")
    assert isinstance(await world.refusal("/metrics/node/gone"), Unavailable)
