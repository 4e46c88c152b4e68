"""Writes the demand into the endpoint's status: once for each change, at once, the newest wins."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Mapping

import orjson

from mizzen.base.clock import Clock, rfc3339_micro
from mizzen.base.errors import ApiError, NotFound
from mizzen.base.objects import Key, Obj
from mizzen.base.operations import Patch
from mizzen.base.resources import MODEL_ENDPOINTS
from mizzen.client.backoff import Backoff
from mizzen.client.client import Client
from mizzen.gateway.pool import Tip

log = logging.getLogger(__name__)
DECISIONS_MAX = 256  # kept for /debug/decisions


class DemandWriter:
    """One writing task for each endpoint that has something to say, none otherwise."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._newest: dict[Key, Tip] = {}
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._counts: Counter[str] = Counter()
        self.decisions: deque[Obj] = deque(maxlen=DECISIONS_MAX)

    def statistics(self) -> Mapping[str, int]:
        return {"writing": len(self._tasks), **self._counts}

    def tell(self, tip: Tip) -> None:
        """Has `tip` written; one that still waits for its turn is replaced."""
        key = tip.endpoint.key
        self._counts["tips"] += 1
        if key in self._newest:
            self._counts["superseded"] += 1
        self._newest[key] = tip
        if key not in self._tasks:
            self._tasks[key] = asyncio.create_task(self._write_all(key), name=f"demand {key}")

    def forget(self, key: Key) -> None:
        """The endpoint is gone."""
        self._newest.pop(key, None)

    async def close(self) -> None:
        for task in list(self._tasks.values()):
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _write_all(self, key: Key) -> None:
        backoff, attempts = Backoff(), 0
        try:
            while key in self._newest:
                tip = self._newest.pop(key)
                attempts += 1
                try:
                    await self._write(tip)
                except NotFound:
                    return
                except ApiError as error:
                    self._counts["failed"] += 1
                    self._newest.setdefault(key, tip)
                    log.warning("demand of %s not written yet: %s", key, error.message)
                    await asyncio.sleep(backoff.next_s())
                    continue
                self._record(tip, attempts)
                attempts = 0
                backoff.reset()
        finally:
            del self._tasks[key]

    async def _write(self, tip: Tip) -> None:
        await self._client.commit([demand_patch(tip)])
        self._counts["written"] += 1

    def _record(self, tip: Tip, attempts: int) -> None:
        decision: Obj = {
            "endpoint": str(tip.endpoint.key),
            "replicas": tip.replicas,
            "before": tip.before,
            "cause": tip.cause,
            "request": tip.request,
            "inFlight": tip.load.in_flight,
            "queued": tip.load.queued,
            "arrived": tip.arrived_ns,
            "decided": tip.decided_ns,
            "acknowledged": self._clock.now_ns(),
            "attempts": attempts,
        }
        self.decisions.append(decision)
        print(orjson.dumps({"event": "demand", **decision}).decode(), flush=True)


def demand_patch(tip: Tip) -> Patch:
    """The merge patch of the status; the uid keeps it off a later endpoint of the same name."""
    demand = {
        "replicas": tip.replicas,
        "cause": tip.cause,
        "observedAt": rfc3339_micro(tip.decided_ns),
        "inFlight": tip.load.in_flight,
        "queued": tip.load.queued,
    }
    key = tip.endpoint.key
    return Patch(
        MODEL_ENDPOINTS,
        key.namespace,
        key.name,
        {"status": {"demand": demand}},
        subresource="status",
        uid=tip.endpoint.uid,
    )
