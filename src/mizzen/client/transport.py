"""HTTP to one API server: bytes out, bytes or lines in, every failure an `ApiError`."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any, Literal

import aiohttp
import orjson
from aiohttp import hdrs

from mizzen.base.errors import ApiError, Unavailable, from_status
from mizzen.client.kubeconfig import Connection

REQUEST_TIMEOUT_S = 60.0
CONNECT_TIMEOUT_S = 10.0
STREAM_IDLE_S_MAX = 900.0  # a watch that is silent for longer is dead: servers send bookmarks
LINE_BYTES_MAX = 64 << 20
CONNECTIONS_MAX = 512
# The server's own idle timeout usually ends a connection first; ours only bounds the pool.
KEEPALIVE_S = 300.0
TOKEN_AGE_S_MAX = 60.0  # after which a token from a file is read again
_BROKEN = (
    aiohttp.ClientError,
    asyncio.TimeoutError,
    OSError,
)


class Transport:
    """A pool of keep-alive connections; created lazily, as aiohttp wants a running loop."""

    def __init__(self, connection: Connection, user_agent: str) -> None:
        self.connection = connection
        self.counts: Counter[str] = Counter()
        self._headers = {hdrs.USER_AGENT: user_agent, hdrs.ACCEPT: "application/json"}
        if connection.token:
            self._headers[hdrs.AUTHORIZATION] = f"Bearer {connection.token}"
        self._token_read_at_s = 0.0
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

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
        sent = dict(headers or {})
        if body is not None:
            sent[hdrs.CONTENT_TYPE] = content_type
        try:
            async with self._open().request(
                method,
                self.connection.server + path,
                params=params,
                data=body,
                headers=sent,
                server_hostname=self.connection.tls_server_name or None,
            ) as response:
                data = await response.read()
        except _BROKEN as error:
            raise self._unavailable(method, path, error) from error
        if response.status >= 400:
            raise self._refused(response.status, data, response.headers)
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
        self.counts["streams"] += 1
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=STREAM_IDLE_S_MAX
        )
        try:
            async with self._open().get(
                self.connection.server + path,
                params=params,
                headers=dict(headers or {}),
                timeout=timeout,
                server_hostname=self.connection.tls_server_name or None,
            ) as response:
                if response.status >= 400:
                    raise self._refused(response.status, await response.read(), response.headers)
                async with contextlib.aclosing(_split(response)) as parts:
                    async for line in parts:
                        yield line
        except _BROKEN as error:
            raise self._unavailable("GET", path, error) from error

    def _open(self) -> aiohttp.ClientSession:
        if self.connection.token_file:
            self._renew_token()
        if self._session is None:
            secure = self.connection.server.startswith("https://")
            context: Literal[True] | Any = self.connection.ssl_context() if secure else True
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=CONNECTIONS_MAX,
                    ssl=context,
                    keepalive_timeout=KEEPALIVE_S,
                    ttl_dns_cache=60,
                ),
                headers=self._headers,
                timeout=aiohttp.ClientTimeout(
                    total=REQUEST_TIMEOUT_S, sock_connect=CONNECT_TIMEOUT_S
                ),
                skip_auto_headers=(hdrs.CONTENT_TYPE,),
                trust_env=False,
            )
        return self._session

    def _renew_token(self) -> None:
        """Takes the token over that its file holds by now; a small file, once a minute."""
        now_s = asyncio.get_running_loop().time()
        if self._session is not None and now_s - self._token_read_at_s > TOKEN_AGE_S_MAX:
            token = self.connection.fresh_token()
            self._session.headers[hdrs.AUTHORIZATION] = f"Bearer {token}"
            self._token_read_at_s = now_s

    def _unavailable(self, method: str, path: str, error: BaseException) -> Unavailable:
        self.counts["unavailable"] += 1
        what = str(error) or type(error).__name__
        return Unavailable(f"{method} {path} at {self.connection.server}: {what}")

    def _refused(self, code: int, data: bytes, headers: Mapping[str, str]) -> ApiError:
        self.counts["refused"] += 1
        try:
            status: Any = orjson.loads(data)
        except orjson.JSONDecodeError:
            status = None
        if not isinstance(status, dict) or "message" not in status:
            text = data[:500].decode(errors="replace").strip()
            status = {"message": text or f"the server answered {code} without a message"}
        error = from_status(status, code)  # pyright: ignore[reportUnknownArgumentType]
        after = headers.get(hdrs.RETRY_AFTER, "")
        if not error.retry_after_s and after.isdigit():
            error.retry_after_s = int(after)
        return error


async def _split(response: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
    """Lines of any length: aiohttp's own `readline` refuses those beyond 128 KiB."""
    kept: list[bytes] = []
    size = 0
    async for data in _chunks(response):
        first, *rest = data.split(b"\n")
        kept.append(first)
        size += len(first)
        if size > LINE_BYTES_MAX:
            raise aiohttp.ClientPayloadError(f"a line exceeds {LINE_BYTES_MAX} bytes")
        for part in rest:
            line = b"".join(kept) if len(kept) > 1 else kept[0]
            if line:
                yield line
            kept, size = [part], len(part)
    if any(kept):
        yield b"".join(kept)


def _chunks(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    return response.content.iter_any()
