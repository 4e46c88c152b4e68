"""Watchers: short queues of events in memory; a lagging one goes on from the history.

So what watchers hold is bounded in bytes, for each and for all, and none of them is cut while
history has what it did not see yet.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

from mizzen.store.store import BATCH_BYTES_MAX, Event

QUEUE_EVENTS = 8192  # that one watcher may lag behind before it goes on from the history
QUEUE_BYTES_MAX = 8 << 20  # the same, in bytes
QUEUES_BYTES_MAX = 128 << 20  # in the queues of all watchers; an event in several counts once
WARM_BYTES_MAX = 16 << 20  # the newest events, which keep what was made of them for all watchers


class Source(Protocol):
    """The history from which a lagging watcher reads."""

    @property
    def revision(self) -> int: ...

    def replay(self, since: int) -> list[Event]:
        """The next events after `since`, about BATCH_BYTES_MAX; empty when there are none yet.

        Errors: Expired when history no longer has them.
        """
        ...


class Watcher:
    """One subscription."""

    def __init__(
        self, watchers: Watchers, source: Source, resource: str, namespace: str, since: int
    ) -> None:
        self.resource = resource
        self.namespace = namespace
        self._watchers = watchers
        self._source = source
        self._since = since  # every event up to here was handed over or does not concern us
        self._lags = since < source.revision  # then it reads from the source, without a queue
        self._queue: list[Event] = []
        self._queued_bytes = 0
        self._wake: asyncio.Future[None] | None = None
        self._has_ended = False

    @property
    def position(self) -> int:
        """Every event that concerns this watcher, up to this revision, was handed over."""
        if self._lags:
            return self._since
        return self._queue[0].revision - 1 if self._queue else self._source.revision

    def wants(self, event: Event) -> bool:
        key = event.key
        return (not self.resource or key.resource == self.resource) and (
            not self.namespace or key.namespace == self.namespace
        )

    def offer(self, event: Event, may_queue: bool) -> bool:
        """Takes a live event; whether it holds it now. One that does not comes later, from the
        source."""
        if not self._lags:
            queue = self._queue
            size = self._queued_bytes + event.size
            if not queue:
                self._since = event.revision - 1
            if may_queue and len(queue) < QUEUE_EVENTS and size <= QUEUE_BYTES_MAX:
                queue.append(event)
                self._queued_bytes = size
            else:
                self._lags = True
                self._watchers.lagged += 1
                self._watchers.let_go(queue)
                self._queue, self._queued_bytes = [], 0
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
        return not self._lags

    def take_nowait(self) -> list[Event]:
        """Errors: Expired when it lags behind what history still has."""
        if self._lags:
            batch = self._source.replay(self._since)
            if batch:
                self._since = batch[-1].revision
                return [event for event in batch if self.wants(event)]
            self._lags = False
        batch, self._queue = self._queue, []
        if self._queued_bytes > BATCH_BYTES_MAX:
            end, size = 0, 0
            while end < len(batch) and (not end or size + batch[end].size <= BATCH_BYTES_MAX):
                size += batch[end].size
                end += 1
            batch, self._queue = batch[:end], batch[end:]
            self._queued_bytes -= size
            if self._queue:
                self._since = batch[-1].revision
        else:
            self._queued_bytes = 0
        self._watchers.let_go(batch)
        return batch

    async def next_batch(self) -> list[Event]:
        while True:
            batch = self.take_nowait()
            if batch:
                return batch
            if self._lags:
                await asyncio.sleep(0)  # a long history must not hold up the loop
                continue
            if self._has_ended:
                return []
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake

    def end(self) -> None:
        self._has_ended = True
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def close(self) -> None:
        self._watchers.let_go(self._queue)
        self._queue = []
        self._watchers.drop(self)


class Watchers:
    """All watchers, found by resource."""

    def __init__(self) -> None:
        self._by_resource: dict[str, set[Watcher]] = {}
        self._listeners: dict[str, list[Callable[[Event], None]]] = {}
        self._queued_bytes = 0
        self._warm: deque[Event] = deque()
        self._warm_bytes = 0
        self.lagged = 0

    def __len__(self) -> int:
        return sum(map(len, self._by_resource.values()))

    def add(self, source: Source, resource: str, namespace: str, since: int) -> Watcher:
        watcher = Watcher(self, source, resource, namespace, since)
        self._by_resource.setdefault(resource, set()).add(watcher)
        return watcher

    def listen(self, resource: str, on_event: Callable[[Event], None]) -> None:
        self._listeners.setdefault(resource, []).append(on_event)

    def notify(self, events: Iterable[Event]) -> None:
        for event in events:
            for on_event in self._listeners.get(event.key.resource, ()):
                on_event(event)
            self._warm_up(event)
            may_queue = self._queued_bytes + event.size <= QUEUES_BYTES_MAX
            holders = 0
            for name in (event.key.resource, ""):
                for watcher in self._by_resource.get(name, ()):
                    if watcher.wants(event):
                        holders += watcher.offer(event, may_queue)
            if holders:
                event.queues = holders
                self._queued_bytes += event.size

    def let_go(self, events: Iterable[Event]) -> None:
        """One queue less holds each of them."""
        for event in events:
            event.queues -= 1
            if not event.queues:
                self._queued_bytes -= event.size

    def drop(self, watcher: Watcher) -> None:
        watchers = self._by_resource.get(watcher.resource)
        if watchers is not None:
            watchers.discard(watcher)
            if not watchers:
                del self._by_resource[watcher.resource]

    def statistics(self) -> dict[str, int]:
        return {
            "watchers": len(self),
            "watchers_lagged": self.lagged,
            "watchers_queued_bytes": self._queued_bytes,
        }

    def _warm_up(self, event: Event) -> None:
        event.cache = {}
        self._warm.append(event)
        self._warm_bytes += event.size
        while self._warm_bytes > WARM_BYTES_MAX:
            oldest = self._warm.popleft()
            self._warm_bytes -= oldest.size
            oldest.cool()
