"""Keys that wait to be worked on: each at most once, failures later and later."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

from mizzen.client.backoff import delay_s

K = TypeVar("K", bound=Hashable)
FIRST_RETRY_S = 0.01
RETRY_S_MAX = 30.0


class WorkQueue(Generic[K]):
    """A queue of distinct keys for one or more workers in one event loop.

    A key that is added while a worker has it comes again once the worker is `done`; so no key
    is worked on twice at a time and no change is missed. Never blocks the adder; bounded by
    the number of distinct keys.
    """

    def __init__(self) -> None:
        self._ready: deque[K] = deque()
        self._queued: set[K] = set()
        self._taken: set[K] = set()
        self._again: set[K] = set()
        self._later: dict[K, asyncio.TimerHandle] = {}
        self._failures: dict[K, int] = {}
        self._wake = asyncio.Event()
        self._counts: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._ready)

    def statistics(self) -> Mapping[str, int]:
        return {
            "ready": len(self._ready),
            "taken": len(self._taken),
            "delayed": len(self._later),
            **self._counts,
        }

    def add(self, key: K) -> None:
        """Queues the key now, unless it is queued; a delayed addition is brought forward."""
        timer = self._later.pop(key, None)
        if timer is not None:
            timer.cancel()
        if key in self._taken:
            self._again.add(key)
        elif key not in self._queued:
            self._queued.add(key)
            self._ready.append(key)
            self._counts["added"] += 1
            self._wake.set()

    def add_after(self, key: K, delay_s: float) -> None:
        """Queues the key in `delay_s` seconds; the earliest wish of several counts."""
        if delay_s <= 0:
            self.add(key)
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + delay_s
        timer = self._later.get(key)
        if timer is not None:
            if timer.when() <= due:
                return
            timer.cancel()
        self._later[key] = loop.call_at(due, self._fire, key)

    def bring_forward(self, by_s: float) -> None:
        """What is to come later comes so much earlier: its time was told by a clock that has been
        set forward since."""
        delayed, now = self._later, asyncio.get_running_loop().time()
        self._later = {}
        for key, timer in delayed.items():
            timer.cancel()
            self.add_after(key, timer.when() - by_s - now)

    def retry(self, key: K) -> float:
        """Queues the key after its backoff, doubled with each failure; seconds until then."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self._counts["retried"] += 1
        wait = delay_s(failures, FIRST_RETRY_S, RETRY_S_MAX)
        self.add_after(key, wait)
        return wait

    def forget(self, key: K) -> None:
        """The key went well: its next failure is its first."""
        self._failures.pop(key, None)

    async def get(self) -> K:
        """Takes the next key; call `done` with it afterwards, whatever happened."""
        while not self._ready:
            self._wake.clear()
            await self._wake.wait()
        key = self._ready.popleft()
        self._queued.discard(key)
        if not self._queued:
            self._queued.clear()  # a set keeps the room of the most it ever held
        self._taken.add(key)
        return key

    def done(self, key: K) -> None:
        self._taken.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def _fire(self, key: K) -> None:
        self._later.pop(key, None)
        self.add(key)
