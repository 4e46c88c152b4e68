"""Long answers on their way out: piece by piece, squeezed, and cut where nobody takes them."""

from __future__ import annotations

import asyncio
import zlib
from typing import Any

import pytest

from mizzen.apiserver import asgi, sending
from mizzen.apiserver.asgi import Bridge
from mizzen.apiserver.connections import Connections
from mizzen.apiserver.http import Response, Rest
from mizzen.store.memory import MemoryStore
from support.api_handlers import an_api

PIECES = [b"[" + b"1," * 300_000, b"2," * 300_000, b"3]"]


def _answer(*, is_squeezed: bool = False) -> tuple[Response, list[str]]:
    ended: list[str] = []
    size = 0 if is_squeezed else sum(map(len, PIECES[1:]))
    rest = Rest(iter(PIECES[1:]), size, is_squeezed, lambda: ended.append("end"))
    return Response(200, PIECES[0], rest=rest), ended


class _Client:
    """The HTTP server's side; it takes at most so many messages."""

    def __init__(self, takes: int = 100) -> None:
        self.messages: list[dict[str, Any]] = []
        self._takes = takes

    async def send(self, message: dict[str, Any]) -> None:
        if len(self.messages) == self._takes:
            await asyncio.Event().wait()
        self.messages.append(message)

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.messages[1:])


async def test_what_was_promised_is_sent() -> None:
    client, (answer, _) = _Client(), _answer()
    assert answer.rest is not None
    await sending.in_pieces(answer, answer.rest, "id", client.send)
    assert client.body == b"".join(PIECES)
    assert (b"content-length", b"%d" % len(client.body)) in client.messages[0]["headers"]
    assert [message["more_body"] for message in client.messages[1:]] == [True, True, True, False]


async def test_gzip_is_made_on_the_way() -> None:
    client, (answer, _) = _Client(), _answer(is_squeezed=True)
    assert answer.rest is not None
    await sending.in_pieces(answer, answer.rest, "id", client.send)
    assert zlib.decompress(client.body, 16 + zlib.MAX_WBITS) == b"".join(PIECES)
    assert all(name != b"content-length" for name, _ in client.messages[0]["headers"])


async def test_who_takes_nothing_is_cut_and_its_seat_is_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asgi, "TAKEN_WITHIN_S", 0.01)
    cut: list[object] = []
    connections = Connections(1)
    monkeypatch.setattr(connections, "cut", cut.append)
    bridge = Bridge((await an_api(MemoryStore())).server, connections)
    answer, ended = _answer()
    assert answer.rest is not None
    client = ("127.0.0.1", 4711)
    await bridge._send_long(answer, answer.rest, "id", client, _Client(takes=2).send)  # pyright: ignore[reportPrivateUsage]
    assert cut == [client] and ended == ["end"]
