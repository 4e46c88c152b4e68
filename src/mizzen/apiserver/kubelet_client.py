"""The one road to nodes: HTTPS to the agent's own API, at the address that its Node tells.

Both sides show certificates of the instance's own authority, so whoever else listens there is
asked nothing. What agents answer is the kubelet's: text, and the status of HTTP.
"""

from __future__ import annotations

import asyncio
import base64
import os
import ssl
from collections.abc import Mapping, Sequence
from urllib.parse import quote, urlencode

from mizzen.base.errors import ApiError, BadRequest, InternalError, NotFound, Unavailable
from mizzen.base.reading import entries, part
from mizzen.base.resources import NODES
from mizzen.host.http1 import AnswerParser, BrokenAnswerError, Head, HttpConnection
from mizzen.host.mutual_tls import MutualTls
from mizzen.host.websocket import WebSocket, accept_of
from mizzen.store.store import ObjectKey, Store

CONNECT_S_MAX = 5.0
ANSWER_S_MAX = 30.0  # until the head of an answer is there
HEAD_BYTES_MAX = 64 << 10
REFUSAL_BYTES_MAX = 64 << 10
_BROKEN = (BrokenAnswerError, OSError, EOFError, TimeoutError, asyncio.LimitOverrunError)


class KubeletClient:
    """Asks the agents of nodes."""

    def __init__(self, store: Store, tls: MutualTls) -> None:
        self._store = store
        self._tls = tls
        self._context: ssl.SSLContext | None = None

    async def get(
        self, node: str, path: tuple[str, ...], params: Mapping[str, str], idle_s_max: float
    ) -> Pieces:
        """The answer's text as it comes, silent for `idle_s_max` at most.

        Errors: BadRequest and NotFound in the agent's words; Unavailable where it does not answer.
        """
        host, port = self._address(node)
        target = f"/{'/'.join(quote(each, safe='') for each in path)}?{urlencode(params)}"
        request = f"GET {target} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"
        connection: HttpConnection | None = None
        is_answered = False
        try:
            connection = await self._connect(host, port)
            head = await connection.begin(request.encode(), ANSWER_S_MAX)
            if head.status != 200:
                text = await connection.rest(ANSWER_S_MAX)
                raise _refused(node, head, text.decode(errors="replace"))
            is_answered = True
            return Pieces(node, connection, idle_s_max)
        except _BROKEN as error:
            raise _silent(node, host, port, error) from error
        finally:
            if connection is not None and not is_answered:
                connection.close()

    async def upgrade(
        self, node: str, path: tuple[str, ...], params: Sequence[tuple[str, str]], protocol: str
    ) -> WebSocket:
        """A websocket to the agent that speaks this subprotocol ("" for none).

        Errors: those of `get`, a failure of the agent's own in its words.
        """
        host, port = self._address(node)
        target = f"/{'/'.join(quote(each, safe='') for each in path)}?{urlencode(params)}"
        key = base64.b64encode(os.urandom(16)).decode()
        named = f"Sec-WebSocket-Protocol: {protocol}\r\n" if protocol else ""
        request = (
            f"GET {target} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: Upgrade\r\n"
            f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
            f"{named}\r\n"
        )
        writer: asyncio.StreamWriter | None = None
        is_open = False
        try:
            async with asyncio.timeout(CONNECT_S_MAX):
                reader, writer = await asyncio.open_connection(
                    host, port, ssl=self._client_context(), server_hostname=host,
                    limit=HEAD_BYTES_MAX,
                )  # fmt: skip
            async with asyncio.timeout(ANSWER_S_MAX):
                writer.write(request.encode())
                text = await reader.readuntil(b"\r\n\r\n")
                status, headers = _head_of(text)
                if status != 101:
                    raise _refused(node, *await _refusal(text, reader), is_own=True)
            if headers.get("sec-websocket-accept") != accept_of(key) or (
                headers.get("sec-websocket-protocol", "") != protocol
            ):
                raise BrokenAnswerError(
                    f"it opens another websocket than {protocol or 'asked for'}"
                )
            is_open = True
            return WebSocket(reader, writer, is_client=True, protocol=protocol)
        except _BROKEN as error:
            raise _silent(node, host, port, error) from error
        finally:
            if writer is not None and not is_open:
                writer.transport.abort()

    def site(self, node: str) -> tuple[str, int, ssl.SSLContext]:
        """Where the agent listens, and what it is shown. Errors: Unavailable."""
        return *self._address(node), self._client_context()

    async def reach(self, node: str) -> None:
        """Tries whether the agent can be connected to. Errors: Unavailable."""
        host, port = self._address(node)
        try:
            (await self._connect(host, port)).close()
        except _BROKEN as error:
            raise _silent(node, host, port, error) from error

    def _address(self, node: str) -> tuple[str, int]:
        stored = self._store.get(ObjectKey(NODES.plural, "", node))
        status = part(stored.object(), "status") if stored is not None else {}
        port = part(status, "daemonEndpoints", "kubeletEndpoint").get("Port")
        for entry in entries(status, "addresses"):
            if entry.get("type") == "InternalIP" and port:
                return str(entry["address"]), int(port)
        raise Unavailable(
            f'the agent of node "{node}" cannot be asked: the node does not say where it listens '
            "(status.addresses, status.daemonEndpoints)",
            retry_after_s=1,
        )

    async def _connect(self, host: str, port: int) -> HttpConnection:
        async with asyncio.timeout(CONNECT_S_MAX):
            _, connection = await asyncio.get_running_loop().create_connection(
                HttpConnection, host, port, ssl=self._client_context(), server_hostname=host
            )
        return connection

    def _client_context(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = self._tls.client_context()
        return self._context


class Pieces:
    """The body of an agent's answer. Errors: Unavailable where it breaks off."""

    def __init__(self, node: str, connection: HttpConnection, idle_s_max: float) -> None:
        self._node = node
        self._connection = connection
        self._idle_s_max = idle_s_max
        self._has_begun = False

    def __aiter__(self) -> Pieces:
        return self

    async def __anext__(self) -> bytes:
        if not self._has_begun:
            self._has_begun = True
            return b""  # the head leaves with the first piece
        try:
            piece = await self._connection.next_piece(self._idle_s_max)
        except _BROKEN as error:
            raise Unavailable(
                f'the answer of the agent of node "{self._node}" broke off: {error}'
            ) from error
        if not piece:
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        self._connection.close()


def _head_of(text: bytes) -> tuple[int, dict[str, str]]:
    """The status and headers by lower-case names. Errors: BrokenAnswerError."""
    first, *lines = text.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    if not version.startswith("HTTP/1.") or not rest[:3].isdigit():
        raise BrokenAnswerError("the answer is no HTTP/1.1")
    fields = (line.partition(":") for line in lines if line)
    return int(rest[:3]), {name.strip().lower(): value.strip() for name, _, value in fields}


async def _refusal(begun: bytes, reader: asyncio.StreamReader) -> tuple[Head, str]:
    """The whole answer of an agent that opens no websocket."""
    parser = AnswerParser()
    parser.feed(begun)
    size = 0
    while not parser.is_done and size < REFUSAL_BYTES_MAX:
        data = await reader.read(REFUSAL_BYTES_MAX)
        size += len(data)
        if not data:
            parser.end()
            break
        parser.feed(data)
    assert parser.head is not None, "it was read up to there"
    return parser.head, b"".join(parser.pieces).decode(errors="replace").strip()


def _silent(node: str, host: str, port: int, error: BaseException) -> Unavailable:
    what = str(error) or type(error).__name__
    return Unavailable(
        f'the agent of node "{node}" does not answer at {host}:{port}: {what}', retry_after_s=1
    )


def _refused(node: str, head: Head, text: str, *, is_own: bool = False) -> ApiError:
    if head.status == BadRequest.code:
        return BadRequest(text)
    if head.status == NotFound.code:
        return NotFound(text)
    if head.status == 429:
        return Unavailable(text, retry_after_s=1)
    if is_own and head.status == InternalError.code:
        return InternalError(text)
    return InternalError(f'the agent of node "{node}" answered {head.status}: {text}')
