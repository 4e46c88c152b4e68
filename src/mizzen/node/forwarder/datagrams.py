"""UDP: each client's datagrams go to one endpoint, and its answers back, while the flow lives."""

from __future__ import annotations

import socket
from functools import partial
from typing import Any

from mizzen.node.forwarder.loop import READ, Loop
from mizzen.node.forwarder.table import Balancer

FLOW_IDLE_S = 60.0
FLOWS_MAX = 4096  # of one port; the longest idle gives way
_DATAGRAM_BYTES_MAX = 65_535
_AT_ONCE = 64

Address = tuple[Any, ...]


class Datagrams:
    """One address and port. Errors: OSError where it cannot be had."""

    def __init__(self, loop: Loop, address: tuple[str, int], balancer: Balancer) -> None:
        self._loop = loop
        self._balancer = balancer
        self._flows: dict[Address, tuple[socket.socket, float]] = {}  # oldest use first
        self._socket = _bound(address)
        self._is_open = True
        loop.watch(self._socket.fileno(), READ, self._on_client)
        loop.call_later(FLOW_IDLE_S, self._sweep)

    def close(self) -> None:
        self._is_open = False
        self._loop.forget(self._socket.fileno())
        self._socket.close()
        for client in list(self._flows):
            self._end(client)

    def _on_client(self, events: int) -> None:
        for _ in range(_AT_ONCE):
            try:
                data, client = self._socket.recvfrom(_DATAGRAM_BYTES_MAX)
            except OSError:  # nothing more, or an answer that nobody took
                return
            self._pass_on(data, client)

    def _pass_on(self, data: bytes, client: Address) -> None:
        """To the flow's endpoint; where that refuses, to the next."""
        now = self._loop.now()
        for endpoint in self._balancer.candidates(str(client[0]), now):
            flow = self._flows.pop(client, None)
            try:
                way = flow[0] if flow is not None else self._connect(client, endpoint)
            except OSError:
                continue
            self._flows[client] = (way, now)
            try:
                way.send(data)
            except BlockingIOError:
                return  # lost, as datagrams may be
            except OSError:
                self._end(client)
                continue
            self._balancer.chosen(str(client[0]), endpoint, now)
            return

    def _connect(self, client: Address, endpoint: tuple[str, int]) -> socket.socket:
        while len(self._flows) >= FLOWS_MAX:
            self._end(next(iter(self._flows)))
        family = socket.AF_INET6 if ":" in endpoint[0] else socket.AF_INET
        way = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            way.connect(endpoint)
        except OSError:
            way.close()
            raise
        self._loop.watch(way.fileno(), READ, partial(self._on_answer, client, way))
        return way

    def _on_answer(self, client: Address, way: socket.socket, events: int) -> None:
        for _ in range(_AT_ONCE):
            try:
                data = way.recv(_DATAGRAM_BYTES_MAX)
            except BlockingIOError:
                return
            except OSError:  # refused: the next datagram finds another endpoint
                self._end(client)
                return
            self._flows[client] = (way, self._loop.now())
            try:
                self._socket.sendto(data, client)
            except OSError:
                return

    def _end(self, client: Address) -> None:
        flow = self._flows.pop(client, None)
        if flow is not None:
            self._loop.forget(flow[0].fileno())
            flow[0].close()

    def _sweep(self) -> None:
        if not self._is_open:
            return
        old = self._loop.now() - FLOW_IDLE_S
        for client in [c for c, (_, used) in self._flows.items() if used < old]:
            self._end(client)
        self._loop.call_later(FLOW_IDLE_S, self._sweep)


def _bound(address: tuple[str, int]) -> socket.socket:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    made = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        made.bind(address)
    except OSError:
        made.close()
        raise
    return made
