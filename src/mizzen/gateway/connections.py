"""Connections to replicas: one session for each, through its socket in the instance's own folder,
or by TCP where the engine is a server of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from yarl import URL

from mizzen.base.serving import socket_name
from mizzen.gateway.core.endpoints import Address
from mizzen.host.listeners import stranger_at
from mizzen.host.sockets import SocketFolder

CONNECT_S = 2.0
SILENCE_S = 600.0  # an engine that says nothing for this long is taken for dead
IDLE_S = 15.0  # an unused connection is kept for this long


@dataclass(slots=True)
class _Connection:
    session: aiohttp.ClientSession
    users: int = 0
    left: bool = False


class Connections:
    """Keeps connections to replicas open between requests, until the replica has left."""

    def __init__(self, folder: Path) -> None:
        self._sockets = SocketFolder(folder)
        self._connections: dict[str, _Connection] = {}  # by pod uid
        self._closing: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def to(self, address: Address) -> AsyncGenerator[aiohttp.ClientSession, None]:
        """A session whose requests, to paths, reach this pod."""
        connection = self._connections.get(address.uid)
        if connection is None:
            connection = _Connection(self._session(address))
            self._connections[address.uid] = connection
        connection.users += 1
        try:
            yield connection.session
        finally:
            connection.users -= 1
            if connection.left and not connection.users:
                await connection.session.close()

    def retire(self, address: Address) -> None:
        """The replica gets no more requests; those under way finish."""
        connection = self._connections.pop(address.uid, None)
        if connection is not None:
            connection.left = True
            if not connection.users:
                task = asyncio.create_task(connection.session.close())
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        for connection in self._connections.values():
            await connection.session.close()
        self._connections.clear()
        await asyncio.gather(*self._closing)
        self._sockets.close()

    def _session(self, address: Address) -> aiohttp.ClientSession:
        if address.url:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_S)
        else:
            path = self._sockets.path(socket_name(address.uid))
            connector = aiohttp.UnixConnector(path, limit=0, keepalive_timeout=IDLE_S)
        return aiohttp.ClientSession(
            base_url=address.url or "http://replica",  # a socket does not look at the host
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=SILENCE_S),
            auto_decompress=False,
        )


def check_listener(address: Address) -> None:
    """Errors: ConnectionRefusedError where another user's program listens at a replica's port; its
    socket nobody else can have."""
    if address.url and (stranger := stranger_behind(address.url)):
        raise ConnectionRefusedError(stranger)


def stranger_behind(url: str) -> str:
    """The other user that listens at the host and port of a URL, "" if there is none."""
    parsed = URL(url)
    return stranger_at(parsed.host or "", parsed.port or 0)
