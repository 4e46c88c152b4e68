"""An event loop over epoll: descriptors and what they wait for, and timers."""

from __future__ import annotations

import heapq
import itertools
import select
import time
from collections.abc import Callable

READ = select.EPOLLIN
WRITE = select.EPOLLOUT
_EVENTS_AT_ONCE = 256

Handler = Callable[[int], None]  # with the events of its descriptor


class Loop:
    """Single-threaded. A descriptor that waits for nothing is not watched at all: the kernel would
    report its end again and again."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, Handler] = {}
        self._interest: dict[int, int] = {}
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._is_running = True

    def watch(self, fd: int, interest: int, handler: Handler) -> None:
        """Calls `handler` for these events from now on; with 0 for none."""
        before = self._interest.get(fd, 0)
        if interest == before:
            return
        if not interest:
            self.forget(fd)
        elif before:
            self._epoll.modify(fd, interest)
            self._interest[fd] = interest
        else:
            self._epoll.register(fd, interest)
            self._interest[fd], self._handlers[fd] = interest, handler

    def forget(self, fd: int) -> None:
        """Before a descriptor is closed: its number may soon be another's."""
        if self._interest.pop(fd, 0):
            self._epoll.unregister(fd)
            del self._handlers[fd]

    def call_later(self, seconds: float, callback: Callable[[], None]) -> None:
        entry = (self.now() + seconds, next(self._numbers), callback)
        heapq.heappush(self._timers, entry)

    @staticmethod
    def now() -> float:
        return time.monotonic()

    def stop(self) -> None:
        self._is_running = False

    def run(self) -> None:
        """Until `stop`."""
        while self._is_running:
            wait_s = -1.0 if not self._timers else max(self._timers[0][0] - self.now(), 0.0)
            for fd, events in self._epoll.poll(wait_s, _EVENTS_AT_ONCE):
                handler = self._handlers.get(fd)
                if handler is not None:  # forgotten by an event before it
                    handler(events)
            while self._timers and self._timers[0][0] <= self.now():
                heapq.heappop(self._timers)[2]()
