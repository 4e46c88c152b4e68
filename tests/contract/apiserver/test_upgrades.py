"""Websockets over a real served connection, by a subresource that only this test registers."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
import socket as socket_module
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

import support
from mizzen.apiserver import asgi, authorizers, channels, run, subresources
from mizzen.apiserver.channels import Channels
from mizzen.base.resources import PODS
from mizzen.host import pki
from mizzen.host.home import Home
from mizzen.kinds.registry import builtin_kinds
from support.api_in_process import ApiInProcess
from support.subresources import echo
from support.waiting import until

PATH = "/api/v1/namespaces/default/pods/p"
V5, V4 = "v5.channel.k8s.io", "v4.channel.k8s.io"


class World:
    def __init__(
        self,
        server: ApiInProcess,
        session: aiohttp.ClientSession,
        home: Home,
        ended: list[str],
        allowed: set[tuple[str, str, str]],
    ) -> None:
        self.server = server
        self.allowed = allowed  # beside what the roles may, as (user, verb, what)
        self.ended = ended  # of the handlers
        self._session = session
        self._tokens = pki.load(home).tokens
        self._context = ssl.create_default_context(cafile=pki.load(home).ca_file)

    async def dial(
        self, path: str = f"{PATH}/echo", *protocols: str, user: str = "admin"
    ) -> aiohttp.ClientWebSocketResponse:
        return await self._session.ws_connect(
            self.server.url + path,
            protocols=protocols or (V5,),
            headers={"Authorization": f"Bearer {self._tokens.get(user, 'nobody')}"},
            ssl=self._context,
            max_msg_size=0,
        )

    async def refused(
        self,
        path: str = f"{PATH}/echo",
        *,
        user: str = "admin",
        upgrade: bool = True,
        offer: str = V5,
    ) -> tuple[int, Any]:
        """The code and the Status that is answered in place of a websocket."""
        headers = {"Authorization": f"Bearer {self._tokens.get(user, 'nobody')}"}
        if upgrade:
            headers |= {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                        "Sec-WebSocket-Key": "SGVsbG8sIHdvcmxkIQ==",
                        "Sec-WebSocket-Protocol": offer}  # fmt: skip
        async with self._session.get(
            self.server.url + path, headers=headers, ssl=self._context
        ) as answer:
            return answer.status, await answer.json()


def _plug_in(monkeypatch: pytest.MonkeyPatch, package: ModuleType, name: str) -> Any:
    """The module of that name in `support`, as if it lay in the package."""
    folder = Path(support.__path__[0]) / package.__name__.rpartition(".")[2]
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    monkeypatch.delitem(sys.modules, f"{package.__name__}.{name}", raising=False)
    return importlib.import_module(f"{package.__name__}.{name}")


@pytest_asyncio.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """A new subresource is its file and a word in its kind."""
    kinds = dict(builtin_kinds())
    pod = kinds["", "pods"]
    kinds["", "pods"] = dataclasses.replace(pod, subresources=(*pod.subresources, echo.ECHO))
    monkeypatch.setattr(run, "builtin_kinds", lambda: kinds)
    plugged = _plug_in(monkeypatch, subresources, "echo")
    scripted = _plug_in(monkeypatch, authorizers, "scripted")
    server = ApiInProcess(tmp_path)
    await server.start()
    home = Home.locate(str(tmp_path), {})
    async with server.client("admin") as client, aiohttp.ClientSession() as session:
        container = {"name": "main", "image": "mizzen.dev/python"}
        metadata = {"name": "p", "namespace": "default"}
        await client.create(PODS, {"metadata": metadata, "spec": {"containers": [container]}})
        yield World(server, session, home, plugged.ended, scripted.ALLOWED)
    await server.stop()


async def test_messages_go_both_ways_in_the_protocol_that_is_agreed_on(world: World) -> None:
    async with await world.dial(f"{PATH}/echo", "other", V4, V5) as socket:
        assert socket.protocol == V4, "the first that is offered and spoken"
        assert await socket.receive_str() == V4
        await socket.send_bytes(b"\x00\xff" * 1000)
        assert await socket.receive_bytes() == b"\x00\xff" * 1000
        for number in range(100):
            await socket.send_str(str(number))
        assert [await socket.receive_str() for _ in range(100)] == [str(n) for n in range(100)]
        await socket.send_str("bye")
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
        assert socket.close_code == 1000


async def test_who_leaves_ends_the_handler(world: World) -> None:
    socket = await world.dial()
    await socket.receive_str()
    await socket.close()
    await until(lambda: world.ended, "the handler has ended")


async def test_who_leaves_without_a_word_ends_the_handler_that_talks(world: World) -> None:
    socket = await world.dial()
    await socket.receive_str()
    await socket.send_str("talk")
    await socket.receive_bytes()
    transport = socket.get_extra_info("socket")
    assert transport is not None
    transport.shutdown(socket_module.SHUT_RDWR)
    await until(lambda: world.ended, "the handler has ended")


@pytest.mark.parametrize(
    ("order", "code", "reason"),
    [
        ("refuse", 1011, "the process has ended"),
        ("fail", 1011, "Internal error occurred: ValueError"),
    ],
)
async def test_what_breaks_says_why(world: World, order: str, code: int, reason: str) -> None:
    async with await world.dial() as socket:
        await socket.receive_str()
        await socket.send_str(order)
        last = await socket.receive()
        assert (last.type, last.data, last.extra) == (aiohttp.WSMsgType.CLOSE, code, reason)


async def test_what_is_too_big_closes(world: World) -> None:
    async with await world.dial() as socket:
        await socket.receive_str()
        await socket.send_bytes(b"x" * channels.MESSAGE_BYTES_MAX)
        assert len(await socket.receive_bytes()) == channels.MESSAGE_BYTES_MAX
        await socket.send_bytes(b"x" * (channels.MESSAGE_BYTES_MAX + 1))
        assert (await socket.receive()).data == 1009


async def test_a_text_has_its_bytes_counted(world: World) -> None:
    async with await world.dial() as socket:
        await socket.receive_str()
        await socket.send_str("ä" * (channels.MESSAGE_BYTES_MAX // 2 + 1))
        assert (await socket.receive()).data == 1009


async def test_the_end_of_the_server_is_told(world: World) -> None:
    async with await world.dial() as socket:
        await socket.receive_str()
        stopping = asyncio.create_task(world.server.stop())
        assert (await socket.receive()).data == 1001
        await stopping


async def test_silence_ends(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.server.stop()
    monkeypatch.setattr(asgi, "Channels", lambda closing: Channels(closing, idle_s_max=0.2))
    await world.server.start()
    async with await world.dial() as socket:
        await socket.receive_str()
        last = await socket.receive()
        assert (last.data, last.extra) == (1000, "nothing was said for 0.2 s")


async def test_there_are_only_so_many_of_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "CHANNELS_OF_ONE_MAX", 1)
    async with await world.dial():
        code, status = await world.refused()
        assert code == 429 and '1 websockets of "admin" are open' in status["message"]
    await until(lambda: world.ended, "the handler has ended")
    async with await world.dial() as socket:
        assert await socket.receive_str() == V5


async def test_those_who_come_together_are_only_so_many(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "CHANNELS_OF_ONE_MAX", 2)
    dialled = await asyncio.gather(*(world.dial() for _ in range(12)), return_exceptions=True)
    sockets = [each for each in dialled if isinstance(each, aiohttp.ClientWebSocketResponse)]
    refused = [each for each in dialled if isinstance(each, aiohttp.WSServerHandshakeError)]
    assert (len(sockets), {each.status for each in refused}) == (2, {429})
    for socket in sockets:
        await socket.close()


@pytest.mark.parametrize(
    ("path", "code", "words"),
    [
        (f"{PATH}/echo", 400, "none of the subprotocols v9.channel.k8s.io is spoken here"),
        (f"{PATH}/log", 400, "its pod has no node yet"),
        (PATH, 400, "is no websocket"),
        ("/api/v1/pods?watch=true", 400, "is no websocket"),
        ("/version", 400, "is no websocket"),
        (f"{PATH}/exec", 400, "pod p does not have a host assigned"),
        (f"{PATH}/proxy", 400, "has no address yet"),
        (f"{PATH}/nothing", 404, "could not find"),
        ("/api/v1/namespaces/default/pods/q/echo", 404, 'pods "q" not found'),
    ],
)
async def test_an_upgrade_that_is_not_served_is_a_4xx_with_its_status(
    world: World, path: str, code: int, words: str
) -> None:
    found, status = await world.refused(path, offer="v9.channel.k8s.io")
    assert (found, status["kind"], status["code"]) == (code, "Status", code)
    assert words in status["message"]


async def test_a_plain_request_is_told_to_upgrade(world: World) -> None:
    assert await world.refused(upgrade=False) == (
        400,
        {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "Upgrade request required", "reason": "BadRequest", "code": 400,
        },
    )  # fmt: skip


async def test_nobody_unknown_gets_in(world: World) -> None:
    assert (await world.refused(user="stranger"))[0] == 401


async def test_who_may_only_read_opens_no_websocket(world: World) -> None:
    """It is a GET, and would run something: both verbs are asked."""
    user = "system:mizzen:gateway"
    for verbs, missing in (((), "get"), (("get",), "create"), (("create",), "get")):
        world.allowed.clear()
        world.allowed.update((user, verb, "pods/echo") for verb in verbs)
        code, status = await world.refused(user=user)
        assert code == 403
        assert f'cannot {missing} resource "pods/echo"' in status["message"]
    world.allowed.update((user, verb, "pods/echo") for verb in ("get", "create"))
    async with await world.dial(user=user) as socket:
        assert await socket.receive_str() == V5
