"""A scripted API server: answers are given in order, requests are kept for inspection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest_asyncio
from aiohttp import web

from mizzen.client.client import Client
from mizzen.client.kubeconfig import Connection


@dataclass
class Seen:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class Answer:
    """One answer; `lines` makes it a stream, held open until `hold` is set."""

    status: int = 200
    body: Any = None
    lines: list[Any] | None = None
    hold: asyncio.Event | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class ScriptedServer:
    client: Client
    answers: list[Answer | Callable[[Seen], Answer]] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)

    def next(self, seen: Seen) -> Answer:
        self.seen.append(seen)
        if not self.answers:
            return Answer(503, {"message": "the script is over"})
        answer = self.answers.pop(0)
        return answer(seen) if callable(answer) else answer


async def _handle(request: web.Request, server: ScriptedServer) -> web.StreamResponse:
    data = await request.read()
    body = orjson.loads(data) if data else None
    answer = server.next(
        Seen(request.method, request.path, dict(request.query), dict(request.headers), body)
    )
    if answer.lines is None:
        return web.Response(
            status=answer.status, body=orjson.dumps(answer.body), headers=answer.headers
        )
    response = web.StreamResponse()
    await response.prepare(request)
    for line in answer.lines:
        await response.write(orjson.dumps(line) + b"\n")
    if answer.hold is not None:
        await answer.hold.wait()
    return response


@pytest_asyncio.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    holder: list[ScriptedServer] = []
    app = web.Application()

    async def handle(request: web.Request) -> web.StreamResponse:
        return await _handle(request, holder[0])

    app.router.add_route("*", "/{tail:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.05)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    connection = Connection(f"http://127.0.0.1:{port}", token="secret")
    async with Client(connection, user_agent="test") as client:
        holder.append(ScriptedServer(client))
        yield holder[0]
    await runner.cleanup()
