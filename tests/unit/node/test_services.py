"""The agent's part: what the API says of Services is what their addresses do."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio

from mizzen.base.objects import Obj
from mizzen.base.resources import ENDPOINT_SLICES, EVENTS, SERVICES
from mizzen.client.client import Client
from mizzen.client.events import EventRecorder
from mizzen.host.clock import RealClock
from mizzen.node import services
from mizzen.node.boundary import Boundary
from mizzen.node.services import Services
from support.api_in_process import api_server

WITHIN_S = 10.0
PORT = 18_471


class Node:
    """The part of an agent that looks after Services."""

    def __init__(self, client: Client, folder: Path) -> None:
        events = EventRecorder(client, "mizzen-node-n", RealClock())
        boundary = Boundary(events, lambda uid: None)
        log = folder / "forwarder.log"
        self.services = Services(client, "n", "127.0.0.1", events, boundary, log)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        informers = (self.services.services, self.services.slices)
        self._tasks = [asyncio.create_task(each.run()) for each in informers]
        for each in informers:
            await each.wait_synced()
        self.services.connect()
        self._tasks.append(asyncio.create_task(self.services.run()))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@pytest_asyncio.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with api_server(tmp_path / "home") as made:
        yield made


@pytest_asyncio.fixture
async def node(client: Client, tmp_path: Path) -> AsyncIterator[Node]:
    made = Node(client, tmp_path)
    await made.start()
    yield made
    await made.stop()


@pytest_asyncio.fixture
async def endpoint() -> AsyncIterator[tuple[str, int]]:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[:2]
    server.close()


async def make_service(client: Client, name: str, **spec: Any) -> str:
    ports = [{"name": "p", "port": PORT}]
    body = {"metadata": {"name": name, "namespace": "default"}, "spec": {"ports": ports, **spec}}
    return (await client.create(SERVICES, body))["spec"]["clusterIP"]


def slice_body(service: str, *places: tuple[str, int], ready: bool = True) -> Obj:
    endpoints = [{"addresses": [at], "conditions": {"ready": ready}} for at, _ in places]
    return {
        "metadata": {"name": f"{service}-1", "namespace": "default",
                     "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4",
        "ports": [{"name": "p", "port": places[0][1]}],
        "endpoints": endpoints,
    }  # fmt: skip


async def say(address: str, port: int = PORT) -> bytes:
    reader, writer = await asyncio.open_connection(address, port)
    try:
        return await reader.read()
    finally:
        writer.close()


async def reached(address: str, port: int = PORT) -> bytes:
    """What answers there, once something does."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            with contextlib.suppress(ConnectionError):
                return await say(address, port)
            await asyncio.sleep(0.005)


async def refused(address: str, port: int = PORT) -> None:
    async with asyncio.timeout(WITHIN_S):
        while True:
            try:
                await say(address, port)
            except ConnectionRefusedError:
                return
            except ConnectionResetError:
                pass  # it was let in by a listener that closes
            await asyncio.sleep(0.005)


async def test_an_address_leads_to_ready_endpoints_and_to_none_once_they_are_gone(
    client: Client, node: Node, endpoint: tuple[str, int]
) -> None:
    address = await make_service(client, "web")
    await refused(address)
    made = await client.create(ENDPOINT_SLICES, slice_body("web", endpoint))
    assert await reached(address) == b"hello"
    body = {**slice_body("web", endpoint, ready=False), "metadata": made["metadata"]}
    made = await client.update(ENDPOINT_SLICES, body)
    await refused(address)
    await client.update(
        ENDPOINT_SLICES, {**slice_body("web", endpoint), "metadata": made["metadata"]}
    )
    assert await reached(address) == b"hello"
    await client.delete(SERVICES, "web", "default")
    await refused(address)


async def test_a_node_port_leads_there_too(
    client: Client, node: Node, endpoint: tuple[str, int]
) -> None:
    await make_service(client, "web", type="NodePort")
    await client.create(ENDPOINT_SLICES, slice_body("web", endpoint))
    service = await client.get(SERVICES, "web", "default")
    port: int = service["spec"]["ports"][0]["nodePort"]
    assert await reached("127.0.0.1", port) == b"hello"
    body = {**service, "spec": {**service["spec"], "type": "ClusterIP"}}
    del body["spec"]["ports"][0]["nodePort"], body["spec"]["externalTrafficPolicy"]
    await client.update(SERVICES, body)
    await refused("127.0.0.1", port)
    assert await reached(service["spec"]["clusterIP"]) == b"hello"


async def test_the_next_agent_listens_again_at_once(
    client: Client, endpoint: tuple[str, int], tmp_path: Path
) -> None:
    address = await make_service(client, "web")
    await client.create(ENDPOINT_SLICES, slice_body("web", endpoint))
    for _ in range(2):
        node = Node(client, tmp_path)
        await node.start()
        assert await reached(address) == b"hello"
        await node.stop()
        await refused(address)


async def test_a_forwarder_that_is_killed_is_replaced(
    client: Client, node: Node, endpoint: tuple[str, int]
) -> None:
    address = await make_service(client, "web")
    await client.create(ENDPOINT_SLICES, slice_body("web", endpoint))
    assert await reached(address) == b"hello"
    (pid,) = [pid for pid in _children() if "forwarder" in _command(pid)]
    os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(WITHIN_S):
        while not node.services.statistics().get("restarts"):  # noqa: ASYNC110 - a count
            await asyncio.sleep(0.005)
    assert await reached(address) == b"hello"


def _children() -> list[int]:
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


def _command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


async def test_a_port_that_another_has_is_told_on_the_service(
    client: Client, node: Node, endpoint: tuple[str, int]
) -> None:
    address = await make_service(client, "web")
    with socket.create_server((address, PORT)):
        await client.create(ENDPOINT_SLICES, slice_body("web", endpoint))
        event = await _event(client, "FailedToListen")
        assert event["type"] == "Warning" and event["involvedObject"]["name"] == "web"
        assert (
            f"cannot listen on {address}:{PORT} (TCP): Address already in use" in event["message"]
        )
    assert await reached(address) == b"hello"
    assert (await _event(client, "Listening"))["type"] == "Normal"


async def _event(client: Client, reason: str) -> Obj:
    async with asyncio.timeout(WITHIN_S):
        while True:
            for event in (await client.list(EVENTS))[0]:
                # The Service "kubernetes" may be told of too: instances beside have its address.
                if event.get("reason") == reason and event["involvedObject"]["name"] == "web":
                    return event
            await asyncio.sleep(0.01)


def test_what_hinders_it_comes_with_a_way_out() -> None:
    text = services._why("127.2.0.1:80/TCP", errno.EACCES)  # pyright: ignore[reportPrivateUsage]
    assert text.startswith("cannot listen on 127.2.0.1:80 (TCP): Permission denied")
    assert "sysctl net.ipv4.ip_unprivileged_port_start=80" in text
