"""HTTP/1.1 as clients inside an instance need it: answers read in one pass, connections kept.

`httptools` (llhttp) parses; what is here is the connection around it, which costs half of what
a general client does. Left out, as API servers and agents need none of it: redirects, compression, cookies,
proxies, pipelining. Source: RFC 9112.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import httptools

HEAD_BYTES_MAX = 64 << 10
PENDING_BYTES_MAX = 4 << 20  # of a stream that its reader has not taken yet


class BrokenAnswerError(Exception):
    """The connection ended too early, took too long, or carried something that is no HTTP."""


@dataclass(frozen=True, slots=True)
class Head:
    status: int
    fields: tuple[tuple[bytes, bytes], ...] = ()  # as they came; hardly ever looked at

    @property
    def headers(self) -> dict[str, str]:
        """Lower-case names; of several of one name the last."""
        return {n.decode("latin-1").lower(): v.decode("latin-1") for n, v in self.fields}


class AnswerParser:
    """One answer, fed with bytes as they come: `head` once it is whole, then pieces of the body."""

    def __init__(self) -> None:
        self.head: Head | None = None
        self.pieces: list[bytes] = []  # of the body, until somebody takes them
        self.is_done = False
        self.keeps_alive = False
        self._fields: list[tuple[bytes, bytes]] = []
        self._head_bytes = 0
        # It knows this object in turn: let go at the end, so that neither waits for the collector
        # with the body of an answer in its hands.
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """Errors: BrokenAnswerError."""
        if self._parser is None:  # nobody asked for what follows
            self.keeps_alive = False
            return
        if self.head is None:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            if self.is_done:
                self.keeps_alive = False
                return
            raise BrokenAnswerError(f"the answer is no HTTP/1.1: {error}") from error
        if self.head is None and self._head_bytes > HEAD_BYTES_MAX:
            raise BrokenAnswerError(f"the head of the answer exceeds {HEAD_BYTES_MAX} bytes")

    def end(self) -> None:
        """The connection has ended. Errors: BrokenAnswerError where the answer had not."""
        self._parser = None
        if self.head is not None and _ends_with_connection(self.head.headers):
            self.is_done = True
        if not self.is_done:
            raise BrokenAnswerError("the server closed the connection before it had answered")

    # -- what httptools calls ----------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self.is_done:
            self.keeps_alive = False  # nobody asked for what follows

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.is_done:
            self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        if self._parser is None:  # nobody asked for what follows
            return
        status = self._parser.get_status_code()
        if status >= 200:
            self.head = Head(status, tuple(self._fields))
        self._fields = []

    def on_body(self, body: bytes) -> None:
        if not self.is_done:
            self.pieces.append(body)

    def on_message_complete(self) -> None:
        if self._parser is None or self.head is None:  # an early answer (1xx) is not the answer
            return
        self.is_done = True
        self.keeps_alive = self._parser.should_keep_alive()
        self._parser = None


def _ends_with_connection(headers: dict[str, str]) -> bool:
    return "content-length" not in headers and "transfer-encoding" not in headers


class HttpConnection(asyncio.Protocol):
    """One connection with one request on its way at a time.

    Errors of all coroutines: BrokenAnswerError; the connection is of no use after it.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = AnswerParser()
        self._is_ready: Callable[[], bool] = _never
        self._wake: asyncio.Future[None] | None = None
        self._problem = ""
        self._timer: asyncio.TimerHandle | None = None
        self._due_s = math.inf  # what is waited for comes until then; inf: nothing is waited for
        self._timeout_s = 0.0
        self._is_stream = False
        self._is_paused = False
        self._pending_bytes = 0
        self.idle_since_s = 0.0
        self.has_answered = False  # something of the present answer has come

    # -- what the loop calls -----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.has_answered = True
        try:
            self._parser.feed(data)
        except BrokenAnswerError as error:
            self._fail(str(error))
            return
        self._pending_bytes += len(data)
        if self._is_stream and self._pending_bytes > PENDING_BYTES_MAX and self._transport:
            self._is_paused = True
            self._transport.pause_reading()
        if self._is_ready():
            self._rouse()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        try:
            self._parser.end()
        except BrokenAnswerError as error:
            self._fail(str(exc or error))
        self._rouse()

    # -- what the client calls ----------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    @property
    def is_reusable(self) -> bool:
        """The answer has been read to its end, and the server goes on listening."""
        return self.is_open and self._parser.is_done and self._parser.keeps_alive

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    async def ask(self, request: bytes, timeout_s: float) -> tuple[Head, bytes]:
        """The whole answer."""
        parser = self._send(request, is_stream=False)
        await self._until(lambda: parser.is_done, timeout_s)
        assert parser.head is not None, "an answer that is done has a head"
        return parser.head, b"".join(parser.pieces)

    async def begin(self, request: bytes, timeout_s: float) -> Head:
        """The head of an answer whose body is read with `next_piece`."""
        parser = self._send(request, is_stream=True)
        await self._until(lambda: parser.head is not None, timeout_s)
        assert parser.head is not None, "it was waited for"
        return parser.head

    async def next_piece(self, timeout_s: float) -> bytes:
        """The next bytes of the body; none at its end."""
        parser = self._parser
        if not parser.pieces:
            await self._until(lambda: bool(parser.pieces) or parser.is_done, timeout_s)
        piece, parser.pieces = b"".join(parser.pieces), []
        self._pending_bytes = 0
        if self._is_paused and self._transport is not None:
            self._is_paused = False
            self._transport.resume_reading()
        return piece

    async def rest(self, timeout_s: float, bytes_max: int | None = None) -> bytes:
        """The rest of the body; no piece may take longer than `timeout_s`, all of it may have no
        more than `bytes_max`."""
        pieces: list[bytes] = []
        size = 0
        while piece := await self.next_piece(timeout_s):
            size += len(piece)
            if bytes_max is not None and size > bytes_max:
                raise BrokenAnswerError(f"the answer has more than {bytes_max} bytes")
            pieces.append(piece)
        return b"".join(pieces)

    def _send(self, request: bytes, *, is_stream: bool) -> AnswerParser:
        if self._transport is None:
            raise BrokenAnswerError("the server had closed the connection")
        self._parser = AnswerParser()
        self._is_stream = is_stream
        self.has_answered = False
        self._pending_bytes = 0
        self._transport.write(request)
        return self._parser

    async def _until(self, is_ready: Callable[[], bool], timeout_s: float) -> None:
        if is_ready():
            return
        if self._problem:
            raise BrokenAnswerError(self._problem)
        self._due_s, self._timeout_s = self._loop.time() + timeout_s, timeout_s
        if self._due_s < math.inf and (self._timer is None or self._timer.when() > self._due_s):
            self._time_again()
        self._is_ready = is_ready
        try:
            while not is_ready():
                if self._problem:
                    raise BrokenAnswerError(self._problem)
                self._wake = self._loop.create_future()
                await self._wake
        finally:
            self._is_ready, self._wake, self._due_s = _never, None, math.inf

    def _look_at_time(self) -> None:
        """One timer serves many waits: it is not set again before it rings."""
        self._timer = None
        if self._due_s <= self._loop.time():
            self._fail(f"nothing came within {self._timeout_s:.0f} s")
        elif self._due_s < math.inf:
            self._time_again()

    def _time_again(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._due_s, self._look_at_time)

    def _fail(self, problem: str) -> None:
        self._problem = self._problem or problem
        self._rouse()

    def _rouse(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)


def _never() -> bool:
    return False
