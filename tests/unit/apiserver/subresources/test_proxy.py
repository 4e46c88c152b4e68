"""Proxies lead to the pod or Service named, with all that was asked, and to nowhere else."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from mizzen.apiserver.http import Channel, Request, Response, Stream, Upgrade
from mizzen.base.errors import ApiError
from mizzen.store.memory import MemoryStore
from support.api_handlers import DEFAULT, Api, an_api
from support.other_server import other_server

ADDRESS = "127.77.3.4"


async def with_pod(address: str = ADDRESS, port: int = 80) -> Api:
    api = await an_api(MemoryStore())
    container = {"name": "c", "image": "i", "ports": [{"name": "web", "containerPort": port}]}
    body = {"metadata": {"name": "p", "labels": {"a": "b"}}, "spec": {"containers": [container]}}
    assert (await api.call("POST", f"{DEFAULT}/pods", body))[0] == 201
    ready = {"type": "Ready", "status": "True"}
    status = {"status": {"podIP": address, "phase": "Running", "conditions": [ready]}}
    merge = "application/merge-patch+json"
    code, _ = await api.call("PATCH", f"{DEFAULT}/pods/p/status", status, content_type=merge)
    assert code == 200
    return api


async def ask(api: Api, method: str, path: str, body: bytes = b"", **headers: str) -> Response:
    """The whole answer, streamed ones too."""
    path, _, query = path.partition("?")
    given = {"authorization": "Bearer test", **headers}
    request = Request(method, path, {}, given, body, query=query)
    api.app.authenticate(request)
    made = await api.app.answer(request)
    if isinstance(made, Stream):
        whole = b"".join([chunk async for chunk in made.chunks])
        return Response(made.status, whole, made.content_type, made.headers)
    assert isinstance(made, Response)
    return made


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_all_that_was_asked_goes_on_but_credentials(method: str) -> None:
    async with other_server(ADDRESS) as other:
        api = await with_pod(port=other.port)
        path = f"{DEFAULT}/pods/p:web/proxy/a//b?x=1&x=2&watch=true"
        made = await ask(api, method, path, b"hello", **{"x-own": "yes", "connection": "x-not",
                                                         "x-not": "no"})  # fmt: skip
        told = json.loads(made.body)
    assert (told["method"], told["target"]) == (method, "/a//b?x=1&x=2&watch=true")
    assert told["body"] == "hello"
    headers = told["headers"]
    assert headers["x-own"] == "yes" and "authorization" not in headers and "x-not" not in headers
    assert headers["x-forwarded-uri"] == f"{DEFAULT}/pods/p:web/proxy/a//b"


async def test_statuses_and_redirects_are_the_others_and_links_lead_back() -> None:
    def answer(request: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        if request["target"] == "/page":
            return 418, {"Content-Type": "text/html"}, b'<a href="/x"><img src="//cdn/y">'
        return 302, {"Location": "/there", "Set-Cookie": "a=b"}, b""

    async with other_server(ADDRESS, answer) as other:
        api = await with_pod(port=other.port)
        prefix = f"{DEFAULT}/pods/p/proxy"
        made = await ask(api, "GET", f"{prefix}/page")
        assert made.status == 418
        assert made.body == f'<a href="{prefix}/x"><img src="//cdn/y">'.encode()
        made = await ask(api, "GET", f"{prefix}/")
        assert (made.status, dict(made.headers)["location"]) == (302, f"{prefix}/there")
        made = await ask(api, "HEAD", f"{prefix}/page")
        assert (made.status, made.body) == (418, b"")
        made = await ask(api, "GET", prefix)
        assert (made.status, dict(made.headers)["location"]) == (301, f"{prefix}/")


async def test_a_service_is_asked_at_a_ready_endpoint() -> None:
    async with other_server(ADDRESS) as other:
        api = await with_pod(port=other.port)
        ports = [{"name": "http", "port": 8080, "targetPort": "web"}]
        body = {"metadata": {"name": "s"}, "spec": {"selector": {"a": "b"}, "ports": ports}}
        assert (await api.call("POST", f"{DEFAULT}/services", body))[0] == 201
        for name in ("s", "s:http", "s:8080", "http:s:http"):
            made = await ask(api, "GET", f"{DEFAULT}/services/{name}/proxy/x")
            assert made.status == 200, name
        with pytest.raises(ApiError, match="no service port") as caught:
            await ask(api, "GET", f"{DEFAULT}/services/s:9/proxy/")
        assert caught.value.code == 503


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254"])
async def test_addresses_of_others_are_refused(address: str) -> None:
    api = await with_pod(address)
    with pytest.raises(ApiError, match="address not allowed") as caught:
        await ask(api, "GET", f"{DEFAULT}/pods/p/proxy/")
    assert caught.value.code == 400


async def test_who_does_not_answer_is_unavailable() -> None:
    api = await with_pod(port=1)
    with pytest.raises(ApiError, match="error trying to reach service") as caught:
        await ask(api, "GET", f"{DEFAULT}/pods/p/proxy/")
    assert caught.value.code == 503
    with pytest.raises(ApiError) as caught:
        await ask(api, "GET", f"{DEFAULT}/pods/none/proxy/")
    assert caught.value.code == 404


class _Client(Channel):
    def __init__(self, protocol: str) -> None:
        self.protocol = protocol
        self.said: list[bytes | str] = []
        self._left: list[bytes | str] = ["hello"]

    async def receive(self) -> bytes | str:
        if self._left:
            return self._left.pop()
        return await asyncio.get_running_loop().create_future()

    async def send(self, message: bytes | str) -> None:
        self.said.append(message)


async def test_a_websocket_is_passed_on() -> None:
    async with other_server(ADDRESS) as other:
        api = await with_pod(port=other.port)
        headers = {"authorization": "Bearer test"}
        request = Request("GET", f"{DEFAULT}/pods/p/proxy/ws", {}, headers, b"", offered=("chat",))
        api.app.authenticate(request)
        made = await api.app.answer(request)
        assert isinstance(made, Upgrade) and made.protocols == ("chat",)
        assert made.begin is not None and made.end is not None
        await made.begin("chat")
        client = _Client("chat")
        await made.serve(client)
        made.end()
    assert client.said == ["hello"]
