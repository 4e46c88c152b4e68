"""The one road to nodes: HTTPS to the agent's own API, at the address that its Node tells.

Both sides show certificates of the instance's own authority, so whoever else listens there is
asked nothing. What agents answer is the kubelet's: text, and the status of HTTP.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from urllib.parse import quote, urlencode

from mizzen.base.errors import ApiError, BadRequest, InternalError, NotFound, Unavailable
from mizzen.base.reading import entries, part
from mizzen.base.resources import NODES
from mizzen.host.http1 import BrokenAnswerError, Head, HttpConnection
from mizzen.host.mutual_tls import MutualTls
from mizzen.store.store import ObjectKey, Store

CONNECT_S_MAX = 5.0
ANSWER_S_MAX = 30.0  # until the head of an answer is there
_BROKEN = (BrokenAnswerError, OSError, TimeoutError)


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
            what = str(error) or type(error).__name__
            raise Unavailable(
                f'the agent of node "{node}" does not answer at {host}:{port}: {what}',
                retry_after_s=1,
            ) from error
        finally:
            if connection is not None and not is_answered:
                connection.close()

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
        if self._context is None:
            self._context = self._tls.client_context()
        async with asyncio.timeout(CONNECT_S_MAX):
            _, connection = await asyncio.get_running_loop().create_connection(
                HttpConnection, host, port, ssl=self._context, server_hostname=host
            )
        return connection


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


def _refused(node: str, head: Head, text: str) -> ApiError:
    if head.status == BadRequest.code:
        return BadRequest(text)
    if head.status == NotFound.code:
        return NotFound(text)
    if head.status == 429:
        return Unavailable(text, retry_after_s=1)
    return InternalError(f'the agent of node "{node}" answered {head.status}: {text}')
