"""Carries requests for Services to their pods, as they come, in both directions.

A pod that cannot be reached costs the client nothing while there is another: nothing was sent to
it yet. Once a request is on its way it is never repeated, for it may have had its effect.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from mizzen.base.objects import Key, Obj
from mizzen.gateway.connections import stranger_behind
from mizzen.gateway.core import forwarding
from mizzen.gateway.core.services import Backend, Route, ServiceError, in_turn, parse, resolve
from mizzen.gateway.request_ids import REQUEST_ID

ATTEMPTS_MAX = 3  # pods tried for one request
CONNECT_S = 2.0
BODY_SILENCE_S = 60.0  # a client that sends nothing of its body for this long
SILENCE_S = 600.0  # a pod that says nothing for this long is taken for dead
_OWN_WORDS = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")  # the client says these


class ServiceProxy:
    """Reads the informers' caches; what it makes of them it keeps until something changes.

    `pods_of(service)` are the pods that its selector matches, others may be among them; of changes
    of what it gave `on_change` hears.
    """

    def __init__(
        self,
        services: Mapping[Key, Obj],
        pods_of: Callable[[Obj], Awaitable[Iterable[Obj]]],
    ) -> None:
        self._services = services
        self._pods_of = pods_of
        self._resolved: dict[tuple[Key, str], tuple[Backend, ...]] = {}
        self._turns: Counter[Key] = Counter()
        self._answered: Counter[tuple[str, int]] = Counter()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=15, use_dns_cache=False),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=SILENCE_S),
            auto_decompress=False,
        )

    async def close(self) -> None:
        await self._session.close()

    def answered(self) -> Mapping[tuple[str, int], int]:
        """Answered requests by Service ("namespace/name") and status."""
        return self._answered

    def on_change(self, kind: str, old: Obj | None, new: Obj) -> None:
        """An informer's handler, for Services and pods alike."""
        self._resolved.clear()
        if kind == "DELETED":
            self._turns.clear()
            known = {str(key) for key in self._services}
            for mark in [mark for mark in self._answered if mark[0] not in known]:
                del self._answered[mark]

    async def forward(self, request: web.Request) -> web.StreamResponse:
        """The answer of some pod. Errors: ServiceError, before anything was sent to the client."""
        if "Upgrade" in request.headers:
            raise ServiceError(
                501, "the gateway passes HTTP on, but no upgrades such as websockets",
                code="upgrade_refused",
            )  # fmt: skip
        route = parse(request.rel_url.raw_path)
        status = 499  # what nginx logs for a client that left; nobody reads it
        try:
            response = await self._forward(request, route)
            status = response.status
            return response
        except ServiceError as error:
            status = error.status
            raise
        finally:
            if route.key in self._services:  # any other name would let clients grow the counts
                self._answered[(str(route.key), status)] += 1

    async def _forward(self, request: web.Request, route: Route) -> web.StreamResponse:
        reason, upload = "", _Upload(request)
        for backend in (await self._backends(route))[:ATTEMPTS_MAX]:
            if stranger := stranger_behind(backend.url):
                reason = f"{backend.pod}: {stranger}"
                continue
            try:
                upstream = await self._send(request, route, backend, upload)
            except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
                reason = f"{backend.pod} at {backend.url}: {error}"
                continue
            except (TimeoutError, aiohttp.ClientError, ConnectionError) as error:
                if upload.fault is not None:
                    raise upload.fault from error
                reason = f"{backend.pod} at {backend.url}: {str(error) or type(error).__name__}"
                break
            try:
                if upstream.status == 101:  # nobody asked: an upgrade is refused above
                    reason = f"{backend.pod} at {backend.url} switches protocols unasked"
                    break
                return await self._relay(request, route, backend, upstream)
            finally:
                if upstream.content.is_eof():
                    upstream.release()
                else:
                    upstream.close()
        raise ServiceError(502, f'Service "{route.key}": {reason}', code="pod_failed")

    async def _backends(self, route: Route) -> list[Backend]:
        mark = (route.key, route.port)
        found = self._resolved.get(mark)
        if found is None:
            service = self._services.get(route.key)
            selects = service is not None and service["spec"].get("selector")
            pods = await self._pods_of(service) if service is not None and selects else ()
            found = resolve(route, self._services.get(route.key), pods)
            self._resolved[mark] = found
        self._turns[route.key] += 1
        return in_turn(found, self._turns[route.key])

    async def _send(
        self, request: web.Request, route: Route, backend: Backend, upload: _Upload
    ) -> aiohttp.ClientResponse:
        headers = forwarding.to_backend(
            request.headers.items(),
            peer=request.remote or "",
            host=request.host,
            prefix=route.prefix,
            request_id=REQUEST_ID.get(),
        )
        query = request.rel_url.raw_query_string
        return await self._session.request(
            request.method,
            URL(backend.url + route.path + (f"?{query}" if query else ""), encoded=True),
            headers=CIMultiDict(headers),
            data=upload.pieces() if request.body_exists else None,
            allow_redirects=False,
            skip_auto_headers=_OWN_WORDS,
        )

    async def _relay(
        self,
        request: web.Request,
        route: Route,
        backend: Backend,
        upstream: aiohttp.ClientResponse,
    ) -> web.StreamResponse:
        headers = forwarding.to_client(
            upstream.headers.items(), backend=backend.url, prefix=route.prefix
        )
        response = web.StreamResponse(
            status=upstream.status, reason=upstream.reason, headers=CIMultiDict(headers)
        )
        await response.prepare(request)
        try:
            while chunk := await upstream.content.readany():
                await response.write(chunk)
        except (TimeoutError, aiohttp.ClientError):
            if request.transport is not None:  # half an answer must not look like a whole one
                request.transport.abort()
            return response
        await response.write_eof()
        return response


class _Upload:
    """The client's body as it comes; `fault` is what was wrong with it, which no pod is to blame
    for."""

    def __init__(self, request: web.Request) -> None:
        self._content = request.content
        self.fault: ServiceError | None = None

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        while chunk := await self._next():
            yield chunk

    async def _next(self) -> bytes:
        try:
            async with asyncio.timeout(BODY_SILENCE_S):
                return await self._content.readany()
        except TimeoutError:
            said = f"the request's body did not go on for {BODY_SILENCE_S:g} s"
            self.fault = ServiceError(408, said)
            raise
