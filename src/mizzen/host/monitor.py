"""The endpoints by which a process is monitored: /metrics, /healthz, /livez and /readyz.

That it answers says that its loop turns; whether it is ready says whoever runs it. Answers come
from the loop itself, so that what hangs is silent, as a probe should find it.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable

from mizzen.base.errors import NotFound, TooManyRequests, Unavailable
from mizzen.base.exposition import CONTENT_TYPE, MetricsRegistry
from mizzen.host.get_server import Get, GetServer
from mizzen.host.process_metrics import collect_process

BACKLOG = 16
HEALTH_PATHS = ("/healthz", "/livez", "/readyz")
SCRAPES_MAX = 16  # at a time: strangers who wait to be let in keep no probe from its answer
# Lets a request for metrics in. Errors: ApiError.
Admit = Callable[[Get], Awaitable[None]]


async def admit_all(request: Get) -> None:
    """Admits every request: for sockets that no other user can reach."""


class Monitor:
    """The endpoints of one process. Health is open to all, metrics to admitted clients."""

    def __init__(self, admit: Admit = admit_all) -> None:
        self.metrics = MetricsRegistry(collect_process)
        self.is_ready = False
        self._admit = admit
        self._scrapes = 0
        self._server = GetServer(self._answer, CONTENT_TYPE)
        self.close = self._server.close

    async def open(self, listener: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Answers at a socket that is bound, until `close`."""
        await self._server.open(listener, tls)

    async def _answer(self, request: Get) -> AsyncGenerator[bytes, None]:
        """Errors: ApiError."""
        if request.path == "/metrics":
            return _text(await self._page(request))
        if request.path not in HEALTH_PATHS:
            served = ", ".join(("/metrics", *HEALTH_PATHS))
            raise NotFound(f"{request.path} is not served here: {served} are")
        if request.path == "/readyz" and not self.is_ready:
            raise Unavailable("it is starting: it does not know yet all there is")
        return _text("ok")

    async def _page(self, request: Get) -> str:
        """Errors: ApiError."""
        if self._scrapes >= SCRAPES_MAX:
            raise TooManyRequests(
                f"{self._scrapes} requests for metrics are under way, of at most {SCRAPES_MAX}: "
                "try again",
                retry_after_s=1,
            )
        self._scrapes += 1
        try:
            await self._admit(request)
            return self.metrics.render()
        finally:
            self._scrapes -= 1


async def _text(text: str) -> AsyncGenerator[bytes, None]:
    yield text.encode()
