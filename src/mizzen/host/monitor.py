"""What a process tells whoever watches over it: /metrics, /healthz, /livez and /readyz.

That it answers says that its loop turns; whether it is ready says whoever runs it. Answers come
from the loop itself, so that what hangs is silent, as a probe should find it.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable

from mizzen.base.errors import NotFound, Unavailable
from mizzen.base.exposition import CONTENT_TYPE, MetricsRegistry
from mizzen.host.get_server import Get, GetServer
from mizzen.host.process_metrics import collect_process

BACKLOG = 16
HEALTH_PATHS = ("/healthz", "/livez", "/readyz")
CONNECTIONS_MAX = 32  # scrapers and probes are few
# Lets a request for metrics in. Errors: ApiError.
Admit = Callable[[Get], Awaitable[None]]


async def admit_all(request: Get) -> None:
    """For sockets that nobody else can reach."""


class Monitor:
    """Of one process. Health is told to whoever asks, metrics to those who are let in."""

    def __init__(self, admit: Admit = admit_all) -> None:
        self.metrics = MetricsRegistry(collect_process)
        self.is_ready = False
        self._admit = admit
        self._server = GetServer(self._answer, CONTENT_TYPE, CONNECTIONS_MAX)
        self.close = self._server.close

    async def open(self, listener: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Answers at a socket that is bound, until `close`."""
        await self._server.open(listener, tls)

    async def _answer(self, request: Get) -> AsyncGenerator[bytes, None]:
        """Errors: ApiError."""
        if request.path == "/metrics":
            await self._admit(request)
            return _text(self.metrics.render())
        if request.path not in HEALTH_PATHS:
            served = ", ".join(("/metrics", *HEALTH_PATHS))
            raise NotFound(f"{request.path} is not served here: {served} are")
        if request.path == "/readyz" and not self.is_ready:
            raise Unavailable("it is starting: it does not know yet all there is")
        return _text("ok")


async def _text(text: str) -> AsyncGenerator[bytes, None]:
    yield text.encode()
