"""Frames of websockets: what is whole, what is refused, and that any bytes are one or the other."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from mizzen.host import websocket
from mizzen.host.websocket import (
    BINARY,
    PING,
    TEXT,
    Frame,
    FrameParser,
    WebSocket,
    WebSocketClosed,
    WebSocketError,
    encode,
    offered,
    unmasked,
)

MASK = b"\x01\x80\xff\x7f"


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, mask: bytes = b"") -> bytes:
    """One frame of few bytes, written by hand."""
    head = bytes((opcode | (0x80 if fin else 0), len(payload) | (0x80 if mask else 0)))
    return head + mask + unmasked(payload, mask)


def test_a_mask_is_taken_off_byte_by_byte() -> None:
    payload = os.urandom(1000)
    plain = bytes(byte ^ MASK[at % 4] for at, byte in enumerate(payload))
    assert unmasked(payload, MASK) == plain and unmasked(plain, MASK) == payload
    assert FrameParser(is_masked=True).feed(frame(BINARY, b"hello", mask=MASK)) == [
        Frame(BINARY, b"hello")
    ]


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536, 1 << 20])
@pytest.mark.parametrize("is_client", [True, False])
def test_what_is_encoded_is_read(size: int, is_client: bool) -> None:
    data = os.urandom(size)
    parser = FrameParser(is_masked=is_client)
    assert parser.feed(encode(BINARY, data, is_client=is_client)) == [Frame(BINARY, data)]


def test_fragments_are_one_message_with_control_between_them() -> None:
    parts = [frame(TEXT, b"a", fin=False), frame(PING, b"p"), frame(0, b"b", fin=False), frame(0)]
    whole = [Frame(PING, b"p"), Frame(TEXT, b"ab")]
    assert FrameParser(is_masked=False).feed(b"".join(parts)) == whole
    parser = FrameParser(is_masked=False)
    assert [f for byte in b"".join(parts) for f in parser.feed(bytes((byte,)))] == whole


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(3), 1002),
        (b"\xc1\x00", 1002),  # a reserved bit
        (frame(0, b"x"), 1002),  # goes on where nothing has begun
        (frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"), 1002),
        (frame(PING, fin=False), 1002),
        (bytes((0x80 | PING, 126)) + b"\x00\x7e" + b"x" * 126, 1002),
        (frame(TEXT, b"a", mask=MASK), 1002),
        (b"\x82\x7f" + (1 << 40).to_bytes(8), 1009),
        (frame(BINARY, b"x" * 100, fin=False) + b"\x80\x7e\xff\xff", 1009),
    ],
)
def test_what_breaks_the_protocol_or_a_bound_has_a_code(data: bytes, code: int) -> None:
    parser = FrameParser(is_masked=False, message_bytes_max=1000)
    with pytest.raises(WebSocketError) as refused:
        parser.feed(data)
    assert refused.value.code == code


@given(st.binary(max_size=300), st.lists(st.integers(1, 40), max_size=20), st.booleans())
def test_any_bytes_are_frames_or_refused_however_they_come(
    data: bytes, sizes: list[int], is_masked: bool
) -> None:
    def read(pieces: list[bytes]) -> tuple[list[Frame], int]:
        parser, found = FrameParser(is_masked=is_masked, message_bytes_max=200), list[Frame]()
        try:
            for piece in pieces:
                found += parser.feed(piece)
        except WebSocketError as error:
            return found, error.code
        return found, 0

    at, pieces = 0, list[bytes]()
    for size in sizes:
        pieces.append(data[at : at + size])
        at += size
    byte_by_byte = read([bytes((byte,)) for byte in data])
    assert read([*pieces, data[at:]])[1] == byte_by_byte[1]
    assert all(len(found.payload) <= 200 for found in byte_by_byte[0])


def test_a_handshake_is_whole_or_none() -> None:
    asked = {"upgrade": "websocket", "connection": "keep-alive, Upgrade"}
    whole = {**asked, "sec-websocket-version": "13", "sec-websocket-key": "k"}
    assert offered({}) is None and offered({"upgrade": "h2c", "connection": "upgrade"}) is None
    assert offered(whole) == [] and offered({**whole, "sec-websocket-protocol": "a, b"}) == [
        "a",
        "b",
    ]
    with pytest.raises(WebSocketError):
        offered(asked)


class Ends:
    def __init__(self, client: WebSocket, server: WebSocket) -> None:
        self.client, self.server = client, server


@pytest_asyncio.fixture
async def ends(tmp_path: Path) -> AsyncIterator[Ends]:
    accepted: asyncio.Future[WebSocket] = asyncio.get_running_loop().create_future()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.set_result(WebSocket(reader, writer, is_client=False))

    listener = await asyncio.start_unix_server(accept, tmp_path / "s")
    async with listener:
        reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
        made = Ends(WebSocket(reader, writer, is_client=True), await accepted)
        yield made
        made.client.abort()
        made.server.abort()


async def test_messages_go_both_ways_and_pings_are_answered(ends: Ends) -> None:
    await ends.client.send("text")
    await ends.client.send(b"bytes")
    assert [await ends.server.receive(), await ends.server.receive()] == ["text", b"bytes"]
    await ends.server.send(b"back")
    assert await ends.client.receive() == b"back"


async def test_both_say_goodbye(ends: Ends) -> None:
    closing = asyncio.create_task(ends.server.close(1000, "over"))
    with pytest.raises(WebSocketClosed) as closed:
        await ends.client.receive()
    assert (closed.value.code, closed.value.reason) == (1000, "over")
    await ends.client.close()
    await asyncio.wait_for(closing, 10)


async def test_who_breaks_the_protocol_is_told(ends: Ends) -> None:
    await ends.client.send("x")
    assert await ends.server.receive() == "x"
    bad = WebSocket(ends.client._reader, ends.client._writer, is_client=False)  # pyright: ignore[reportPrivateUsage]
    await bad.send(b"not masked")
    with pytest.raises(WebSocketError):
        await ends.server.receive()
    with pytest.raises(WebSocketClosed) as closed:
        await ends.client.receive()
    assert closed.value.code == 1002


async def test_who_reads_nothing_is_given_up(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "UNREAD_S_MAX", 0.05)
    with pytest.raises(TimeoutError):
        for _ in range(1000):
            await ends.server.send(b"x" * 65536)
