"""The agent's words to the forwarder and back: JSON, a line each, at most LINE_BYTES_MAX.

To it: `{"key", "address", "port", "protocol", "endpoints": [[address, port], ...], "affinity_s"}`
leads that address and port to these endpoints, in place of what the key did before; without
endpoints it leads nowhere. From it: `{"key", "error"}`, an errno, 0 where it listens now.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

LINE_BYTES_MAX = 1 << 20
AFFINITIES_MAX = 10_000  # clients of one port that are remembered
TCP, UDP = "TCP", "UDP"

Endpoint = tuple[str, int]


class Route(NamedTuple):
    """One line of the agent's."""

    key: str
    address: str
    port: int
    protocol: str
    endpoints: tuple[Endpoint, ...]
    affinity_s: int


class Balancer:
    """Takes a port's endpoints in turn, or stays with a client's own for a while."""

    def __init__(self, endpoints: tuple[Endpoint, ...], affinity_s: int) -> None:
        self._endpoints = endpoints
        self._affinity_s = affinity_s
        self._turn = 0
        self._own: dict[str, tuple[Endpoint, float]] = {}  # client -> its endpoint, until when

    def change(self, endpoints: tuple[Endpoint, ...], affinity_s: int) -> None:
        self._endpoints, self._affinity_s = endpoints, affinity_s

    def candidates(self, client: str, now: float) -> Iterator[Endpoint]:
        """Each endpoint once, best first."""
        endpoints = self._endpoints
        own = self._own.get(client)
        first = own[0] if own is not None and own[1] > now and own[0] in endpoints else None
        if first is not None:
            yield first
        start = self._turn
        self._turn = (start + 1) % len(endpoints) if endpoints else 0
        for index in range(len(endpoints)):
            endpoint = endpoints[(start + index) % len(endpoints)]
            if endpoint != first:
                yield endpoint

    def chosen(self, client: str, endpoint: Endpoint, now: float) -> None:
        """Remembers who answered the client, as long as it is told to."""
        if not self._affinity_s:
            return
        self._own.pop(client, None)
        while len(self._own) >= AFFINITIES_MAX:
            del self._own[next(iter(self._own))]
        self._own[client] = (endpoint, now + self._affinity_s)
