"""Answers are read alike however they come in pieces, and nonsense is told apart from an answer."""

import asyncio
import gc
import itertools
import weakref
from contextlib import asynccontextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mizzen.base.errors import NoPage, Unavailable
from mizzen.base.resources import PODS
from mizzen.client import transport
from mizzen.client.client import Client
from mizzen.client.kubeconfig import Connection
from mizzen.host.http1 import PENDING_BYTES_MAX, AnswerParser, BrokenAnswerError, HttpConnection

HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def with_length(body):
    return f"{HEAD}Content-Length: {len(body)}\r\n\r\n".encode() + body


def chunked(body, sizes):
    parts, at = [], 0
    for size in sizes:
        piece = body[at : at + size]
        if piece:
            parts.append(f"{len(piece):x};name=value\r\n".encode() + piece + b"\r\n")
        at += size
    if body[at:]:
        parts.append(f"{len(body[at:]):X}\r\n".encode() + body[at:] + b"\r\n")
    end = b"0\r\nTrailer: x\r\n\r\n"
    return f"{HEAD}transfer-encoding: chunked\r\n\r\n".encode() + b"".join(parts) + end


def read(data, cuts):
    parser = AnswerParser()
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    for start, end in itertools.pairwise(edges):
        assert not parser.is_done
        parser.feed(data[start:end])
    return parser


cuts = st.lists(st.integers(0, 400), max_size=12)


@given(st.binary(max_size=200), cuts)
def test_a_body_of_known_length(body, cuts):
    parser = read(b"HTTP/1.1 103 Early\r\n\r\n" + with_length(body), cuts)
    assert parser.is_done and parser.keeps_alive
    assert (parser.head.status, b"".join(parser.pieces)) == (200, body)
    assert parser.head.headers["content-type"] == "application/json"


@given(st.binary(max_size=200), st.lists(st.integers(1, 50), max_size=5), cuts)
def test_a_body_in_chunks(body, sizes, cuts):
    parser = read(chunked(body, sizes), cuts)
    assert parser.is_done and parser.keeps_alive
    assert b"".join(parser.pieces) == body


@given(st.binary(max_size=50), cuts)
def test_a_body_that_ends_with_the_connection(body, cuts):
    parser = read(f"{HEAD}\r\n".encode() + body, cuts)
    parser.end()
    assert parser.is_done and not parser.keeps_alive
    assert b"".join(parser.pieces) == body


@given(st.binary(min_size=1, max_size=100), st.integers(0, 300))
def test_an_answer_cut_short_is_none(body, at):
    data = with_length(body)
    parser = read(data[: min(at, len(data) - 1)], [])
    with pytest.raises(BrokenAnswerError):
        parser.end()


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n",
        b"x" * 70_000,
    ],
)
def test_nonsense_is_refused(data):
    with pytest.raises(BrokenAnswerError):
        AnswerParser().feed(data)


@pytest.mark.parametrize("answer", [with_length(b"{}"), with_length(b"{")[:-1]])
def test_what_was_answered_waits_for_no_garbage_collector(answer):
    gc.collect()
    gc.disable()
    try:
        parser = AnswerParser()
        parser.feed(answer)
        with suppress(BrokenAnswerError):
            parser.end()
        gone = weakref.ref(parser)
        del parser
        assert gone() is None
    finally:
        gc.enable()


def test_what_nobody_asked_for_ends_the_connection():
    parser = AnswerParser()
    parser.feed(with_length(b"{}") + b"HTTP/1.1 200 OK\r\n\r\n")
    assert parser.is_done and not parser.keeps_alive


