"""Lists: pages, what a token is worth that is too old, and long ones that are made as they are sent."""

from __future__ import annotations

from collections.abc import AsyncIterator

import orjson
import pytest
import pytest_asyncio

from mizzen.apiserver.http import Request, Response
from mizzen.apiserver.lists import CONTINUE_S_MAX, PIECE_BYTES
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


async def _long(api: Api, accept: str = "application/json", query: str = "") -> Response:
    """The answer to a list of 40 objects that has 400 KB."""
    for index in range(40):
        body = {"metadata": {"name": f"m{index:02}"}, "data": {"k": "x" * 10_000}}
        await api.call("POST", CONFIG_MAPS, body)
    params = dict(pair.partition("=")[::2] for pair in query.split("&") if pair)
    headers = {"authorization": "Bearer test", "accept": accept}
    request = Request("GET", CONFIG_MAPS, params, headers, b"")
    api.app.authenticate(request)
    answer = await api.app.answer(request)
    assert isinstance(answer, Response)
    return answer


async def test_a_long_list_is_made_while_it_is_sent_and_is_as_it_was(api: Api) -> None:
    answer = await _long(api)
    assert answer.rest is not None and len(answer.body) < 2 * PIECE_BYTES
    promised = len(answer.body) + answer.rest.size
    await api.call("DELETE", f"{CONFIG_MAPS}/m39")
    await api.call("POST", CONFIG_MAPS, {"metadata": {"name": "zz"}})
    pieces = [answer.body, *answer.rest.pieces]
    assert all(len(piece) < 2 * PIECE_BYTES for piece in pieces) and len(pieces) > 2
    assert sum(map(len, pieces)) == promised
    names = [each["metadata"]["name"] for each in orjson.loads(b"".join(pieces))["items"]]
    assert names == [f"m{index:02}" for index in range(40)]


@pytest.mark.parametrize(
    ("accept", "name"),
    [
        ("application/json;as=Table;g=meta.k8s.io;v=v1", "rows"),
        ("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", "items"),
    ],
)
async def test_rendered_lists_are_whole_too(
    api: Api, accept: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mizzen.apiserver.lists._ROWS", 7)
    answer = await _long(api, accept)
    assert answer.rest is not None and answer.rest.size == 0, "nobody knows it before"
    answer.gather()
    assert len(orjson.loads(answer.body)[name]) == 40


async def test_a_selector_with_a_limit_goes_on_where_it_stopped(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mizzen.apiserver.lists.SCAN", 3)
    for index in range(20):
        labels = {"app": "even" if index % 2 == 0 else "odd"}
        await api.call(
            "POST", CONFIG_MAPS, {"metadata": {"name": f"m{index:02}", "labels": labels}}
        )
    found: list[str] = []
    token = ""
    for _ in range(4):
        query = f"labelSelector=app%3Deven&limit=3&continue={token}".replace("%3D", "=")
        _, page = await api.call("GET", f"{CONFIG_MAPS}?{query}")
        found += [each["metadata"]["name"] for each in page["items"]]
        token = page["metadata"].get("continue", "")
        await api.call("DELETE", f"{CONFIG_MAPS}/m18")  # it was there when the list began
    assert found == [f"m{index:02}" for index in range(0, 20, 2)]
