"""Who is let in by the API server's word, played here by one that knows two tokens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from mizzen.base.errors import ApiError, Forbidden, Timeout, Unauthorized, Unavailable
from mizzen.client import reviews
from mizzen.client.client import Client
from mizzen.client.kubeconfig import Connection
from mizzen.client.reviews import Reviewer
from mizzen.host.get_server import Get
from support.ports import free_port

USERS = {"scraper": "prometheus", "other": "somebody"}


class World:
    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.status = 201
        self.pause_s = 0.0
        self.reviewer: Reviewer

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.asked.append(body)
        await asyncio.sleep(self.pause_s)
        if self.status != 201:
            return web.json_response({"message": "not today"}, status=self.status)
        spec = body["spec"]
        if body["kind"] == "TokenReview":
            name = USERS.get(spec["token"])
            user = {"username": name, "groups": ["system:authenticated"], "extra": {"a": ["b"]}}
            status = {"authenticated": True, "user": user} if name else {}
        else:
            assert spec["groups"] == ["system:authenticated"] and spec["extra"] == {"a": ["b"]}
            may = spec["nonResourceAttributes"] == {"path": "/metrics", "verb": "get"}
            status = {"allowed": may and spec["user"] == "prometheus"}
        return web.json_response({**body, "status": status}, status=201)

    async def ask(self, authorization: str) -> None:
        headers = {"authorization": authorization} if authorization else {}
        await self.reviewer.admit(Get("/metrics", {}, headers))

    async def refusal(self, authorization: str) -> ApiError:
        with pytest.raises(ApiError) as caught:
            await self.ask(authorization)
        return caught.value


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    app = web.Application()
    app.add_routes([web.post("/{path:.*}", world.answer)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    async with Client(Connection(f"http://127.0.0.1:{port}"), user_agent="test") as client:
        world.reviewer = Reviewer(client)
        yield world
    await runner.cleanup()


async def test_whoever_is_known_and_allowed_is_let_in_and_remembered(world: World) -> None:
    await world.ask("Bearer scraper")
    await world.ask("bearer scraper")
    assert [each["kind"] for each in world.asked] == ["TokenReview", "SubjectAccessReview"]


async def test_others_are_told_why_not(world: World) -> None:
    for authorization in ("", "Basic YTpi", "Bearer ", "Bearer"):
        assert isinstance(await world.refusal(authorization), Unauthorized)
    assert not world.asked
    for _ in range(2):
        assert isinstance(await world.refusal("Bearer guessed"), Unauthorized)
        error = await world.refusal("Bearer other")
        assert isinstance(error, Forbidden)
        assert error.message == 'User "somebody" cannot get path "/metrics"'
    assert len(world.asked) == 3, "verdicts are remembered"


async def test_a_verdict_is_asked_for_again_when_it_is_old(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reviews, "VERDICT_S", 0.0)
    await world.ask("Bearer scraper")
    world.status = 403
    error = await world.refusal("Bearer scraper")
    assert isinstance(error, Unavailable) and "not today" in error.message


async def test_who_tries_tokens_fills_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reviews, "VERDICTS_MAX", 3)
    for number in range(5):
        await world.refusal(f"Bearer guess-{number}")
    before = len(world.asked)
    await world.refusal("Bearer guess-4")
    assert len(world.asked) == before, "the newest are remembered"
    await world.refusal("Bearer guess-0")
    assert len(world.asked) == before + 1


async def test_an_api_server_that_says_nothing_is_a_504(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reviews, "REVIEW_S_MAX", 0.05)
    world.pause_s = 30
    assert isinstance(await world.refusal("Bearer scraper"), Timeout)
