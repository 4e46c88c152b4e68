"""A real HTTP server in the shape of an engine, whose answers a test decides.

Every token waits for `gate`, so a test says when an answer goes on; nothing is timed.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web


class FakeEngine:
    """`async with FakeEngine("one") as engine`; says its name once for each token asked for."""

    def __init__(
        self, name: str, host: str = "127.0.0.1", port: int = 0, socket: Path | None = None
    ) -> None:
        """Listens at host and port, and at `socket` too, as a replica does for its gateway."""
        self.name = name
        self._host, self._port, self._socket = host, port, socket
        self.gate = asyncio.Event()
        self.gate.set()
        self.bodies: list[dict[str, Any]] = []
        self.in_flight = 0
        self.in_flight_max = 0
        self.abandoned = 0
        self.break_after: int | None = None  # tokens after which the connection breaks
        self.last_words = b""  # what it still says then
        self.status = 200
        self.url = ""
        self.scrapes = 0
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._answer)
        app.router.add_post("/v1/completions", self._answer)
        app.router.add_get("/metrics", self._show_metrics)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)

    async def __aenter__(self) -> FakeEngine:
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        await site.start()
        if self._socket is not None:
            await web.UnixSite(self._runner, self._socket).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _show_metrics(self, _: web.Request) -> web.Response:
        self.scrapes += 1
        return web.Response(
            text=f"vllm:num_requests_running {self.in_flight}\n"
            "vllm:num_requests_waiting 0\nvllm:kv_cache_usage_perc 0.25\n"
        )

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = orjson.loads(await request.read())
        self.bodies.append(body)
        if self.status != 200:
            return web.json_response({"error": {"message": "no"}}, status=self.status)
        self.in_flight += 1
        self.in_flight_max = max(self.in_flight_max, self.in_flight)
        try:
            return await self._generate(request, body)
        except asyncio.CancelledError:
            self.abandoned += 1
            raise
        finally:
            self.in_flight -= 1

    async def _generate(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        count = int(body.get("max_tokens") or 2)
        head = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": body["model"]}
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        for number in range(count):
            await self.gate.wait()
            if number == self.break_after:
                if self.last_words:
                    await response.write(self.last_words)
                assert request.transport is not None
                request.transport.abort()
                return response
            if not body.get("stream"):
                continue
            if number == 0:
                await response.prepare(request)
            reason = "length" if number == count - 1 else None
            choice = {"index": 0, "text": self.name, "finish_reason": reason}
            await response.write(b"data: " + orjson.dumps({**head, "choices": [choice]}) + b"\n\n")
        if body.get("stream"):
            await response.write(b"data: [DONE]\n\n")
            return response
        choice = {"index": 0, "text": self.name * count, "finish_reason": "length"}
        return web.json_response({**head, "choices": [choice]})
