"""A port of its own for clients that show a certificate.

The HTTP server ends TLS in native threads and tells nobody which certificate a client has shown.
Here TLS ends in Python, which knows it; the bytes within go to a second HTTP server of the same
application over a UNIX socket, whose name tells which connection a request came by.
Why a port of its own: docs/decisions/0021-a-port-for-client-certificates.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

from mizzen.apiserver import connections
from mizzen.apiserver.asgi import Bridge, Scope
from mizzen.apiserver.core.client_certificate import ClientCertificate, client_certificate
from mizzen.apiserver.granian_server import HttpServer
from mizzen.apiserver.intake import Receive, Send
from mizzen.host.sockets import SocketFolder

LINKS_MAX = 1024
_HANDSHAKE_S = 10.0
_BUFFER_BYTES_MAX = 64 << 10
_SERVER = "http"
# Whose time is over is told so with 401, at each request; a handshake would say it once.
_NO_CHECK_TIME = ssl.VerifyFlags(0x200000)  # X509_V_FLAG_NO_CHECK_TIME of openssl/x509_vfy.h
_log = logging.getLogger(__name__)


class CertificatePort:
    """Listens from the start; nothing is answered before `serve`. Errors: OSError."""

    def __init__(
        self,
        bridge: Bridge,
        address: tuple[str, int],
        sockets: Path,
        context: ssl.SSLContext,
    ) -> None:
        self._bridge = bridge
        self._context = context
        self._folder = SocketFolder(sockets)
        self._links: dict[str, _Front] = {}  # by the name of its socket to the HTTP server
        self._names = itertools.count()
        host, port = address
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server(
            (host, port), family=family, backlog=connections.backlog()
        )
        self._is_wanted, self._is_ready = asyncio.Event(), asyncio.Event()

    async def serve(self, end_streams: Callable[[], Awaitable[None]]) -> None:
        """Runs until cancelled, as `HttpServer.serve`, which begins with the first client: most
        instances never have one."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: _Front(self), sock=self._listener, ssl=self._context,
            ssl_handshake_timeout=_HANDSHAKE_S,
        )  # fmt: skip
        try:
            await self._is_wanted.wait()
            self._folder.remove(_SERVER)
            http = HttpServer(self._answer, path=Path(self._folder.path(_SERVER)))
            await http.serve(self._is_ready.set, end_streams)
        finally:
            server.close()
            for link in list(self._links.values()):
                link.abort()
            self._folder.remove(_SERVER)
            self._folder.close()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The application of the second HTTP server: it knows no client but by its link."""
        link = self._links.get(scope["client"][0])
        if link is None:  # it has left, or this is none of ours
            return
        scope["client"], scope["scheme"] = link.client, "https"
        scope["certificate"] = link.certificate
        await self._bridge(scope, receive, send)

    async def add(self, link: _Front) -> socket.socket | None:
        """A connection to the HTTP server for it; None where there is no room."""
        if len(self._links) >= LINKS_MAX:
            return None
        self._is_wanted.set()
        await self._is_ready.wait()
        name = str(next(self._names))
        path = self._folder.path(name)
        back = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            back.setblocking(False)
            back.bind(path)
            back.connect(self._folder.path(_SERVER))
        except OSError as error:
            _log.warning("a connection with a certificate was refused: %s", error)
            back.close()
            return None
        finally:
            self._folder.remove(name)
        link.name = path
        self._links[path] = link
        return back

    def remove(self, link: _Front) -> None:
        self._links.pop(link.name, None)


class _End(asyncio.Protocol):
    """One side of a link: what comes in goes out at the other, no faster than that side takes it."""

    transport: asyncio.Transport
    other: _End | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(_BUFFER_BYTES_MAX)

    def data_received(self, data: bytes) -> None:
        assert self.other is not None, "nothing is read before the other side is there"
        self.other.transport.write(data)

    def pause_writing(self) -> None:
        if self.other is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None:
            with contextlib.suppress(RuntimeError):  # closing
                self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.other is not None:
            self.other.transport.close()
            self.other.other = None
            self.other = None


class _Front(_End):
    """The client's side. `certificate` is None where it showed none."""

    name = ""
    client: tuple[str, int] = ("", 0)
    certificate: ClientCertificate | None = None

    def __init__(self, port: CertificatePort) -> None:
        self._port = port
        self._linking: asyncio.Task[Any] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.pause_reading()
        self.client = self.transport.get_extra_info("peername")[:2]
        der = self.transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
        if der:
            try:
                self.certificate = client_certificate(der)
            except ValueError as error:
                _log.warning("the certificate of %s:%d is unreadable: %s", *self.client, error)
        self._linking = asyncio.get_running_loop().create_task(self._link())

    async def _link(self) -> None:
        back = await self._port.add(self)
        if back is None:
            self.abort()
            return
        loop = asyncio.get_running_loop()
        _, end = await loop.create_unix_connection(_End, sock=back)
        if self.transport.is_closing():
            self._port.remove(self)
            end.transport.close()
            return
        self.other, end.other = end, self
        self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._port.remove(self)
        super().connection_lost(exc)

    def abort(self) -> None:
        self.transport.abort()


def server_context(cert_file: Path, key_file: Path, ca_file: Path) -> ssl.SSLContext:
    """Asks clients for a certificate of this authority, and lets those in that have none.

    Errors: OSError, ssl.SSLError.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(ca_file))
    context.verify_mode = ssl.CERT_OPTIONAL
    context.verify_flags |= _NO_CHECK_TIME
    context.load_cert_chain(cert_file, key_file)
    context.set_alpn_protocols(["h2", "http/1.1"])
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0  # each connection shows its certificate
    return context
