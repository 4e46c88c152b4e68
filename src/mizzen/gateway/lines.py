"""Connections to replicas: one session for each, through its socket in the instance's own folder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from mizzen.base.serving import socket_name
from mizzen.gateway.core.endpoints import Address
from mizzen.host.sockets import SocketFolder

CONNECT_S = 2.0
SILENCE_S = 600.0  # an engine that says nothing for this long is taken for dead
IDLE_S = 15.0  # an unused connection is kept for this long


@dataclass(slots=True)
class _Line:
    session: aiohttp.ClientSession
    users: int = 0
    left: bool = False


class Lines:
    """Keeps connections to replicas open between requests, until the replica has left."""

    def __init__(self, folder: Path) -> None:
        self._sockets = SocketFolder(folder)
        self._lines: dict[str, _Line] = {}  # by pod uid
        self._closing: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def to(self, uid: str) -> AsyncGenerator[aiohttp.ClientSession, None]:
        """A session in which every request reaches this pod, whatever host its URL names."""
        line = self._lines.get(uid)
        if line is None:
            line = self._lines[uid] = _Line(self._session(uid))
        line.users += 1
        try:
            yield line.session
        finally:
            line.users -= 1
            if line.left and not line.users:
                await line.session.close()

    def leave(self, address: Address) -> None:
        """The replica gets no more requests; those under way finish."""
        line = self._lines.pop(address.uid, None)
        if line is not None:
            line.left = True
            if not line.users:
                task = asyncio.create_task(line.session.close())
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        for line in self._lines.values():
            await line.session.close()
        self._lines.clear()
        await asyncio.gather(*self._closing)
        self._sockets.close()

    def _session(self, uid: str) -> aiohttp.ClientSession:
        path = self._sockets.path(socket_name(uid))
        return aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(path, limit=0, keepalive_timeout=IDLE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=SILENCE_S),
            auto_decompress=False,
        )
