"""An HTTP server (aiohttp's) with bounds, for clients that are not yet authenticated.

Whoever connects and says nothing is let go after `SILENT_S`, and at once where connections are all
in use: the one that has been idle longest makes room. One address may have three quarters of them;
beyond that it makes room for itself. A client that ends its half of a connection and waits for its
answer (curl, netcat, `shutdown(SHUT_WR)`) gets it; one that is gone is noticed. What is no HTTP is
refused in OpenAI's form; of what it said nothing reaches a log, for it may hold a key.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import cast

import orjson
from aiohttp import HttpVersion11, web
from aiohttp.web_request import BaseRequest

from mizzen.base.openai import OpenAIError

SILENT_S = 20.0  # for a request's head, and between two requests
UNREAD_S = 120.0  # a client that reads nothing of its answer for this long is gone
LINGER_S = 2.0  # for the rest of a body that nobody wants
CONNECTIONS_MAX = 16_384
BACKLOG = 1024
# A client that has left answers what it is sent with a reset. Sent while an answer is not there
# yet; clients pass over it, but those of HTTP/1.0 do not know it (RFC 9110, 15.2).
_ARE_YOU_THERE = b"HTTP/1.1 100 Continue\r\n\r\n"
_ASK_AFTER_S = (0.02, 0.2, 2.0)  # the last one again and again
_log = logging.getLogger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Door:
    """Listens for one application that it guards."""

    def __init__(self, connections_max: int = CONNECTIONS_MAX) -> None:
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        # A request needs a second descriptor, its connection to who answers it.
        self._max = max(16, min(connections_max, soft // 2 - 32))
        self._max_each = self._max - self._max // 4
        self._all: OrderedDict[Connection, None] = OrderedDict()  # idle ones, longest idle first
        self._idle_of: dict[str, OrderedDict[Connection, None]] = {}  # the same, by address
        self._count_of: Counter[str] = Counter()  # by address, whether idle or at work
        self._busy: set[Connection] = set()
        self._evicted = 0
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None

    def statistics(self) -> Mapping[str, int]:
        return {
            "connections": len(self._all) + len(self._busy),
            "busy": len(self._busy),
            "evicted": self._evicted,
        }

    def guard(
        self, app: web.Application, flows: Callable[[web.Request], bool] = lambda _: True
    ) -> None:
        """Has the application tell which connections have a request under way.

        `flows`: whether an answer that has begun goes on by itself, so that writing it shows soon
        enough whether the client is there; else a client that ends its half is taken for gone.
        """
        app.middlewares.insert(0, _attend)

        async def began(request: web.Request, _: web.StreamResponse) -> None:
            connection = request.protocol
            if isinstance(connection, Connection):
                connection.answer(flows(request))

        app.on_response_prepare.append(began)

    async def open(
        self, app: web.Application, listener: socket.socket, *, shutdown_s: float = 1.0
    ) -> None:
        """Serves `app` at a listening socket until `close`."""
        runner = self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=shutdown_s
        )
        await runner.setup()
        loop = asyncio.get_running_loop()
        listener.setblocking(False)

        def connection() -> Connection:
            assert runner.server is not None, "set up above"
            return Connection(self, runner.server, loop)

        # asyncio accepts `backlog` of them at a time: a flood must not drive out whoever came with
        # it before what they ask was read.
        at_a_time = min(BACKLOG, self._max // 16)
        self._server = await loop.create_server(connection, sock=listener, backlog=at_a_time)
        listener.listen(BACKLOG)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        if self._runner is not None:
            await self._runner.cleanup()

    # -- called by connections ----------------------------------------------------------

    def came(self, connection: Connection) -> None:
        address = connection.address
        idle: OrderedDict[Connection, None] | None = None
        if self._count_of[address] >= self._max_each:
            idle = self._idle_of.get(address)
        elif len(self._all) + len(self._busy) >= self._max:
            idle = self._all
        else:
            self._enter(connection)
            return
        self._evicted += 1
        # When all are at work, whoever comes last is the one who has to come again.
        leaver = next(iter(idle)) if idle else connection
        if leaver is not connection:
            self.left(leaver)
            self._enter(connection)
        leaver.drop()

    def works(self, connection: Connection) -> None:
        if connection in self._all:
            self._drop_idle(connection)
            self._busy.add(connection)

    def rests(self, connection: Connection) -> None:
        if connection in self._busy:
            self._busy.discard(connection)
            self._add_idle(connection)

    def left(self, connection: Connection) -> None:
        if connection in self._all:
            self._drop_idle(connection)
        elif connection in self._busy:
            self._busy.discard(connection)
        else:
            return  # it was never let in, or has left before
        self._count_of[connection.address] -= 1
        if not self._count_of[connection.address]:
            del self._count_of[connection.address]

    def _enter(self, connection: Connection) -> None:
        self._count_of[connection.address] += 1
        self._add_idle(connection)

    def _add_idle(self, connection: Connection) -> None:
        self._all[connection] = None
        self._idle_of.setdefault(connection.address, OrderedDict())[connection] = None

    def _drop_idle(self, connection: Connection) -> None:
        del self._all[connection]
        idle = self._idle_of[connection.address]
        del idle[connection]
        if not idle:
            del self._idle_of[connection.address]


class Connection(web.RequestHandler):
    """One client's connection."""

    __slots__ = (
        "_answering",
        "_askable",
        "_asked",
        "_begun",
        "_door",
        "_ended",
        "_heard",
        "_line",
        "_loop_",
        "_stays",
        "_timer",
        "_unread",
        "address",
    )

    def __init__(self, door: Door, server: web.Server, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            server,  # pyright: ignore[reportArgumentType]
            loop=loop,
            access_log=None,  # pyright: ignore[reportArgumentType]
            keepalive_timeout=SILENT_S,
            lingering_time=LINGER_S,
            # Bytes stay what they are: what is passed on has the length and coding that it says.
            auto_decompress=False,
        )
        self._door = door
        self._loop_ = loop
        self._heard = False  # a request that was not dealt with yet
        self._begun = False  # it is being dealt with
        self._askable = False
        self._answering = False
        self._stays = True
        self._ended = False
        self._asked = 0
        self._timer: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._line: asyncio.Transport | None = None
        self.address = ""  # of the client; none where it came by a socket in a folder

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        # Whatever waits for the client to read is watched, however little: a transport that is
        # closed keeps its descriptor until all of it was read.
        self._line = cast(asyncio.Transport, transport)
        self._line.set_write_buffer_limits(0)
        peer: object = transport.get_extra_info("peername")
        self.address = str(cast("tuple[object, ...]", peer)[0]) if isinstance(peer, tuple) else ""
        self._door.came(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._door.left(self)
        self._line = None
        for timer in (self._timer, self._unread):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._heard = self._heard or bool(self._messages)

    def begin(self, request: BaseRequest) -> None:
        """A request is under way."""
        self._begun = True
        self._askable = request.version >= HttpVersion11
        self._answering = False
        self._door.works(self)
        if self._ended:
            self._ask()

    def answer(self, flows: bool) -> None:
        """The answer's head is about to be sent."""
        self._answering = True
        self._stays = flows

    def end(self) -> None:
        """The request was dealt with."""
        self._begun = False
        self._heard = bool(self._messages)  # several may have been sent at once
        self._door.rests(self)
        if self._ended and not self._heard:
            self.close()  # once the answer is out; nothing can follow

    def eof_received(self) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The client sends no more; True keeps the other half open while it has a request."""
        transport = self.transport
        if not self._heard or transport is None or (self._answering and not self._stays):
            return False
        self._ended = True
        self._ask()
        return True

    def drop(self) -> None:
        """Ends the connection at once; what the client has not read is lost."""
        self.force_close()
        if self._line is not None:
            self._line.abort()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._wait_for_reading()

    def resume_writing(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        super().resume_writing()

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The HTTP server's own refusals, and bugs, in OpenAI's form."""
        if status >= 500:
            _log.error("a bug: %s %s", request.method, request.raw_path, exc_info=exc)
            error = OpenAIError(status, "the server met a bug of its own; its log has the details")
        else:
            kind = type(exc).__name__
            _log.info("request from %s refused: %s", request.remote, kind)
            error = OpenAIError(status, f"this is not a request of HTTP/1.1 ({kind})")
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun: it cannot become an error")
        response = web.Response(
            body=orjson.dumps(error.body()), status=status, content_type="application/json"
        )
        response.force_close()
        return response

    def log_exception(self, *args: object, **kw: object) -> None:
        """Logs nothing for a body unlike its head: the sender's fault, already answered."""
        if not isinstance(kw.get("exc_info"), web.RequestPayloadError):
            super().log_exception(*args, **kw)

    def _wait_for_reading(self) -> None:
        left = self._line.get_write_buffer_size() if self._line is not None else 0
        self._unread = self._loop_.call_later(UNREAD_S, self._look_at_reading, left)

    def _look_at_reading(self, before: int) -> None:
        """Keeps connections that read slowly: sending the whole of an answer may take long."""
        if self._line is not None and self._line.get_write_buffer_size() < before:
            self._wait_for_reading()
        else:
            self.drop()

    def _ask(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if not self._begun or not self._askable or self._answering or self.transport is None:
            return
        self.transport.write(_ARE_YOU_THERE)
        after_s = _ASK_AFTER_S[min(self._asked, len(_ASK_AFTER_S) - 1)]
        self._asked += 1
        self._timer = self._loop_.call_later(after_s, self._ask)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Errors: OSError that names the address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise OSError(f"{host}:{port} cannot be listened on: {error.strerror}") from error
    return listener


@web.middleware
async def _attend(request: web.Request, handler: Handler) -> web.StreamResponse:
    connection = request.protocol
    if not isinstance(connection, Connection):
        return await handler(request)
    connection.begin(request)
    try:
        return await handler(request)
    finally:
        connection.end()
