"""The forwarder: listeners by the agent's table, a connection for each client."""

from __future__ import annotations

import contextlib
import errno
import json
import resource
import socket
from typing import Any

from mizzen.node.forwarder.connection import Connection
from mizzen.node.forwarder.datagrams import Datagrams
from mizzen.node.forwarder.loop import READ, WRITE, Loop
from mizzen.node.forwarder.table import LINE_BYTES_MAX, UDP, Balancer, Endpoint, Route

BACKLOG = 1024
LISTEN_AGAIN_S = 2.0  # where another process holds the port
_ACCEPTED_AT_ONCE = 64
_SPARE_FILES = 64
_FILES_PER_CONNECTION = 2
_READ_BYTES = 64 << 10
_FILES_WISHED = 1 << 16


class _Port:
    """One address and port that leads to endpoints."""

    def __init__(self, server: Server, route: Route) -> None:
        self.route = route
        self.balancer = Balancer(route.endpoints, route.affinity_s)
        self._server = server
        self._listener: socket.socket | None = None
        self._datagrams: Datagrams | None = None
        self._error: int | None = None

    def open(self) -> None:
        """Listens, or says why not and tries again later."""
        route, loop = self.route, self._server.loop
        try:
            if route.protocol == UDP:
                self._datagrams = Datagrams(loop, (route.address, route.port), self.balancer)
            else:
                self._listener = _listen(route.address, route.port)
        except OSError as error:
            self._report(error.errno or errno.EIO)
            loop.call_later(LISTEN_AGAIN_S, self._open_again)
            return
        self._report(0)
        self.accept(self._server.has_room)

    def _open_again(self) -> None:
        if self._server.ports.get(self.route.key) is self and not self.is_open:
            self.open()

    @property
    def is_open(self) -> bool:
        return self._listener is not None or self._datagrams is not None

    def accept(self, wanted: bool) -> None:
        """Whether new connections are taken; else they wait in the kernel."""
        if self._listener is not None:
            fd = self._listener.fileno()
            self._server.loop.watch(fd, READ if wanted else 0, self._on_client)

    def close(self) -> None:
        """Connections that there are go on."""
        if self._listener is not None:
            self._server.loop.forget(self._listener.fileno())
            self._listener.close()
            self._listener = None
        if self._datagrams is not None:
            self._datagrams.close()
            self._datagrams = None

    def _report(self, error: int) -> None:
        if error != self._error:
            self._error = error
            self._server.tell({"key": self.route.key, "error": error})

    def _on_client(self, events: int) -> None:
        for _ in range(_ACCEPTED_AT_ONCE):
            if self._listener is None or not self._server.has_room:
                return
            try:
                client, (address, *_) = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    self._server.pause()
                    return
                continue  # a client that left while it waited
            client.setblocking(False)
            self._server.join(self, client, str(address))


class Server:
    """Runs until the agent's end of `channel` is closed."""

    def __init__(self, channel: socket.socket) -> None:
        channel.setblocking(False)
        self.loop = Loop()
        self.ports: dict[str, _Port] = {}
        self._channel = channel
        self._heard = b""
        self._to_tell = b""
        self._connections: set[Connection] = set()
        self._connections_max = (_raise_file_limit() - _SPARE_FILES) // _FILES_PER_CONNECTION
        self._is_pausing = False

    def run(self) -> None:
        self._watch_channel()
        self.loop.run()

    @property
    def has_room(self) -> bool:
        return len(self._connections) < self._connections_max and not self._is_pausing

    def join(self, port: _Port, client: socket.socket, address: str) -> None:
        """Leads an accepted client on."""

        def chosen(endpoint: Endpoint) -> None:
            port.balancer.chosen(address, endpoint, self.loop.now())

        candidates = port.balancer.candidates(address, self.loop.now())
        connection = Connection(self.loop, client, candidates, chosen, self._on_end)
        self._connections.add(connection)
        if not self.has_room:
            self._accept(False)
        connection.start()

    def pause(self) -> None:
        """The machine lacks what a connection takes: none is accepted for a moment."""
        self._is_pausing = True
        self._accept(False)
        self.loop.call_later(0.1, self._go_on)

    def _go_on(self) -> None:
        self._is_pausing = False
        self._accept(self.has_room)

    def _on_end(self, connection: Connection) -> None:
        was_full = not self.has_room
        self._connections.discard(connection)
        if was_full and self.has_room:
            self._accept(True)

    def _accept(self, wanted: bool) -> None:
        for port in self.ports.values():
            port.accept(wanted)

    # -- the agent --------------------------------------------------------------------------------

    def tell(self, message: dict[str, Any]) -> None:
        self._to_tell += json.dumps(message).encode() + b"\n"
        self._watch_channel()

    def _watch_channel(self) -> None:
        interest = READ | (WRITE if self._to_tell else 0)
        self.loop.watch(self._channel.fileno(), interest, self._on_channel)

    def _on_channel(self, events: int) -> None:
        try:
            if events & WRITE and self._to_tell:
                sent = self._channel.send(self._to_tell)
                self._to_tell = self._to_tell[sent:]
                self._watch_channel()
            if events & ~WRITE:
                data = self._channel.recv(_READ_BYTES)
                if not data:
                    self.loop.stop()
                *lines, self._heard = (self._heard + data).split(b"\n")
                assert len(self._heard) <= LINE_BYTES_MAX, "the agent keeps to the bound"
                for line in lines:
                    self._route(json.loads(line))
        except BlockingIOError:
            pass
        except ConnectionError:
            self.loop.stop()

    def _route(self, said: dict[str, Any]) -> None:
        endpoints = tuple((str(a), int(p)) for a, p in said["endpoints"])
        route = Route(said["key"], said["address"], said["port"], said["protocol"], endpoints,
                      said["affinity_s"])  # fmt: skip
        port = self.ports.get(route.key)
        if port is not None and endpoints and port.route[:4] == route[:4]:
            port.route = route
            port.balancer.change(endpoints, route.affinity_s)
            return
        if port is not None:
            del self.ports[route.key]
            port.close()
        if endpoints:
            made = self.ports[route.key] = _Port(self, route)
            made.open()


def _listen(address: str, port: int) -> socket.socket:
    """Errors: OSError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _raise_file_limit() -> int:
    """The number of files that this process may have open, raised as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wished = _FILES_WISHED if hard == resource.RLIM_INFINITY else min(hard, _FILES_WISHED)
    if soft < wished:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wished, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
