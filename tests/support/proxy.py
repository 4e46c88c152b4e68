"""An HTTP proxy before an API server that counts writes, and can stop or spoil any of them.

It speaks plain HTTP to its clients and TLS to the server. Watches pass through as they come.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp import web

from support.ports import free_port

_QUIET = ("/events", "/leases")  # said beside the work; no decision rests on them
_HOP = {"transfer-encoding", "content-length", "connection", "host", "content-encoding"}


@dataclass(frozen=True)
class Write:
    """One request that changes something, as it passes."""

    number: int  # from 1
    method: str
    path: str
    body: bytes


# Before a write is passed on: an answer of its own (status, body), or None to pass it on.
Before = Callable[[Write], "tuple[int, bytes] | None"]
# After the server has answered and before the client hears of it.
After = Callable[[Write], None]


@dataclass
class Proxy:
    url: str
    writes: list[Write] = field(default_factory=list)
    before: Before = lambda write: None
    after: After = lambda write: None
    refuses_leases: bool = False
    # By path and query, what a GET is answered with in place of the server; None passes it on.
    read: Callable[[str, str], tuple[int, bytes] | None] = lambda path, query: None
    # What a client hears of a write that the server has carried out; None is the truth.
    spoil_answer: Before = lambda write: None
    watches: set[asyncio.Task[None]] = field(default_factory=set)

    async def cut_watches(self) -> None:
        """Ends all streams, as a server that restarts does."""
        for task in list(self.watches):
            task.cancel()
        if self.watches:
            await asyncio.wait(self.watches)


@contextlib.asynccontextmanager
async def proxy_to(server: str, authority: Path) -> AsyncIterator[Proxy]:
    """A proxy on a free port for as long as the block."""
    port = free_port()
    proxy = Proxy(f"http://127.0.0.1:{port}")
    context = ssl.create_default_context(cafile=str(authority))
    connector = aiohttp.TCPConnector(ssl=context, limit=0)
    async with aiohttp.ClientSession(
        connector=connector, auto_decompress=False, timeout=aiohttp.ClientTimeout(total=None)
    ) as session:
        app = web.Application(client_max_size=64 << 20)

        async def passed(request: web.Request) -> web.StreamResponse:
            return await _pass(proxy, session, server, request)

        app.router.add_route("*", "/{path:.*}", passed)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        try:
            yield proxy
        finally:
            await runner.cleanup()


async def _pass(
    proxy: Proxy, session: aiohttp.ClientSession, server: str, request: web.Request
) -> web.StreamResponse:
    body = await request.read()
    write = None
    path = request.path
    if proxy.refuses_leases and "/leases" in path:
        return _json(503, b"{}")
    if request.method != "GET" and not any(quiet in path for quiet in _QUIET):
        write = Write(len(proxy.writes) + 1, request.method, path, body)
        proxy.writes.append(write)
        answer = await asyncio.to_thread(proxy.before, write)
    else:
        answer = proxy.read(path, request.query_string)
    if answer is not None:
        return _json(*answer)
    headers = {k: v for k, v in request.headers.items() if k.lower() not in _HOP}
    async with session.request(
        request.method, server + request.path_qs, data=body or None, headers=headers
    ) as upstream:
        kept = {k: v for k, v in upstream.headers.items() if k.lower() not in _HOP}
        if "watch" in request.query:
            return await _stream(proxy, request, upstream, kept)
        data = await upstream.read()
        if write is not None:
            proxy.after(write)
            spoilt = proxy.spoil_answer(write)
            if spoilt is not None:
                return _json(*spoilt)
        return web.Response(status=upstream.status, body=data, headers=kept)


async def _stream(
    proxy: Proxy,
    request: web.Request,
    upstream: aiohttp.ClientResponse,
    headers: dict[str, str],
) -> web.StreamResponse:
    response = web.StreamResponse(status=upstream.status, headers=headers)
    await response.prepare(request)

    async def pump() -> None:
        with contextlib.suppress(ConnectionError, aiohttp.ClientError):
            async for chunk in upstream.content.iter_any():
                await response.write(chunk)

    task = asyncio.ensure_future(pump())
    proxy.watches.add(task)
    try:
        await asyncio.wait((task,))
    finally:
        task.cancel()
        proxy.watches.discard(task)
    return response


def _json(status: int, body: bytes) -> web.Response:
    return web.Response(status=status, body=body, content_type="application/json")
