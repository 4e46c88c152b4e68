# pyright: basic
"""Granian's embedded server: TLS and HTTP/1.1 and 2 in native threads, ASGI in our loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from granian.constants import Interfaces
from granian.http import HTTP1Settings, HTTP2Settings
from granian.server.embed import Server as Embedded

from mizzen.apiserver import connections

_HEAD_MS_MAX = 30_000  # also how long a connection of HTTP/1.1 may be idle
# What a connection may hold of heads and bodies that nobody has read yet.
_BUFFER_BYTES_MAX = 64 << 10
_PING_MS = 30_000  # dead peers of HTTP/2 are found by it
_STOP_S = 2.0
_START_TRIES = 2500
_START_TRY_S = 0.002


class HttpServer:
    """Serves one ASGI application until it is stopped."""

    def __init__(
        self,
        app: Any,
        host: str = "",
        port: int = 0,
        cert_file: Path | None = None,
        key_file: Path | None = None,
        *,
        path: Path | None = None,
    ) -> None:
        """Listens on an address, with TLS, or on the UNIX socket `path`, in plain HTTP."""
        if path is None:
            check_free(host, port)
        self._host, self._port, self._path = host, port, path
        self._embedded = Embedded(
            app,
            host,
            port,
            uds=path,
            interface=Interfaces.ASGINL,
            ssl_cert=cert_file,
            ssl_key=key_file,
            backlog=connections.backlog(),
            backpressure=connections.connections_max(),
            http1_settings=HTTP1Settings(
                header_read_timeout=_HEAD_MS_MAX, max_buffer_size=_BUFFER_BYTES_MAX
            ),
            http2_settings=HTTP2Settings(
                initial_connection_window_size=2 * _BUFFER_BYTES_MAX,
                initial_stream_window_size=_BUFFER_BYTES_MAX,
                keep_alive_interval=_PING_MS,
                max_headers_size=_BUFFER_BYTES_MAX,
            ),
            log_enabled=False,
        )
        self._embedded.bind_uds = path  # as it is: resolved, it may be longer than a name may be

    async def serve(
        self, on_listening: Callable[[], None], end_streams: Callable[[], Awaitable[None]]
    ) -> None:
        """Runs until cancelled; `end_streams` then lets open answers finish. Errors: RuntimeError when the server ends by itself."""
        task = asyncio.create_task(self._embedded.serve())
        try:
            await self._wait_until_listening(task)
            on_listening()
            await asyncio.shield(task)
            raise RuntimeError("the HTTP server ended by itself")
        finally:
            await end_streams()
            self._embedded.stop()
            # Open connections would hold it up for ever; whoever is left is cut off.
            await asyncio.wait([task], timeout=_STOP_S)
            if not task.done():
                task.cancel()

    async def _wait_until_listening(self, task: asyncio.Task[None]) -> None:
        """The native threads listen a little later than `serve` returns to the loop."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._host, self._host)
        for _ in range(_START_TRIES):
            if task.done():
                task.result()
            try:
                if self._path is not None:
                    _, writer = await asyncio.open_unix_connection(self._path)
                else:
                    _, writer = await asyncio.open_connection(host, self._port)
            except OSError:
                await asyncio.sleep(_START_TRY_S)
                continue
            writer.close()
            return
        raise RuntimeError(
            f"the HTTP server does not answer on {self._path or f'{host}:{self._port}'}"
        )


def check_free(host: str, port: int) -> None:
    """Errors: OSError saying which address is taken; the native server would only panic."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise OSError(
                error.errno, f"cannot listen on {host}:{port}: {error.strerror}"
            ) from error
