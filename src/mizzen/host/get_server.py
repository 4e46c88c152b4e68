"""A small HTTP server for what one process of Mizzen tells another: GET, answers that stream, and
websockets.

Small on purpose, for every role and every node pays for it: one request for a connection. What is
not sent to its end breaks off, so that whoever reads it knows. Source: RFC 9112.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mizzen.base import query
from mizzen.base.errors import ApiError, BadRequest, MethodNotAllowed, TooManyRequests
from mizzen.host.websocket import WebSocket, WebSocketError, accept_of, offered

REQUESTS_MAX = 256  # under way at a time
HEAD_BYTES_MAX = 16 << 10
HEAD_S_MAX = 10.0
_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Get:
    """One request: `path` as it came, quoted; `headers` by lower-case names."""

    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    query: str = ""  # as it came: parameters may be repeated
    offered: Sequence[str] | None = None  # subprotocols, where a websocket is asked for


@dataclass(frozen=True, slots=True)
class Upgrade:
    """An answer that goes both ways, until `serve` returns or the client leaves: it is cancelled
    then. Only to a request for a websocket."""

    protocol: str  # one of those offered, "" for none
    serve: Callable[[WebSocket], Coroutine[Any, Any, None]]


# The answer's text, as it comes. Errors: ApiError, whose code and message are the answer.
Answer = Callable[[Get], Awaitable[AsyncGenerator[bytes, None] | Upgrade]]


class GetServer:
    """Answers until it is closed."""

    def __init__(self, answer: Answer, content_type: str = "text/plain") -> None:
        self._answer_of = answer
        self._content_type = content_type
        self._under_way = 0  # whoever connects and says nothing does not count: it goes soon
        self._open: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    def statistics(self) -> Mapping[str, int]:
        return {"connections": len(self._open)}

    async def open(self, listener: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Answers at a socket that is bound, until `close`."""
        self._server = await asyncio.start_server(
            self._serve,
            sock=listener,
            limit=HEAD_BYTES_MAX,
            ssl=tls,
            ssl_handshake_timeout=HEAD_S_MAX if tls is not None else None,
        )

    async def close(self) -> None:
        """Breaks off whatever is under way."""
        if self._server is not None:
            self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "asyncio runs it as one"
        self._open.add(task)
        is_whole = False
        try:
            async with asyncio.timeout(HEAD_S_MAX):
                head = await reader.readuntil(_END)
            self._under_way += 1
            try:
                await self._answer(head, reader, writer)
            finally:
                self._under_way -= 1
            is_whole = True
        except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
            pass  # no HTTP, or the client has left
        finally:
            self._open.discard(task)
            if not is_whole:
                writer.transport.abort()
            writer.close()

    async def _answer(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            request = self._read(head)
            chunks = await self._answer_of(request)
        except ApiError as error:
            body = error.message.encode()
            length = f"Content-Length: {len(body)}"
            writer.write(_head(error.code, "text/plain", length) + body)
            await writer.drain()
            return
        if isinstance(chunks, Upgrade):
            await _upgrade(request, chunks, reader, writer)
            return
        writer.write(_head(200, self._content_type, "Transfer-Encoding: chunked"))
        pump = asyncio.ensure_future(_pump(chunks, writer))
        gone = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait((pump, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in (pump, gone):
                each.cancel()
            await asyncio.wait((pump, gone))
        if not gone.cancelled():
            gone.exception()  # how it left is not told
        if pump.cancelled():
            raise ConnectionResetError("the client has left")
        pump.result()

    def _read(self, head: bytes) -> Get:
        """Errors: ApiError."""
        first, *lines = head.decode("latin-1").split("\r\n")
        method, _, rest = first.partition(" ")
        target, _, version = rest.partition(" ")
        if not version.startswith("HTTP/1."):
            raise BadRequest("this is no HTTP/1.1")
        if method != "GET":
            raise MethodNotAllowed(f"{method} is not served here: GET is")
        if self._under_way > REQUESTS_MAX:
            raise TooManyRequests(
                f"{self._under_way} requests are under way here, of at most {REQUESTS_MAX}: "
                "try again",
                retry_after_s=1,
            )
        path, _, text = target.partition("?")
        fields = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in fields if name}
        try:
            return Get(path, query.parse(text), headers, text, offered(headers))
        except WebSocketError as error:
            raise BadRequest(str(error)) from error


def _head(status: int, content_type: str, length: str) -> bytes:
    fields = f"Content-Type: {content_type}\r\n{length}\r\nConnection: close"
    return f"HTTP/1.1 {status} {'OK' if status == 200 else 'Refused'}\r\n{fields}\r\n\r\n".encode()


async def _upgrade(
    request: Get, upgrade: Upgrade, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Opens the websocket and lets it be served; how it is closed is told there."""
    assert request.offered is not None, "nobody upgrades what does not ask for it"
    accept = accept_of(request.headers["sec-websocket-key"])
    named = f"\r\nSec-WebSocket-Protocol: {upgrade.protocol}" if upgrade.protocol else ""
    writer.write(
        f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}{named}\r\n\r\n".encode()
    )
    await writer.drain()
    await upgrade.serve(WebSocket(reader, writer, is_client=False, protocol=upgrade.protocol))


async def _pump(chunks: AsyncGenerator[bytes, None], writer: asyncio.StreamWriter) -> None:
    async with contextlib.aclosing(chunks):
        async for chunk in chunks:
            if chunk:
                writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
                await writer.drain()
    writer.write(b"0\r\n\r\n")
    await writer.drain()
