"""Websockets to pods of a real agent in the test's own process, behind a real API server."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import orjson
import pytest

from mizzen.base.names import ADMIN
from mizzen.client.client import Client
from mizzen.host import pki
from mizzen.host.home import Home
from mizzen.node.agent import Agent
from support.api_in_process import ApiInProcess
from unit.node.test_agent import World, phase

DEADLINE_S = 60.0  # of a busy machine, too
V5, V4 = "v5.channel.k8s.io", "v4.channel.k8s.io"


class StreamsWorld(World):
    """A node, and who connects to its pods."""

    def __init__(
        self, url: str, client: Client, folder: Path, session: aiohttp.ClientSession
    ) -> None:
        super().__init__(client, folder)
        self._server_url = url
        self._session = session
        files = pki.load(Home.locate(str(folder / "home"), {}))
        self._headers = {"Authorization": f"Bearer {files.tokens['admin']}"}
        self._context = ssl.create_default_context(cafile=files.ca_file)

    async def crash(self) -> None:
        """The agent goes as by `kill -9`: its pods run on."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Agent, "stop", Agent.close)
            await self.stop()

    async def run(self, name: str, script: str, **container: Any) -> None:
        """A pod of one shell, once it runs."""
        await self.pod(name, "sh", "-c", script, container=container)
        await self.until(name, phase("Running"))

    async def first_line(self, name: str) -> str:
        """The first line of the pod's log, once there is one."""
        async with asyncio.timeout(DEADLINE_S):
            async for line in self.client.logs(name, "default", follow=True):
                return line.decode().rstrip("\n")
        raise AssertionError(f"{name} said nothing")

    def _url(self, name: str, what: str, params: list[tuple[str, str]]) -> str:
        return (
            f"{self._server_url}/api/v1/namespaces/default/pods/{name}/{what}?{urlencode(params)}"
        )

    async def dial(
        self, name: str, what: str, params: list[tuple[str, str]], protocol: str = V5
    ) -> aiohttp.ClientWebSocketResponse:
        return await self._session.ws_connect(
            self._url(name, what, params),
            protocols=(protocol,),
            headers=self._headers,
            ssl=self._context,
            max_msg_size=0,
        )

    async def refusal(
        self, name: str, what: str, params: list[tuple[str, str]], protocol: str = V5
    ) -> tuple[int, str]:
        """Code and message in place of a websocket."""
        headers = {
            **self._headers, "Connection": "Upgrade", "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "SGVsbG8sIHdvcmxkIQ==",
            "Sec-WebSocket-Protocol": protocol,
        }  # fmt: skip
        url = self._url(name, what, params)
        async with self._session.get(url, headers=headers, ssl=self._context) as answer:
            return answer.status, (await answer.json())["message"]

    async def post(self, name: str, what: str, params: list[tuple[str, str]]) -> tuple[int, str]:
        headers = {**self._headers, "Connection": "Upgrade", "Upgrade": "SPDY/3.1"}
        url = self._url(name, what, params)
        async with self._session.post(url, headers=headers, ssl=self._context) as answer:
            return answer.status, (await answer.json())["message"]


class Said:
    """What comes out of a websocket of channels, by channel."""

    def __init__(
        self, socket: aiohttp.ClientWebSocketResponse, codec: Callable[[Any], Any]
    ) -> None:
        self._socket = socket
        self._codec = codec
        self.by_channel: dict[int, bytes] = {}

    async def until(self, channel: int, word: bytes) -> bytes:
        async with asyncio.timeout(DEADLINE_S):
            while word not in self.by_channel.get(channel, b""):
                assert await self._next(), self.by_channel
        return self.by_channel[channel]

    async def all(self) -> dict[int, bytes]:
        async with asyncio.timeout(DEADLINE_S):
            while await self._next():
                pass
        return self.by_channel

    async def status(self) -> Any:
        return orjson.loads((await self.all())[3])

    async def _next(self) -> bool:
        message = await self._socket.receive()
        if message.type not in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT):
            return False
        channel, data = self._codec(message.data)
        self.by_channel[channel] = self.by_channel.get(channel, b"") + data
        return True


def binary(message: bytes) -> tuple[int, bytes]:
    return message[0], message[1:]


@asynccontextmanager
async def streams_world(folder: Path) -> AsyncGenerator[StreamsWorld]:
    server = ApiInProcess(folder / "home")
    await server.start()
    async with server.client(ADMIN) as client, aiohttp.ClientSession() as session:
        made = StreamsWorld(server.url, client, folder, session)
        await made.start()
        yield made
        await made.stop()
    await server.stop()
