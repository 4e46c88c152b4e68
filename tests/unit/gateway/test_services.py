"""Services through a gateway and pods' servers on real sockets; the test says what there is."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from mizzen.base.errors import from_status
from mizzen.base.objects import Obj
from support.ports import free_port
from support.stranger import needs_root, stranger_at_work
from support.waiting import until

from .conftest import KEY, Gateway

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def pod(name: str, address: str) -> Obj:
    return {
        "metadata": {"namespace": "default", "name": name, "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "c"}]},
        "status": {"phase": "Running", "podIP": address},
    }


def service(port: int, **spec: object) -> Obj:
    ports = [{"port": 80, "targetPort": port, "protocol": "TCP"}]
    full = {"type": "ClusterIP", "selector": {"app": "web"}, "ports": ports, **spec}
    return {"metadata": {"namespace": "default", "name": "web"}, "spec": full}


async def serve(
    gateway: Gateway, handler: Handler, *addresses: str, auto_decompress: bool = True
) -> None:
    """One pod at each address, all with `handler`, behind the Service default/web."""
    port = free_port()
    for number, address in enumerate(addresses or ("127.71.0.1",)):
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", handler)
        runner = web.AppRunner(
            app,
            handler_cancellation=True,
            shutdown_timeout=0.1,
            auto_decompress=auto_decompress,
        )
        await runner.setup()
        gateway.stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, address, port).start()
        gateway.knows("pods", pod(f"web-{number}", address))
    gateway.knows("services", service(port))


async def echo(request: web.Request) -> web.Response:
    seen = {
        "method": request.method,
        "path": request.raw_path,
        "body": (await request.read()).decode(),
        "headers": dict(request.headers),
        "me": request.url.host,
    }
    return web.json_response(seen, status=201, headers={"X-Mine": "yes"})


async def test_passes_method_path_query_body_and_status(gateway: Gateway) -> None:
    await serve(gateway, echo)
    url = gateway.url + "/services/default/web:80/a%20b?x=1&y=%26"
    headers = {"X-Asked": "1"}
    async with gateway.session.put(url, data=b"words", headers=headers) as response:
        assert (response.status, response.headers["X-Mine"]) == (201, "yes")
        seen = await response.json()
    assert (seen["method"], seen["body"]) == ("PUT", "words")
    assert seen["path"] == "/a%20b?x=1&y=%26"
    assert seen["headers"]["X-Asked"] == "1"
    assert seen["headers"]["X-Forwarded-Prefix"] == "/services/default/web:80"
    assert KEY not in str(seen["headers"])


async def test_a_request_has_one_id_in_pod_log_and_refusal(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    async def pod_of(request: web.Request) -> web.Response:
        return web.Response(headers={"X-Got": request.headers["X-Request-Id"]})

    await serve(gateway, pod_of)
    url, given = gateway.url + "/services/default/web/", {"X-Request-Id": "mine-1"}
    async with gateway.session.get(url, headers=given) as response:
        assert response.headers["X-Got"] == "mine-1"
    async with gateway.session.get(url) as response:
        assert len(response.headers["X-Got"]) == 32
    gateway.knows("services", service(free_port()))
    async with gateway.session.get(url, headers=given) as response:
        assert (response.status, response.headers["X-Request-Id"]) == (502, "mine-1")
    (line,) = caplog.records
    assert (line.levelname, vars(line)["request"]) == ("WARNING", "mine-1")
    assert "default/web" in line.getMessage()


@pytest.mark.parametrize("coding", ["gzip", "br", "of my own"])
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_in_any_coding_arrives_as_it_was_sent(
    gateway: Gateway, coding: str, chunked: bool
) -> None:
    sent = gzip.compress(b"words" * 1000)

    async def weigh(request: web.Request) -> web.Response:
        raw = await request.read()
        return web.json_response([request.headers["Content-Encoding"], raw.hex()])

    async def pieces():  # type: ignore[no-untyped-def]
        yield sent

    await serve(gateway, weigh, auto_decompress=False)
    async with gateway.session.post(
        gateway.url + "/services/default/web/",
        data=pieces() if chunked else sent,
        headers={"Content-Encoding": coding},
    ) as response:
        assert await response.json() == [coding, sent.hex()]


@pytest.mark.parametrize("exempt", [None, "::1"])
async def test_proxy_variables_of_the_environment_are_not_for_pods(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, exempt: str | None
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy"):
        for spelling in (name, name.upper()):
            monkeypatch.setenv(spelling, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        if exempt:
            monkeypatch.setenv(name, exempt)
    await serve(gateway, echo)
    async with gateway.session.get(gateway.url + "/services/default/web/") as response:
        assert response.status == 201
    gateway.endpoint()
    await gateway.replica("tiny-0")
    assert (await gateway.post())[0] == 200


async def test_takes_pods_by_turns(gateway: Gateway) -> None:
    await serve(gateway, echo, "127.71.0.1", "127.71.0.2")
    seen: list[str] = []
    for _ in range(4):
        async with gateway.session.get(gateway.url + "/services/default/web/") as response:
            seen.append((await response.json())["me"])
    assert seen[:2] == seen[2:]
    assert set(seen) == {"127.71.0.1", "127.71.0.2"}


async def test_passes_over_a_pod_that_does_not_listen(gateway: Gateway) -> None:
    await serve(gateway, echo)
    gateway.knows("pods", pod("web-9", "127.71.0.9"))
    for _ in range(2):
        async with gateway.session.post(
            gateway.url + "/services/default/web/", data=b"once"
        ) as response:
            assert (await response.json())["body"] == "once"


async def test_streams_both_ways(gateway: Gateway) -> None:
    """The answer to each part arrives before the next part is sent."""

    async def parrot(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        async for chunk in request.content.iter_any():
            await response.write(chunk.upper())
        return response

    await serve(gateway, parrot)
    heard = asyncio.Event()

    async def parts():  # type: ignore[no-untyped-def]
        yield b"first"
        await heard.wait()
        yield b"second"

    url = gateway.url + "/services/default/web/"
    async with asyncio.timeout(10), gateway.session.post(url, data=parts()) as response:
        assert await response.content.readany() == b"FIRST"
        heard.set()
        assert await response.read() == b"SECOND"


async def test_head_and_empty_answers(gateway: Gateway) -> None:
    async def short(request: web.Request) -> web.Response:
        return web.Response(status=204) if request.method == "DELETE" else web.Response(text="abc")

    await serve(gateway, short)
    url = gateway.url + "/services/default/web/"
    async with gateway.session.head(url) as response:
        assert (response.status, response.headers["Content-Length"]) == (200, "3")
    async with gateway.session.delete(url) as response:
        assert (response.status, await response.read()) == (204, b"")


async def test_a_client_that_leaves_is_told_to_the_pod(gateway: Gateway) -> None:
    gone, began = asyncio.Event(), asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            gone.set()
        return response

    await serve(gateway, endless)
    async with gateway.session.get(gateway.url + "/services/default/web/"):
        await asyncio.wait_for(began.wait(), 10)
    await until(gone.is_set, "the pod's handler is cancelled")


async def test_a_client_that_stops_in_the_middle_of_its_body_is_told_so(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not the pod's fault."""
    monkeypatch.setattr("mizzen.gateway.services.BODY_SILENCE_S", 0.1)
    await serve(gateway, echo)
    url = URL(gateway.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    head = f"POST /services/default/web/ HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {KEY}\r\n"
    writer.write(head.encode() + b"Content-Length: 10\r\n\r\nhalf")
    answer = await asyncio.wait_for(reader.readuntil(b'"code":408}'), 10)
    writer.close()
    assert answer.split(b" ", 2)[1] == b"408"
    assert b"the request's body did not go on for 0.1 s" in answer


async def test_half_an_answer_does_not_look_whole(gateway: Gateway) -> None:
    async def breaks(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.close()
        return response

    await serve(gateway, breaks)
    with pytest.raises(aiohttp.ClientError):
        async with gateway.session.get(gateway.url + "/services/default/web/") as response:
            await response.read()


async def test_a_pod_that_switches_protocols_unasked_is_refused(gateway: Gateway) -> None:
    async def switch(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
        writer.write(head + b"raw bytes")
        await reader.read()
        writer.close()

    async with await asyncio.start_server(switch, "127.71.0.1", 0) as server:
        gateway.knows("pods", pod("web-0", "127.71.0.1"))
        gateway.knows("services", service(server.sockets[0].getsockname()[1]))
        async with gateway.session.get(gateway.url + "/services/default/web/") as response:
            assert response.status == 502
            assert "switches protocols" in (await response.json())["message"]


@needs_root
async def test_another_user_at_a_pods_address_is_told_nothing(gateway: Gateway) -> None:
    program = """
import socket
become()
listener = socket.create_server(("127.71.0.9", 0))
print(listener.getsockname()[1], flush=True)
print(listener.accept()[0].recv(100), flush=True)
"""
    with stranger_at_work(program) as port:
        gateway.knows("pods", pod("web-0", "127.71.0.9"))
        gateway.knows("services", service(int(port)))
        async with gateway.session.get(gateway.url + "/services/default/web/secret") as response:
            assert response.status == 502
            assert "user 12345, a stranger" in (await response.json())["message"]


async def test_refusals_are_statuses_and_say_what_to_do(gateway: Gateway) -> None:
    async def refused(path: str, **headers: str) -> tuple[int, str, str | None]:
        async with gateway.session.get(gateway.url + path, headers=headers) as response:
            status = await response.json()
            assert (status["kind"], status["status"]) == ("Status", "Failure")
            assert status["code"] == response.status
            assert status["reason"] == from_status({}, response.status).reason
            (cause,) = status["details"]["causes"]
            assert cause["message"] == status["message"]
            return response.status, cause["reason"], response.headers.get("Retry-After")

    web_path = "/services/default/web/"
    assert await refused(web_path) == (404, "service_not_found", None)
    assert await refused(web_path, Authorization="Bearer no") == (401, "invalid_api_key", None)
    gateway.knows("services", service(free_port()))
    assert await refused(web_path) == (503, "no_ready_pod", "1")
    gateway.knows("pods", pod("web-0", "127.71.0.1"))
    assert await refused(web_path) == (502, "pod_failed", None)
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"}
    assert await refused(web_path, **upgrade) == (501, "upgrade_refused", None)
    gateway.knows("services", service(80, type="ExternalName", externalName="example.org"))
    assert await refused(web_path) == (403, "external_name", None)
    async with gateway.session.get(gateway.url + "/metrics") as response:
        page = await response.text()
    assert 'service_requests_total{service="default/web",code="502"} 1' in page
