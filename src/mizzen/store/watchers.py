"""Watchers: short queues of events in memory; a lagging one goes on from the history.

So what watchers hold is bounded in bytes, for each and for all, and none of them is cut while
history has what it did not see yet.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from mizzen.store.store import BATCH_BYTES_MAX, Event

QUEUE_EVENTS = 8192  # that one watcher may lag behind before it goes on from the history
QUEUE_BYTES_MAX = 8 << 20  # the same, in bytes
QUEUES_BYTES_MAX = 128 << 20  # in the queues of all watchers; what is in several counts once
# The newest events, which keep what was made of them for all watchers: lines and a parsed object,
# many times what is counted here. Of creates as fast as they come it is a second.
WARM_BYTES_MAX = 4 << 20


class Source(Protocol):
    """The history from which a lagging watcher reads."""

    @property
    def revision(self) -> int: ...

    def replay(self, since: int) -> list[Event]:
        """The next events after `since`, about BATCH_BYTES_MAX; empty when there are none yet.

        Errors: Expired when history no longer has them.
        """
        ...


class Batch:
    """Events of one commit that watchers of one class hold together: never change it."""

    __slots__ = ("events", "holders", "size")

    def __init__(self, events: list[Event], size: int) -> None:
        self.events, self.size = events, size
        self.holders = 0  # watchers in whose queues it is


def _batches(events: Sequence[Event]) -> Iterator[Batch]:
    """All of them, in order, in batches of BATCH_BYTES_MAX or one event."""
    found: list[Event] = []
    size = 0
    for event in events:
        if found and size + event.size > BATCH_BYTES_MAX:
            yield Batch(found, size)
            found, size = [], 0
        found.append(event)
        size += event.size
    if found:
        yield Batch(found, size)


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
        self._queue: list[Batch] = []
        self._queued_events = 0
        self._queued_bytes = 0
        self._wake: asyncio.Future[bool] | None = None  # True: its wait is over, with or without
        self._has_ended = False
        self.on_ready: Callable[[], None] | None = None

    @property
    def position(self) -> int:
        """Every event that concerns this watcher, up to this revision, was handed over."""
        if self._lags:
            return self._since
        return self._queue[0].events[0].revision - 1 if self._queue else self._source.revision

    @property
    def has_ended(self) -> bool:
        return self._has_ended

    @property
    def is_waiting(self) -> bool:
        return self._wake is not None and not self._wake.done()

    @property
    def lags(self) -> bool:
        return self._lags

    def offer(self, batch: Batch, may_queue: bool) -> bool:
        """Takes live events, in whole; whether it holds them now. What it does not hold comes
        later, from the source."""
        if not self._lags:
            queue = self._queue
            events = self._queued_events + len(batch.events)
            size = self._queued_bytes + batch.size
            if not queue:
                self._since = batch.events[0].revision - 1
            if may_queue and events <= QUEUE_EVENTS and size <= QUEUE_BYTES_MAX:
                queue.append(batch)
                self._queued_events, self._queued_bytes = events, size
            else:
                self._lags = True
                self._watchers.lagged += 1
                self._let_go_all()
        if self._wake is not None and not self._wake.done():
            if self.on_ready is None:
                self._wake.set_result(False)
            else:
                self.on_ready()
        return not self._lags

    def take_nowait(self) -> list[Event]:
        """Errors: Expired when it lags behind what history still has."""
        if self._lags:
            found = self._source.replay(self._since)
            if found:
                self._since = found[-1].revision
                return [event for event in found if self._wants(event)]
            self._lags = False
        queue = self._queue
        if not queue:
            return []
        end, size = 1, queue[0].size
        while end < len(queue) and size + queue[end].size <= BATCH_BYTES_MAX:
            size += queue[end].size
            end += 1
        taken = queue[:end]
        del queue[:end]
        self._watchers.let_go(taken)
        events = taken[0].events
        if end > 1:
            events = [event for batch in taken for event in batch.events]
        self._queued_events -= len(events)
        self._queued_bytes -= size
        self._since = events[-1].revision
        return events

    async def next_batch(self, within_s: float | None = None) -> list[Event]:
        loop = asyncio.get_running_loop()
        is_late = False
        while True:
            batch = self.take_nowait()
            if batch:
                return batch
            if self._lags:
                await asyncio.sleep(0)  # a long history must not hold up the loop
                continue
            if self._has_ended or is_late:
                return []
            self._wake = wake = loop.create_future()
            timer = None if within_s is None else loop.call_later(within_s, self.wake)
            try:
                is_late = await wake
            finally:
                if timer is not None:
                    timer.cancel()

    def end(self) -> None:
        self._has_ended = True
        self.wake()

    def wake(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(True)

    def close(self) -> None:
        self.on_ready = None
        self._let_go_all()
        self._watchers.drop(self)

    def _wants(self, event: Event) -> bool:
        key = event.key
        return (not self.resource or key.resource == self.resource) and (
            not self.namespace or key.namespace == self.namespace
        )

    def _let_go_all(self) -> None:
        self._watchers.let_go(self._queue)
        self._queue, self._queued_events, self._queued_bytes = [], 0, 0


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

    def notify(self, events: Sequence[Event]) -> None:
        """The events of the transactions of one commit, in order. Watchers are given them together."""
        of_resource: dict[str, list[Event]] = {}
        for event in events:
            resource = event.key.resource
            for on_event in self._listeners.get(resource, ()):
                on_event(event)
            self._warm_up(event)
            of_resource.setdefault(resource, []).append(event)
        for resource, found in of_resource.items():
            self._offer(self._by_resource.get(resource, ()), found)
        self._offer(self._by_resource.get("", ()), events)

    def _offer(self, watchers: Iterable[Watcher], events: Sequence[Event]) -> None:
        of_namespace: dict[str, list[Batch]] = {}
        for watcher in watchers:
            name = watcher.namespace
            batches = of_namespace.get(name)
            if batches is None:
                wanted = [event for event in events if not name or event.key.namespace == name]
                batches = of_namespace[name] = list(_batches(wanted))
            for batch in batches:
                fits = batch.holders or self._queued_bytes + batch.size <= QUEUES_BYTES_MAX
                if watcher.offer(batch, bool(fits)):
                    if not batch.holders:
                        self._queued_bytes += batch.size
                    batch.holders += 1

    def let_go(self, batches: Iterable[Batch]) -> None:
        """One queue less holds each of them."""
        for batch in batches:
            batch.holders -= 1
            if not batch.holders:
                self._queued_bytes -= batch.size

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
