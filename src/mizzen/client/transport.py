"""HTTP to one API server: bytes out, bytes or lines in, every failure an `ApiError`."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import orjson

from mizzen.base.errors import ApiError, NoPage, Unavailable, from_status
from mizzen.client.kubeconfig import Connection
from mizzen.host.http1 import BrokenAnswerError, Head, HttpConnection

REQUEST_TIMEOUT_S = 60.0
CONNECT_TIMEOUT_S = 10.0
STREAM_IDLE_S_MAX = 900.0  # a watch that is silent for longer is dead: servers send bookmarks
LINE_BYTES_MAX = 64 << 20
CONNECTIONS_MAX = 512
# The server's own idle timeout usually ends a connection first; ours only bounds the pool.
KEEPALIVE_S = 300.0
TOKEN_AGE_S_MAX = 60.0  # after which a token from a file is read again
_BROKEN = (BrokenAnswerError, TimeoutError, OSError)
_PAUSE_S = 0.1  # between two tries of somebody who waits
_PLAIN = re.compile(r"[A-Za-z0-9/._~:@-]*")
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Patience:
    """For whom a person waits: a server that is away is waited for while it `may_come_back`.

    Tried again is a request whose connection could not be made or that was turned away with a word
    when to come back, and a GET that had no answer: nothing that may have been written.
    """

    seconds: float
    may_come_back: Callable[[], bool]


class Transport:
    """A pool of keep-alive connections; made when they are needed, in the running loop."""

    def __init__(
        self, connection: Connection, user_agent: str, patience: Patience | None = None
    ) -> None:
        self.connection = connection
        self._patience = patience
        self.counts: Counter[str] = Counter()
        url = urlsplit(connection.server)
        self._host = url.hostname or ""
        self._port = url.port or _PORTS.get(url.scheme, 443)
        self._is_secure = url.scheme == "https"
        self._base = url.path.rstrip("/")
        self._about = {"Host": url.netloc, "User-Agent": user_agent}
        self._head = self._with_token(connection.token)
        self._token_read_at_s = float("-inf")
        self._ssl: Any = None
        self._idle: list[HttpConnection] = []
        self._open: set[HttpConnection] = set()
        self._room = asyncio.Semaphore(CONNECTIONS_MAX)

    async def close(self) -> None:
        for connection in list(self._open):
            connection.close()
        self._open.clear()
        self._idle.clear()

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """The body of a successful answer. Errors: what the server refused, or Unavailable."""
        self.counts["requests"] += 1
        self.counts[f"requests_{method.lower()}"] += 1
        sent = {"Accept": "application/json", **(headers or {})}
        if body is not None:
            sent["Content-Type"] = content_type
        request = self._encode(method, path, params, sent, body)
        async with self._room:
            head, data = await self._ask(method, path, request)
        if head.status >= 300:
            raise self._refused(head, data)
        return data

    async def lines(
        self,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncGenerator[bytes, None]:
        """The lines of a streamed answer without their newlines, each as soon as it is whole.

        Errors: as `request`; a stream that breaks off raises Unavailable, one that the server
        ends in order just ends.
        """
        kept: list[bytes] = []
        size = 0
        async with contextlib.aclosing(self.pieces(path, params=params, headers=headers)) as pieces:
            async for piece in pieces:
                first, *rest = piece.split(b"\n")
                kept.append(first)
                size += len(first)
                if size > LINE_BYTES_MAX:
                    error = BrokenAnswerError(f"a line exceeds {LINE_BYTES_MAX} bytes")
                    raise self._unavailable("GET", path, error) from error
                for part in rest:
                    line = b"".join(kept) if len(kept) > 1 else kept[0]
                    if line:
                        yield line
                    kept, size = [part], len(part)
        if any(kept):
            yield b"".join(kept)

    async def pieces(
        self,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        idle_s: float = STREAM_IDLE_S_MAX,
    ) -> AsyncGenerator[bytes, None]:
        """The bytes of a streamed answer as they come; `idle_s`: how long it may be silent.

        Errors: as `lines`.
        """
        self.counts["streams"] += 1
        sent = {"Accept": "application/json", **(headers or {})}
        request = self._encode("GET", path, params, sent, None)
        async with self._room:
            connection = None
            try:
                connection = await self._connect_patiently()
                head = await connection.begin(request, STREAM_IDLE_S_MAX)
                if head.status >= 300:
                    raise self._refused(head, await connection.rest(REQUEST_TIMEOUT_S))
                while piece := await connection.next_piece(idle_s):
                    yield piece
            except _BROKEN as error:
                raise self._unavailable("GET", path, error) from error
            finally:
                self._give_back(connection)

    async def _ask(self, method: str, path: str, request: bytes) -> tuple[Head, bytes]:
        """A GET whose connection the server had just closed is sent again; nothing else is, but
        for `Patience`."""
        waiting = self.waits()
        while True:
            connection, reused = self._take_idle(), True
            try:
                if connection is None:
                    connection, reused = await self._connect(), False
                head, data = await connection.ask(request, REQUEST_TIMEOUT_S)
                if not (_is_about_to_stop(head) and await anext(waiting, False)):
                    return head, data
            except _BROKEN as error:
                was_stale = reused and connection is not None and not connection.has_answered
                if was_stale and method == "GET" and not isinstance(error, TimeoutError):
                    continue
                is_unsent = connection is None or method == "GET"
                if is_unsent and _may_pass(error) and await anext(waiting, False):
                    continue
                raise self._unavailable(method, path, error) from error
            finally:
                self._give_back(connection)

    def _take_idle(self) -> HttpConnection | None:
        now_s = asyncio.get_running_loop().time()
        while self._idle:
            connection = self._idle.pop()
            if connection.is_reusable and now_s - connection.idle_since_s < KEEPALIVE_S:
                return connection
            self._drop(connection)
        return None

    async def _connect_patiently(self) -> HttpConnection:
        waiting = self.waits()
        while True:
            try:
                return await self._connect()
            except _BROKEN as error:
                if not (_may_pass(error) and await anext(waiting, False)):
                    raise

    async def waits(self) -> AsyncGenerator[bool, None]:
        """True after each pause for as long as it makes sense to try again."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + (self._patience.seconds if self._patience else 0)
        while self._patience and loop.time() < end_s and self._patience.may_come_back():
            await asyncio.sleep(_PAUSE_S)
            yield True

    async def _connect(self) -> HttpConnection:
        loop = asyncio.get_running_loop()
        if self._is_secure and self._ssl is None:
            self._ssl = self.connection.ssl_context()
        name = (self.connection.tls_server_name or self._host) if self._is_secure else None
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                _, connection = await loop.create_connection(
                    HttpConnection, self._host, self._port, ssl=self._ssl, server_hostname=name
                )
        except TimeoutError:
            raise TimeoutError(
                f"no connection within {CONNECT_TIMEOUT_S:.0f} s: the server is there and does not "
                "answer"
            ) from None
        self._open.add(connection)
        return connection

    def _give_back(self, connection: HttpConnection | None) -> None:
        """Keeps a connection whose answer was read to its end; any other is closed."""
        if connection is None:
            return
        if connection.is_reusable:
            connection.idle_since_s = asyncio.get_running_loop().time()
            self._idle.append(connection)
        else:
            self._drop(connection)

    def _drop(self, connection: HttpConnection) -> None:
        connection.close()
        self._open.discard(connection)

    def _encode(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str],
        body: bytes | None,
    ) -> bytes:
        if self.connection.token_file:
            self._renew_token()
        target = self._base + path
        if not _PLAIN.fullmatch(target):
            target = quote(target, safe="/:@!$&'()*+,;=~%")
        if params:
            target = f"{target}?{urlencode(params)}"
        length = "" if body is None else f"Content-Length: {len(body)}\r\n"
        head = f"{method} {target} HTTP/1.1\r\n{self._head}{_lines(headers)}{length}\r\n"
        return head.encode("latin-1") + (body or b"")

    def _renew_token(self) -> None:
        """Takes the token over that its file holds by now; a small file, once a minute."""
        now_s = asyncio.get_running_loop().time()
        if now_s - self._token_read_at_s > TOKEN_AGE_S_MAX:
            self._head = self._with_token(self.connection.fresh_token())
            self._token_read_at_s = now_s

    def _with_token(self, token: str) -> str:
        """The header lines that all requests share."""
        return _lines(self._about | ({"Authorization": f"Bearer {token}"} if token else {}))

    def _unavailable(self, method: str, path: str, error: BaseException) -> Unavailable:
        self.counts["unavailable"] += 1
        what = str(error) or type(error).__name__
        return Unavailable(f"{method} {path} at {self.connection.server}: {what}")

    def _refused(self, head: Head, data: bytes) -> ApiError:
        self.counts["refused"] += 1
        try:
            status: Any = orjson.loads(data)
        except orjson.JSONDecodeError:
            status = None
        if not isinstance(status, dict) or "message" not in status:
            text = data[:500].decode(errors="replace").strip()
            if head.status == NoPage.code and text == NoPage().message.strip():
                return NoPage()
            status = {"message": text or f"the server answered {head.status} without a message"}
        error = from_status(status, head.status)  # pyright: ignore[reportUnknownArgumentType]
        after = head.headers.get("retry-after", "")
        if not error.retry_after_s and after.isdigit():
            error.retry_after_s = int(after)
        return error


def _may_pass(error: BaseException) -> bool:
    """True if a server that restarts explains it; a certificate that is wrong stays wrong."""
    return isinstance(error, BrokenAnswerError | ConnectionError | TimeoutError)


def _is_about_to_stop(head: Head) -> bool:
    return head.status == 503 and "retry-after" in head.headers


def _lines(headers: Mapping[str, str]) -> str:
    """Header lines. Errors: ValueError for a value that would end its line."""
    text = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    if text.count("\n") != len(headers):
        raise ValueError(f"a header of {', '.join(headers)} contains a line break")
    return text