@asynccontextmanager
async def listening(handle):
    """The port of a server whose connections are handled so, and closed at the end."""
    writers = []

    async def remember(reader, writer):
        writers.append(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await handle(reader, writer)

    server = await asyncio.start_server(remember, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        for writer in writers:
            writer.close()
            await writer.wait_closed()


@asynccontextmanager
async def serving(handle, **connection):
    """A client of such a server."""
    async with listening(handle) as port:
        url = f"http://127.0.0.1:{port}"
        async with Client(Connection(url, **connection), user_agent="test") as client:
            yield client


async def test_a_get_whose_connection_was_stale_is_sent_again_a_post_is_not():
    seen = []

    async def handle(reader, writer):
        for answers in (True, False):  # the second request finds the connection closed
            head = await reader.readuntil(b"\r\n\r\n")
            seen.append(head.split(b" ")[0])
            if b"Content-Length" in head:
                await reader.readexactly(2)
            if answers:
                writer.write(with_length(b"{}"))
        writer.close()

    async with serving(handle) as client:
        await client.get(PODS, "p", "default")
        await client.get(PODS, "p", "default")
        assert seen == [b"GET", b"GET", b"GET"]
        with pytest.raises(Unavailable):
            await client.raw("POST", "/x", body=b"{}")
        assert seen == [b"GET", b"GET", b"GET", b"POST"]


async def test_a_stream_that_nobody_reads_is_held_up():
    sent = 0
    line = b'{"type":"BOOKMARK","object":{"metadata":{}}}' + b" " * 65536 + b"\n"

    async def handle(reader, writer):
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"{HEAD}\r\n".encode())
        for _ in range(2000):
            writer.write(line)
            await writer.drain()
            sent += 1
        writer.close()

    async with serving(handle) as client:
        events = client.watch(PODS)
        await anext(events)
        while True:  # until nothing moves any more
            before = sent
            for _ in range(200):
                await asyncio.sleep(0)
            if sent == before:
                break
        assert sent * len(line) < 8 * PENDING_BYTES_MAX
        assert len([event async for event in events]) == 1999


async def test_a_renewed_token_is_the_one_sent(tmp_path, monkeypatch):
    seen = []

    async def handle(reader, writer):
        while not reader.at_eof():
            seen.append((await reader.readuntil(b"\r\n\r\n")).partition(b"Bearer ")[2][:6])
            writer.write(with_length(b"{}"))

    monkeypatch.setattr(transport, "TOKEN_AGE_S_MAX", 0.0)
    token = tmp_path / "token"
    token.write_text("token1\n")
    async with serving(handle, token="token0", token_file=str(token)) as client:
        await client.get(PODS, "p", "default")
        token.write_text("token2\n")
        await client.get(PODS, "p", "default")
    assert seen == [b"token1", b"token2"]


@pytest.mark.parametrize("first_s", [30.0, 0.04])
async def test_each_wait_ends_at_its_own_time(monkeypatch, first_s):
    """Whether the wait before it on the same connection was to be longer or shorter."""
    asked = 0

    async def handle(reader, writer):
        nonlocal asked
        while not reader.at_eof():
            await reader.readuntil(b"\r\n\r\n")
            asked += 1
            if asked == 1:
                writer.write(with_length(b"{}"))

    async with serving(handle) as client:
        monkeypatch.setattr(transport, "REQUEST_TIMEOUT_S", first_s)
        await client.raw("POST", "/x")
        monkeypatch.setattr(transport, "REQUEST_TIMEOUT_S", 0.05)
        with pytest.raises(Unavailable, match="nothing came within 0 s"):
            await client.raw("POST", "/x")
    assert asked == 2


async def test_a_body_may_not_be_larger_than_said():
    async def handle(reader, writer):
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(with_length(b"x" * 10))

    ask = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    async with listening(handle) as port:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(HttpConnection, "127.0.0.1", port)
        await connection.begin(ask, 5)
        assert await connection.rest(5, 10) == b"x" * 10
        await connection.begin(ask, 5)
        with pytest.raises(BrokenAnswerError, match="more than 9 bytes"):
            await connection.rest(5, 9)
        connection.close()


async def test_a_page_that_says_there_is_nothing_is_told_from_a_status():
    async def handle(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        text = b"404 page not found\n"
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n" % len(text) + text)

    async with serving(handle) as client:
        with pytest.raises(NoPage):
            await client.raw("GET", "/apis/none")
