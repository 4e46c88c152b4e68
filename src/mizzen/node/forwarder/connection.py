"""One client's connection, joined to one endpoint's; a refusal by one goes on to the next."""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
from collections.abc import Callable, Iterator

from mizzen.node.forwarder.loop import READ, WRITE, Loop
from mizzen.node.forwarder.table import Endpoint

READ_BYTES = 256 << 10  # held per direction at most, while its receiver is slow
_READS_AT_ONCE = 4  # before others have their turn
_CONNECT_TRIES = 2  # TCP_SYNCNT: an endpoint that is silent is passed over after 7 s
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close says that the rest is lost
_buffer = memoryview(bytearray(READ_BYTES))  # the process has one thread


class _Way:
    """One direction. `pending` was read and not yet written; nothing more is read meanwhile."""

    __slots__ = ("has_ended", "is_shut", "pending", "sink", "source")

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self.source = source
        self.sink = sink
        self.pending: memoryview | None = None
        self.has_ended = False  # the source has said all
        self.is_shut = False  # and the sink knows


class Connection:
    """From an accepted client to the end of both directions; `on_end` is called once."""

    def __init__(
        self,
        loop: Loop,
        client: socket.socket,
        candidates: Iterator[Endpoint],
        on_choice: Callable[[Endpoint], None],
        on_end: Callable[[Connection], None],
    ) -> None:
        self._loop = loop
        self._client = client
        self._candidates = candidates
        self._on_choice = on_choice
        self._on_end = on_end
        self._server: socket.socket | None = None
        self._endpoint: Endpoint = ("", 0)
        self._ways: tuple[_Way, _Way] | None = None

    def start(self) -> None:
        """Tries the candidates until one accepts; without any the client is reset."""
        for endpoint in self._candidates:
            self._endpoint = endpoint
            server = socket.socket(
                socket.AF_INET6 if ":" in endpoint[0] else socket.AF_INET,
                socket.SOCK_STREAM | socket.SOCK_NONBLOCK,
            )
            self._server = server
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, _CONNECT_TRIES)
            code = server.connect_ex(endpoint)
            if code == 0:
                self._join()
                return
            if code == errno.EINPROGRESS:
                self._loop.watch(server.fileno(), WRITE, self._on_connect)
                return
            self._drop_server()
        self._end(reset=True)

    def _on_connect(self, events: int) -> None:
        assert self._server is not None
        self._loop.forget(self._server.fileno())
        if self._server.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._drop_server()
            self.start()
        else:
            self._join()

    def _drop_server(self) -> None:
        if self._server is not None:
            self._loop.forget(self._server.fileno())
            self._server.close()
            self._server = None

    def _join(self) -> None:
        client, server = self._client, self._server
        assert server is not None
        self._on_choice(self._endpoint)
        for each in (client, server):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._ways = (_Way(client, server), _Way(server, client))
        self._pump(self._ways[0])  # what the client has sent already

    def _on_client(self, events: int) -> None:
        assert self._ways is not None
        there, back = self._ways
        self._on_event(events, there, back)

    def _on_server(self, events: int) -> None:
        assert self._ways is not None
        there, back = self._ways
        self._on_event(events, back, there)

    def _on_event(self, events: int, reading: _Way, writing: _Way) -> None:
        if events & WRITE and writing.pending is not None and not self._pump(writing):
            return
        if events & ~WRITE and reading.pending is None and not reading.has_ended:
            self._pump(reading)

    def _pump(self, way: _Way) -> bool:
        """Moves what is there; False once the connection has ended."""
        try:
            self._move(way)
        except BlockingIOError:
            pass
        except OSError:  # reset by one of them: the other learns it
            self._end(reset=True)
            return False
        assert self._ways is not None
        if all(each.is_shut for each in self._ways):
            self._end()
            return False
        self._watch()
        return True

    def _move(self, way: _Way) -> None:
        """Errors: BlockingIOError once nothing moves; OSError where one side is gone."""
        if way.pending is not None:
            sent = way.sink.send(way.pending)
            way.pending = way.pending[sent:] if sent < len(way.pending) else None
        for _ in range(_READS_AT_ONCE):
            if way.pending is not None or way.has_ended:
                break
            size = way.source.recv_into(_buffer)
            if not size:
                way.has_ended = True
                break
            try:
                sent = way.sink.send(_buffer[:size])
            except BlockingIOError:
                sent = 0
            if sent < size:
                way.pending = memoryview(bytes(_buffer[sent:size]))
        if way.has_ended and way.pending is None and not way.is_shut:
            way.is_shut = True
            way.sink.shutdown(socket.SHUT_WR)

    def _watch(self) -> None:
        assert self._ways is not None
        there, back = self._ways
        for out, into, handler in (
            (there, back, self._on_client), (back, there, self._on_server),
        ):  # fmt: skip
            interest = 0 if out.pending is not None or out.has_ended else READ
            interest |= WRITE if into.pending is not None else 0
            self._loop.watch(out.source.fileno(), interest, handler)

    def _end(self, *, reset: bool = False) -> None:
        for each in (self._client, self._server):
            if each is None:
                continue
            self._loop.forget(each.fileno())
            if reset:
                with contextlib.suppress(OSError):
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            each.close()
        self._server = None
        self._on_end(self)
