"""Watchers: bounded queues of events, cut when they lag, never silently short."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from mizzen.base.errors import Expired
from mizzen.store.store import QUEUE_EVENTS, Event


class Watcher:
    """One subscription. `replay` yields the batches before the live ones."""

    def __init__(
        self,
        resource: str,
        namespace: str,
        since: int,
        on_close: Callable[[Watcher], None],
        replay: Callable[[int], list[Event]] | None,
    ) -> None:
        self.resource = resource
        self.namespace = namespace
        self.is_cut = False
        self._since = since  # every event up to here was handed over or does not concern us
        self._replay = replay  # None once live
        self._queue: list[Event] = []
        self._wake: asyncio.Future[None] | None = None
        self._on_close = on_close

    def wants(self, event: Event) -> bool:
        key = event.key
        return (not self.resource or key.resource == self.resource) and (
            not self.namespace or key.namespace == self.namespace
        )

    def offer(self, event: Event) -> bool:
        """Queues a live event; False once the watcher is too slow and was cut."""
        if self.is_cut:
            return False
        if len(self._queue) >= QUEUE_EVENTS:
            self.is_cut = True
            self._queue.clear()
        else:
            self._queue.append(event)
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
        return not self.is_cut

    def take_nowait(self) -> list[Event]:
        while self._replay is not None:
            batch = self._replay(self._since)
            if not batch:
                self._replay = None
                break
            self._since = batch[-1].revision
            wanted = [event for event in batch if self.wants(event)]
            if wanted:
                return wanted
        if self.is_cut:
            raise Expired(
                f"this watch lagged {QUEUE_EVENTS} events behind and was cut; "
                "list again, or watch from the last resourceVersion seen"
            )
        batch, self._queue = self._queue, []
        if batch and batch[0].revision <= self._since:  # replay had reached the live ones
            batch = [event for event in batch if event.revision > self._since]
        return batch

    async def next_batch(self) -> list[Event]:
        while True:
            batch = self.take_nowait()
            if batch:
                return batch
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake

    def close(self) -> None:
        self._on_close(self)


class Watchers:
    """All watchers, found by resource."""

    def __init__(self) -> None:
        self._by_resource: dict[str, set[Watcher]] = {}
        self.cut = 0

    def __len__(self) -> int:
        return sum(map(len, self._by_resource.values()))

    def add(
        self,
        resource: str,
        namespace: str,
        since: int,
        replay: Callable[[int], list[Event]] | None,
    ) -> Watcher:
        watcher = Watcher(resource, namespace, since, self._drop, replay)
        self._by_resource.setdefault(resource, set()).add(watcher)
        return watcher

    def notify(self, events: Iterable[Event]) -> None:
        for event in events:
            for name in (event.key.resource, ""):
                watchers = self._by_resource.get(name)
                if not watchers:
                    continue
                slow = [w for w in watchers if w.wants(event) and not w.offer(event)]
                for watcher in slow:
                    self.cut += 1
                    watchers.discard(watcher)

    def _drop(self, watcher: Watcher) -> None:
        watchers = self._by_resource.get(watcher.resource)
        if watchers is not None:
            watchers.discard(watcher)
            if not watchers:
                del self._by_resource[watcher.resource]
