"""The door on real sockets: who keeps a connection, who gets an answer, what reaches the log."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import logging
import os
import socket
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import orjson
import pytest
from aiohttp import web

from mizzen.base.openai import OpenAIError
from mizzen.host.bodies import GZIP_MEMBERS_MAX, Bodies
from mizzen.host.door import Door, listen
from support.waiting import until

MAX = 16
KEY = "mz-secret"
Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Served:
    """A door with one path that answers once `gate` is open, and one that reads bodies."""

    door: Door = field(default_factory=lambda: Door(MAX))
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    begun: int = 0
    left: int = 0
    body_s: float = 5.0
    bodies: Bodies = field(default_factory=lambda: Bodies(1000, 1500))
    port: int = 0
    lines: list[Line] = field(default_factory=list[Line])

    async def slow(self, _: web.Request) -> web.Response:
        self.begun += 1
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.left += 1
            raise
        return web.Response(text="here you are")

    async def large(self, _: web.Request) -> web.Response:
        """More than the kernel takes over here, and less than what pauses a writer by default."""
        return web.Response(body=b"x" * 60_000)

    async def body(self, request: web.Request) -> web.Response:
        try:
            async with self.bodies.of(request, self.body_s) as raw:
                return web.Response(body=raw)
        except OpenAIError as error:
            return web.Response(status=error.status, text=error.message)

    async def connect(self, source: str = "127.0.0.1") -> Line:
        line = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(source, 0))
        self.lines.append(line)
        return line

    async def ask(self, path: str = "/slow", source: str = "127.0.0.1") -> Line:
        line = await self.connect(source)
        line[1].write(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        return line

    async def post(self, head: str, body: bytes) -> str:
        reader, writer = await self.connect()
        writer.write(f"POST /body HTTP/1.1\r\nHost: a\r\n{head}\r\n".encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        return answer.split(b" ", 2)[1].decode()


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    served = Served()
    app = web.Application()
    app.add_routes([web.get("/slow", served.slow), web.post("/body", served.body)])
    app.add_routes([web.get("/large", served.large)])
    served.door.guard(app)
    listener = listen("127.0.0.1", 0)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    served.port = listener.getsockname()[1]
    await served.door.open(app, listener, shutdown_s=0.1)
    yield served
    for _, writer in served.lines:
        writer.close()
    await served.door.close()


async def test_silent_connections_make_room_for_whoever_asks(served: Served) -> None:
    served.gate.set()
    for _ in range(4 * MAX):
        await served.connect()
    reader, _ = await served.ask()
    assert b"200 OK" in await reader.readuntil(b"\r\n")
    assert served.door.statistics()["connections"] <= MAX
    assert served.door.statistics()["evicted"] >= 3 * MAX


async def test_a_flood_of_newcomers_does_not_drive_out_who_has_just_asked(served: Served) -> None:
    served.gate.set()
    address = ("127.0.0.1", served.port)
    with contextlib.ExitStack() as flood:  # all there before the door looks
        asker = flood.enter_context(socket.create_connection(address))
        asker.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        for _ in range(20 * MAX):
            flood.enter_context(socket.create_connection(address))
        reader, writer = await asyncio.open_connection(sock=asker.dup())
        served.lines.append((reader, writer))
        assert b"200 OK" in await reader.readuntil(b"\r\n")


async def test_one_address_leaves_a_quarter_to_the_others(served: Served) -> None:
    """However much one client asks: at work or idle, another one gets in."""
    greedy = [await served.ask() for _ in range(2 * MAX)]
    await until(lambda: served.begun == MAX - MAX // 4, "all that it may have are under way")
    for _ in range(2 * MAX):
        await served.connect()
    reader, _ = await served.ask(source="127.0.0.2")
    await until(lambda: served.begun == MAX - MAX // 4 + 1, "the other one is let in")
    assert served.door.statistics()["busy"] == MAX - MAX // 4 + 1
    served.gate.set()
    assert b"200 OK" in await reader.readuntil(b"\r\n")
    answers = [await reader.read() for reader, _ in greedy[:3]]
    assert all(b"200 OK" in answer for answer in answers)


async def test_connections_at_work_are_not_cut_for_newcomers(served: Served) -> None:
    asked = [await served.ask(source=f"127.0.0.{1 + number % 2}") for number in range(MAX)]
    await until(lambda: served.begun == MAX, "all requests are under way")
    late, _ = await served.ask()
    assert await late.read() == b""
    served.gate.set()
    for reader, _ in asked:
        assert b"200 OK" in await reader.readuntil(b"\r\n")


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_client_that_ends_its_half_gets_its_answer(served: Served, at_once: bool) -> None:
    reader, writer = await served.ask()
    if not at_once:
        await until(lambda: served.begun == 1, "the request is under way")
    writer.write_eof()
    await until(lambda: served.begun == 1, "the request is under way")
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    served.gate.set()
    answer = await reader.read()
    assert answer.endswith(b"here you are")
    assert b"HTTP/1.1 200 OK" in answer


async def test_all_that_was_sent_at_once_is_answered_though_the_client_sends_no_more(
    served: Served,
) -> None:
    served.gate.set()
    reader, writer = await served.connect()
    writer.write(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n" * 40)
    writer.write_eof()
    assert (await reader.read()).count(b"here you are") == 40


async def test_a_client_that_left_is_noticed_at_the_second_of_its_requests(served: Served) -> None:
    reader, writer = await served.connect()
    writer.write(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n" * 2)
    writer.write_eof()
    await until(lambda: served.begun == 1, "the first request is under way")
    served.gate.set()
    await reader.readuntil(b"here you are")
    served.gate.clear()
    await until(lambda: served.begun == 2 or served.left, "the second one is under way")
    writer.close()
    await until(lambda: served.door.statistics()["connections"] == 0, "nothing is kept of it")


def unread_answer(served: Served, version: str) -> socket.socket:
    """A client that asked for more than it ever reads."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", served.port))
    client.sendall(f"GET /large HTTP/{version}\r\nHost: a\r\n\r\n".encode())
    return client


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_who_reads_nothing_of_an_answer_is_let_go(
    served: Served, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mizzen.host.door.UNREAD_S", 0.2)
    before = len(os.listdir("/proc/self/fd"))
    with unread_answer(served, version):
        await until(lambda: served.door.statistics()["connections"] == 1, "it has asked")
        await until(lambda: served.door.statistics()["connections"] == 0, "nothing is kept of it")
        assert len(os.listdir("/proc/self/fd")) == before + 1  # ours


async def test_who_reads_slowly_gets_all_of_an_answer(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mizzen.host.door.UNREAD_S", 0.4)
    with unread_answer(served, "1.1") as client:
        client.setblocking(False)
        loop, read = asyncio.get_running_loop(), 0
        began_s = loop.time()
        while chunk := await loop.sock_recv(client, 4096):
            read += len(chunk)
            if read > 60_000:
                break
            await asyncio.sleep(0.05)
        assert read > 60_000 and loop.time() - began_s > 0.4


async def test_room_is_made_at_once_though_answers_lie_unread(served: Served) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with contextlib.ExitStack() as unread:
        for number in range(2 * MAX):
            unread.enter_context(unread_answer(served, "1.1"))
            await until(
                lambda n=number: served.door.statistics()["evicted"] >= n + 1 - MAX, "it came in"
            )
        await until(
            lambda: len(os.listdir("/proc/self/fd")) <= before + 3 * MAX, "the others are gone"
        )


async def test_clients_of_http_1_0_are_sent_their_answer_alone(served: Served) -> None:
    reader, writer = await served.connect()
    writer.write(b"GET /slow HTTP/1.0\r\n\r\n")
    writer.write_eof()
    await until(lambda: served.begun == 1, "the request is under way")
    served.gate.set()
    assert (await reader.read()).startswith(b"HTTP/1.0 200 OK")


async def test_half_a_head_and_no_more_is_given_up(served: Served) -> None:
    reader, writer = await served.connect()
    writer.write(b"GET /slow HTTP/1.1\r\nHost:")
    writer.write_eof()
    assert await reader.read() == b""


async def test_a_client_that_left_is_noticed(served: Served) -> None:
    _, writer = await served.ask()
    await until(lambda: served.begun == 1, "the request is under way")
    writer.close()
    await until(lambda: served.left == 1, "the handler is cancelled")
    await until(lambda: served.door.statistics()["connections"] == 0, "nothing is kept of it")


@pytest.mark.parametrize(
    "raw",
    [
        f"GET / HTTP/1.1\nAuthorization: Bearer {KEY}\n\n",
        f"GET / HTTP/1.1\r\nAuthorization: Bearer {KEY}\r\n folded: x\r\n\r\n",
        f"GET / HTTP/1.1\r\nAuthorization Bearer {KEY}\r\n\r\n",
        f"GET / HTTP/1.1\r\nAuthorization: Bearer {KEY}\x00\r\n\r\n",
        f"GET /?{KEY} HTTP/9.9\r\n\r\n",
        f"GET / HTTP/1.1\r\nAuthorization: {KEY * 1000}\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_refused_in_openais_form_and_not_logged(
    served: Served, raw: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    reader, writer = await served.connect()
    writer.write(raw.encode("latin-1"))
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    assert b" 400 " in head.splitlines()[0]
    assert b"application/json" in head
    assert orjson.loads(body)["error"]["type"] == "invalid_request_error"
    assert KEY.encode() not in body
    assert KEY not in caplog.text


def _gzip(data: bytes) -> bytes:
    """Equal bytes at any time: they are in the tests' names."""
    return gzip.compress(data, mtime=0)


@pytest.mark.parametrize(
    ("head", "body", "status"),
    [
        ("", b"abc", "200"),
        ("Content-Length: 1001\r\n", None, "413"),
        ("Transfer-Encoding: chunked\r\n", b"400\r\n" + b"x" * 1024 + b"\r\n0\r\n\r\n", "413"),
        ("Transfer-Encoding: chunked\r\n", b"zz\r\nabc\r\n", "400"),
        ("Content-Encoding: gzip\r\n", _gzip(b"abc"), "200"),
        ("Content-Encoding: GZIP\r\n", _gzip(b"a") + _gzip(b"bc"), "200"),
        ("Content-Encoding: deflate\r\n", zlib.compress(b"abc"), "200"),
        ("Content-Encoding: gzip\r\n", _gzip(b"x" * 1000), "200"),
        ("Content-Encoding: gzip\r\n", _gzip(b"x" * 1001), "413"),
        ("Content-Encoding: gzip\r\n", _gzip(b"x" * 10_000_000)[:900], "413"),
        ("Content-Encoding: deflate\r\n", b"abc", "400"),
        ("Content-Encoding: gzip\r\n", b"abc", "400"),
        ("Content-Encoding: gzip\r\n", _gzip(b"abc")[:-1], "400"),
        ("Content-Encoding: gzip\r\n", _gzip(b"abc") + b"abc", "400"),
        ("Content-Encoding: br\r\n", b"abc", "415"),
        ("Content-Encoding: gzip, gzip\r\n", b"abc", "415"),
    ],
)
async def test_bodies(
    served: Served,
    head: str,
    body: bytes | None,
    status: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if body is not None and "chunked" not in head:
        head += f"Content-Length: {len(body)}\r\n"
    assert await served.post(head, body or b"") == status
    assert served.bodies.statistics() == {"body_bytes": 0}
    assert "Traceback" not in caplog.text


async def test_a_body_that_does_not_come_is_given_up(served: Served) -> None:
    served.body_s = 0.05
    assert await served.post("Content-Length: 10\r\n", b"abc") == "408"


async def test_all_bodies_together_are_bounded(served: Served) -> None:
    _, writer = await served.connect()
    writer.write(b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n" + b"x" * 900)
    await until(lambda: served.bodies.statistics()["body_bytes"] == 900, "the first one is held")
    assert await served.post("Content-Length: 800\r\n", b"x" * 700) == "503"
    writer.write(b"x" * 100)
    await until(lambda: served.bodies.statistics()["body_bytes"] == 0, "nothing is held")
    assert await served.post("Content-Length: 800\r\n", b"x" * 800) == "200"


async def test_a_body_of_thousands_of_gzip_files_is_refused(served: Served) -> None:
    """What follows each is copied to begin the next: a square of their number."""
    served.bodies = Bodies(1 << 20, 2 << 20)
    for count, status in ((GZIP_MEMBERS_MAX, "200"), (GZIP_MEMBERS_MAX + 1, "400")):
        many = gzip.compress(b"") * count
        head = f"Content-Encoding: gzip\r\nContent-Length: {len(many)}\r\n"
        assert await served.post(head, many) == status
