"""Passes a request on to another server, and its answer back, as it comes.

Of the head go on what is not about the one connection, and no credential: who asks was found out
here. A websocket is passed on message by message. Redirects are the client's to follow.
Source: apimachinery `util/proxy/upgradeaware.go`.
"""

from __future__ import annotations

import asyncio
import base64
import os
import re
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from mizzen.apiserver.http import Answer, Channel, Request, Response, Stream, Upgrade
from mizzen.base.errors import Unavailable
from mizzen.host.http1 import BrokenAnswerError, Head, HttpConnection
from mizzen.host.websocket import NORMAL, WebSocket, WebSocketClosed, WebSocketError, accept_of

CONNECT_S_MAX = 30.0
ANSWER_S_MAX = 60.0  # until the head of an answer is there
IDLE_S_MAX = 4 * 3600.0
HEAD_BYTES_MAX = 64 << 10
REWRITTEN_BYTES_MAX = 4 << 20  # of a page whose links are led back; a larger one is refused
_OF_CONNECTION = frozenset((
    "connection", "keep-alive", "proxy-connection", "proxy-authenticate", "te", "trailer",
    "transfer-encoding", "upgrade", "host", "content-length", "expect",
))  # fmt: skip
_OF_WEBSOCKET = "sec-websocket-"
_CREDENTIALS = ("authorization", "proxy-authorization", "impersonate-", "x-remote-")
_BROKEN = (BrokenAnswerError, OSError, EOFError, TimeoutError, asyncio.LimitOverrunError)
_LINK = re.compile(
    rb"""(\s(?:href|src|action|cite|longdesc|codebase|usemap|background|formaction|icon|poster|"""
    rb"""manifest|data)\s*=\s*["'])(/[^"'/][^"']*|/)(["'])""",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Site:
    """Where a request is passed on to; `tls` None is plain HTTP, `server_name` whom to expect."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    server_name: str = ""

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


Refuse = Callable[[str], Exception]  # of what went wrong


async def forward(
    site: Site, request: Request, path: str, *, headers: Sequence[tuple[str, str]] = (),
    prefix: str = "", refuse: Refuse | None = None,
) -> Answer:  # fmt: skip
    """The answer to the request at `path`, with these further headers.

    `prefix` is where the other's paths lie here: absolute links and redirects of pages lead back to
    it. Errors: what `refuse` makes where there is no answer, else Unavailable.
    """
    refuse = refuse or _unavailable
    target = f"{path}?{request.query}" if request.query else path
    if request.offered is not None:
        return _upgrade(site, request, target, headers, refuse)
    lines = [f"{request.method} {target} HTTP/1.1", f"Host: {site.authority}", *_lines(request)]
    lines += [f"{name}: {value}" for name, value in headers]
    if request.body or request.method in ("POST", "PUT", "PATCH"):
        lines.append(f"Content-Length: {len(request.body)}")
    head = "\r\n".join((*lines, "Connection: close", "", "")).encode("latin-1", "replace")
    connection: HttpConnection | None = None
    is_answered = False
    try:
        async with asyncio.timeout(CONNECT_S_MAX):
            _, connection = await asyncio.get_running_loop().create_connection(
                HttpConnection, site.host, site.port, ssl=site.tls,
                server_hostname=(site.server_name or site.host) if site.tls else None,
            )  # fmt: skip
        answer = await connection.begin(head + request.body, ANSWER_S_MAX)
        fields = _fields(answer, prefix)
        kind = answer.headers.get("content-type", "application/octet-stream")
        if request.method == "HEAD" or answer.status in (204, 304):
            return Response(answer.status, b"", kind, fields)
        if prefix and kind.startswith("text/html") and "content-encoding" not in answer.headers:
            page = await connection.rest(ANSWER_S_MAX, REWRITTEN_BYTES_MAX)
            return Response(answer.status, _led_back(page, prefix), kind, fields)
        is_answered = True
        return Stream(_pieces(connection), kind, answer.status, fields, is_whole_at_end=True)
    except _BROKEN as error:
        raise refuse(str(error) or type(error).__name__) from error
    finally:
        if connection is not None and not is_answered:
            connection.close()


def _unavailable(problem: str) -> Unavailable:
    return Unavailable(f"error trying to reach service: {problem}")


def _lines(request: Request) -> list[str]:
    named = {
        each.strip().lower() for each in request.headers.get("connection", "").split(",") if each
    }
    return [
        f"{name}: {value}"
        for name, value in request.pairs()
        if name not in _OF_CONNECTION
        and name not in named
        and not name.startswith((_OF_WEBSOCKET, *_CREDENTIALS))
    ]


def _fields(head: Head, prefix: str) -> list[tuple[str, str]]:
    fields: list[tuple[str, str]] = []
    for raw_name, raw_value in head.fields:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name in _OF_CONNECTION or name == "content-type":
            continue
        if name == "location" and prefix and value.startswith("/") and value[1:2] != "/":
            value = prefix + value
        fields.append((name, value))
    return fields


def _led_back(page: bytes, prefix: str) -> bytes:
    where = prefix.encode()
    return _LINK.sub(lambda m: m[1] + where + m[2] + m[3], page)


async def _pieces(connection: HttpConnection) -> AsyncIterator[bytes]:
    try:
        yield b""  # the head leaves with the first piece
        while True:
            try:
                piece = await connection.next_piece(IDLE_S_MAX)
            except _BROKEN as error:
                raise Unavailable(f"the answer broke off: {error}") from error
            if not piece:
                return
            yield piece
    finally:
        connection.close()


def _upgrade(
    site: Site, request: Request, target: str, headers: Sequence[tuple[str, str]], refuse: Refuse
) -> Upgrade:
    socket: WebSocket | None = None

    async def begin(protocol: str) -> None:
        nonlocal socket
        socket = await _opened(site, request, target, headers, protocol, refuse)

    async def serve(channel: Channel) -> None:
        assert socket is not None, "it has begun"
        await _pass_on(channel, socket)

    def end() -> None:
        assert socket is not None, "it has begun"
        socket.abort()

    return Upgrade(tuple(request.offered or ()) or ("",), serve, begin, end)


async def _opened(
    site: Site, request: Request, target: str, headers: Sequence[tuple[str, str]], protocol: str,
    refuse: Refuse,
) -> WebSocket:  # fmt: skip
    """A websocket to the site that speaks this subprotocol. Errors: those of `refuse`."""
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        f"GET {target} HTTP/1.1", f"Host: {site.authority}", *_lines(request),
        *(f"{name}: {value}" for name, value in headers), "Connection: Upgrade",
        "Upgrade: websocket", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}",
    ]  # fmt: skip
    if protocol:
        lines.append(f"Sec-WebSocket-Protocol: {protocol}")
    writer: asyncio.StreamWriter | None = None
    is_open = False
    try:
        async with asyncio.timeout(CONNECT_S_MAX):
            reader, writer = await asyncio.open_connection(
                site.host, site.port, ssl=site.tls, limit=HEAD_BYTES_MAX,
                server_hostname=(site.server_name or site.host) if site.tls else None,
            )  # fmt: skip
        writer.write("\r\n".join((*lines, "", "")).encode("latin-1", "replace"))
        async with asyncio.timeout(ANSWER_S_MAX):
            text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *rest = text.split("\r\n")
        found = {n.strip().lower(): v.strip() for n, _, v in (f.partition(":") for f in rest if f)}
        if first.split(" ")[1:2] != ["101"]:
            raise BrokenAnswerError(f"it opens no websocket: {first}")
        if found.get("sec-websocket-accept") != accept_of(key) or (
            found.get("sec-websocket-protocol", "") != protocol
        ):
            raise BrokenAnswerError(f"it opens another websocket than {protocol or 'asked for'}")
        is_open = True
        return WebSocket(reader, writer, is_client=True, protocol=protocol)
    except _BROKEN as error:
        raise refuse(str(error) or type(error).__name__) from error
    finally:
        if writer is not None and not is_open:
            writer.transport.abort()


async def _pass_on(channel: Channel, socket: WebSocket) -> None:
    """Both ways, until the site has said all. Errors: Unavailable where it breaks off."""

    async def to_site() -> None:
        while True:
            await socket.send(await channel.receive())

    going = asyncio.ensure_future(to_site())
    try:
        while True:
            await channel.send(await socket.receive())
    except WebSocketClosed as closed:
        if closed.code != NORMAL:
            raise Unavailable(f"the other side broke off: {closed}") from closed
        await socket.close()
    except WebSocketError as error:
        raise Unavailable(f"the other side is not understood: {error}") from error
    finally:
        going.cancel()
        await asyncio.wait((going,))
        if not going.cancelled():
            going.exception()  # who takes nothing more has said why, or breaks off
