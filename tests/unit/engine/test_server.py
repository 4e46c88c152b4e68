from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from mizzen.engine.core.requests import Request
from mizzen.engine.model import ModelFile
from mizzen.engine.server import STUCK_S, EngineServer
from mizzen.engine.worker import Job
from mizzen.host.door import Door, listen
from support.ports import free_port
from support.waiting import until


@dataclass
class Steps:
    """As much of a worker as this needs."""

    running: int = 0
    steps: int = 0
    waiting: int = 0
    jobs: list[Job] = field(default_factory=list[Job])
    loaded: Any = field(
        default_factory=lambda: SimpleNamespace(tokenizer=SimpleNamespace(vocabulary_size=100))
    )

    def submit(self, job: Job) -> None:
        self.jobs.append(job)

    def cancel(self, number: int) -> None:
        pass


@dataclass
class Served:
    server: EngineServer
    worker: Steps
    url: str
    session: aiohttp.ClientSession

    async def ask(self, **fields: Any) -> tuple[int, Any]:
        body = {"model": "tiny", "prompt": [1], **fields}
        async with self.session.post(self.url + "/v1/completions", json=body) as response:
            return response.status, await response.json()


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    server, worker = EngineServer("tiny", ModelFile(Path("/m"), 512, False, 0)), Steps()
    server.worker = worker  # type: ignore[assignment]
    server.loaded = True
    runner = web.AppRunner(server.app(), shutdown_timeout=0.1)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    async with aiohttp.ClientSession() as session:
        yield Served(server, worker, f"http://127.0.0.1:{port}", session)
    await runner.cleanup()


def test_an_engine_that_completes_no_step_is_stuck() -> None:
    server = EngineServer("tiny", ModelFile(Path("/m"), 512, False, 0))
    worker: Any = Steps()
    server.worker = worker
    assert server.stuck_s(1000.0) == 0
    assert server.stuck_s(9000.0) == 0  # nothing to do is no reason to be restarted
    worker.running, worker.steps = 2, 7
    assert server.stuck_s(9010.0) == 0
    assert server.stuck_s(9010.0 + STUCK_S + 1) > STUCK_S
    worker.steps += 1
    assert server.stuck_s(9500.0) == 0


@pytest.mark.parametrize("stream", [False, True])
async def test_requests_that_an_ending_engine_cuts_are_for_another_to_answer(
    served: Served, stream: bool
) -> None:
    asked = asyncio.create_task(served.ask(stream=stream))
    await until(lambda: served.worker.jobs, "the request is in the batch")
    served.server.draining = True
    served.server.cancel_all()
    status, body = await asked
    assert (status, body["error"]["code"]) == (503, "shutting_down")


async def test_texts_whose_clients_left_are_not_kept_until_it_is_their_turn() -> None:
    server, worker = EngineServer("tiny", ModelFile(Path("/m"), 512, False, 0)), Steps()
    go_on, begun = threading.Event(), threading.Event()

    def encode(text: str, *, special: bool) -> list[int]:
        begun.set()
        assert go_on.wait(30)
        return [1]

    worker.loaded.tokenizer.encode = encode
    server.worker = worker  # type: ignore[assignment]
    server.loaded = True
    door, listener = Door(), listen("127.0.0.1", 0)
    app = server.app()
    door.guard(app)
    await door.open(app, listener, shutdown_s=0.1)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1/completions"

    def held() -> int:
        return sum(isinstance(each, Request) for each in gc.get_objects())

    async with aiohttp.ClientSession() as session:
        asked = [
            asyncio.create_task(session.post(url, json={"model": "tiny", "prompt": "text"}))
            for _ in range(8)
        ]
        await until(lambda: begun.is_set() and held() == 8, "all are in, the first one is read")
        for each in asked[1:]:
            each.cancel()
        try:
            await until(lambda: held() == 1, "only the one that is read is kept")
        finally:
            go_on.set()
        await until(lambda: worker.jobs, "it is answered")
        asked[0].cancel()
    await door.close()


async def test_ready_is_not_alive(served: Served) -> None:
    async def status(path: str) -> int:
        async with served.session.get(served.url + path) as response:
            return response.status

    assert [await status(path) for path in ("/readyz", "/health", "/livez")] == [200, 200, 200]
    served.server.loaded = False
    assert [await status(path) for path in ("/readyz", "/health", "/livez")] == [503, 503, 200]


async def test_an_error_repeats_little_of_what_was_sent(served: Served) -> None:
    status, body = await served.ask(model="m" * 1_000_000)
    assert status == 404
    assert len(body["error"]["message"]) < 400
