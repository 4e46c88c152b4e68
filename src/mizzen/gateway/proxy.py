"""Carries one request to a replica and its answer back, as it comes.

A replica that fails before the first byte of its answer costs the client nothing: generating
has no side effect, so another replica is asked. After the first byte the stream is broken, and
the client is told so by an error event; it never sees a silent end.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import orjson
from aiohttp import web

from mizzen.base.openai import OpenAIError
from mizzen.gateway.connections import Connections, check_listener
from mizzen.gateway.core.forwarding import REQUEST_HEADER
from mizzen.gateway.core.picker import RequestContext
from mizzen.gateway.pool import Pool, Replica
from mizzen.host.logs import about

log = logging.getLogger(__name__)
ATTEMPTS_MAX = 4  # replicas asked for one request
BREAKS_MAX = 2  # of those, what it was on when they broke: it may be what broke them
REPLICA_HEADER = "x-mizzen-replica"
_UNREACHED = (
    aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, ConnectionRefusedError,
)  # fmt: skip
_BROKEN = (aiohttp.ClientError, ConnectionError, asyncio.TimeoutError)


class ReplicaFailed(Exception):
    """The replica gave no usable answer, and nothing was sent to the client yet.

    `broke`: it had the request, and did not refuse it.
    """

    def __init__(self, replica: Replica, said: str, *, broke: bool) -> None:
        super().__init__(f"{replica.address.pod} {said}")
        self.broke = broke


@dataclass(frozen=True, slots=True)
class OutboundRequest:
    """A request to an engine: `body` is JSON; `on_first_byte` is called at most once."""

    path: str
    body: bytes
    context: RequestContext
    streams: bool
    on_first_byte: Callable[[], None]


class Proxy:
    """Asks replicas over their connections."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self.retries = 0

    async def forward(
        self, request: web.Request, pool: Pool, outbound: OutboundRequest
    ) -> web.StreamResponse:
        """The answer of some replica. Errors: OpenAIError."""
        failed: set[str] = set()
        reason, breaks = "", 0
        for _ in range(ATTEMPTS_MAX):
            assignment = await pool.acquire(outbound.context, frozenset(failed))
            replica = assignment.primary
            is_suspect = False
            try:
                return await self._ask(request, replica, outbound)
            except ReplicaFailed as error:
                is_suspect = True
                breaks += error.broke
                failed.add(replica.address.pod)
                reason = str(error)
                self.retries += 1
                log.warning("%s", error, extra=about(request=outbound.context.id))
            finally:
                pool.release(assignment, failed=is_suspect)
            if breaks >= BREAKS_MAX:
                break
        raise OpenAIError(
            502,
            f'model "{pool.endpoint.served}": {len(failed)} replicas failed, the last: {reason}',
            code="replica_failed",
        )

    async def _ask(
        self, request: web.Request, replica: Replica, outbound: OutboundRequest
    ) -> web.StreamResponse:
        async with self._open(replica, outbound) as upstream:
            try:
                if outbound.streams and upstream.status == 200:
                    first = await upstream.content.readany()
                else:
                    first = await upstream.read()
            except _BROKEN as error:
                raise _failure(replica, error) from error
            if upstream.status in (502, 503):
                raise ReplicaFailed(replica, f"answered {upstream.status}", broke=False)
            streams = outbound.streams and upstream.status == 200
            if streams and not first:
                raise ReplicaFailed(replica, "ended its stream before it began", broke=True)
            outbound.on_first_byte()
            headers = {
                "Content-Type": upstream.headers.get("Content-Type", "application/json"),
                REPLICA_HEADER: replica.address.pod,
                REQUEST_HEADER: outbound.context.id,
            }
            if "Retry-After" in upstream.headers:
                headers["Retry-After"] = upstream.headers["Retry-After"]
            if not streams:
                return web.Response(body=first, status=upstream.status, headers=headers)
            headers |= {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
            response = web.StreamResponse(headers=headers)
            await response.prepare(request)
            await self._relay(upstream, response, first, replica)
            return response

    async def _relay(
        self,
        upstream: aiohttp.ClientResponse,
        response: web.StreamResponse,
        first: bytes,
        replica: Replica,
    ) -> None:
        """Passes whole events on as they come; a broken stream ends with an error event."""
        held, chunk = b"", first
        while chunk:
            whole, held = _whole_events(held + chunk)
            if whole:
                await response.write(whole)
            try:
                chunk = await upstream.content.readany()
            except _BROKEN as error:
                await response.write(_stream_error(replica, str(error) or type(error).__name__))
                return
        if held:
            await response.write(held)

    @asynccontextmanager
    async def _open(
        self, replica: Replica, outbound: OutboundRequest
    ) -> AsyncGenerator[aiohttp.ClientResponse, None]:
        """Sends the request. On leaving early the connection is closed, which the engine takes
        as the client's leaving and frees the slot."""
        headers = {"Content-Type": "application/json", REQUEST_HEADER: outbound.context.id}
        async with self._connections.to(replica.address) as session:
            try:
                check_listener(replica.address)
                upstream = await session.post(outbound.path, data=outbound.body, headers=headers)
            except _BROKEN as error:
                raise _failure(replica, error) from error
            try:
                yield upstream
            finally:
                if upstream.content.is_eof():
                    upstream.release()
                else:
                    upstream.close()


def _failure(replica: Replica, error: Exception) -> ReplicaFailed:
    said = str(error) or type(error).__name__
    return ReplicaFailed(replica, f"failed: {said}", broke=not isinstance(error, _UNREACHED))


def _whole_events(data: bytes) -> tuple[bytes, bytes]:
    """Server-sent events that ended, and the beginning of the next."""
    end = data.rfind(b"\n\n") + 2
    return (data[:end], data[end:]) if end > 1 else (b"", data)


def _stream_error(replica: Replica, said: str) -> bytes:
    error = OpenAIError(
        502,
        f"{replica.address.pod} broke off in the middle of its answer ({said}); send it again",
        code="replica_failed",
    )
    return b"data: " + orjson.dumps(error.body()) + b"\n\n"
