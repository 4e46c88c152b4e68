"""Reads over HTTP: pages of a list, and what a token is worth that is too old."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from mizzen.apiserver.reads import CONTINUE_S_MAX
from mizzen.store.memory import MemoryStore
from support.api_handlers import Api, an_api

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    yield await an_api(MemoryStore())


async def test_a_token_that_is_too_old_comes_with_one_that_goes_on(api: Api) -> None:
    for name in ("a", "b", "c", "d"):
        await api.call("POST", CONFIG_MAPS, {"metadata": {"name": name}})
    _, first = await api.call("GET", f"{CONFIG_MAPS}?limit=2")
    token = first["metadata"]["continue"]
    api.clock.ns += CONTINUE_S_MAX * 1_000_000_000
    assert (await api.call("GET", f"{CONFIG_MAPS}?limit=1&continue={token}"))[0] == 200
    api.clock.ns += 2_000_000_000
    status, refused = await api.call("GET", f"{CONFIG_MAPS}?limit=1&continue={token}")
    assert (status, refused["reason"]) == (410, "Expired")
    await api.call("DELETE", f"{CONFIG_MAPS}/c")
    more = refused["metadata"]["continue"]
    status, rest = await api.call("GET", f"{CONFIG_MAPS}?limit=2&continue={more}")
    assert status == 200 and [each["metadata"]["name"] for each in rest["items"]] == ["d"]
    assert rest["metadata"]["resourceVersion"] != first["metadata"]["resourceVersion"]
