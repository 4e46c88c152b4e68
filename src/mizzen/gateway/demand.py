"""Writes what the gateway knows into endpoints' status: the demand, and the address they serve at.

A demand is written once for each change, at once, and the newest wins.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Mapping

from mizzen.base.clock import Clock, rfc3339_micro
from mizzen.base.errors import ApiError, Conflict, NotFound
from mizzen.base.objects import Key, Obj
from mizzen.base.operations import Patch
from mizzen.base.resources import MODEL_ENDPOINTS
from mizzen.client.backoff import Backoff
from mizzen.client.client import Client
from mizzen.gateway.core.endpoints import Endpoint
from mizzen.gateway.pool import ScaleDecision
from mizzen.host.logs import about

log = logging.getLogger(__name__)
DECISIONS_MAX = 256  # kept for /debug/decisions


class DemandWriter:
    """One writing task for each endpoint that has something to say, none otherwise."""

    def __init__(self, client: Client, clock: Clock, url: str) -> None:
        self._client = client
        self._clock = clock
        self._url = url
        self._newest: dict[Key, ScaleDecision] = {}
        self._unannounced: dict[Key, Endpoint] = {}
        self._announced: dict[Key, str] = {}  # uid; our own write comes back after others' events
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._counts: Counter[str] = Counter()
        self.decisions: deque[Obj] = deque(maxlen=DECISIONS_MAX)

    def statistics(self) -> Mapping[str, int]:
        return {"writing": len(self._tasks), **self._counts}

    def submit(self, decision: ScaleDecision) -> None:
        """Has `decision` written; one that still waits for its turn is replaced."""
        key = decision.endpoint.key
        self._counts["decisions"] += 1
        if key in self._newest:
            self._counts["superseded"] += 1
        self._newest[key] = decision
        self._start(key)

    def announce(self, endpoint: Endpoint) -> None:
        """Has `status.url` say where the endpoint's model is served."""
        if endpoint.url != self._url and self._announced.get(endpoint.key) != endpoint.uid:
            self._announced[endpoint.key] = endpoint.uid
            self._unannounced[endpoint.key] = endpoint
            self._start(endpoint.key)

    def forget(self, key: Key) -> None:
        """The endpoint is gone."""
        self._newest.pop(key, None)
        self._unannounced.pop(key, None)
        self._announced.pop(key, None)

    async def close(self) -> None:
        for task in list(self._tasks.values()):
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _start(self, key: Key) -> None:
        if key not in self._tasks:
            self._tasks[key] = asyncio.create_task(self._write_all(key), name=f"demand {key}")

    async def _write_all(self, key: Key) -> None:
        backoff, attempts = Backoff(), 0
        try:
            while key in self._newest or key in self._unannounced:
                decision = self._newest.pop(key, None)
                new = self._unannounced.pop(key, None)
                attempts += 1
                try:
                    await self._client.commit([self._patch(key, decision, new)])
                except (NotFound, Conflict):
                    # That endpoint is gone, another may have its name (the write rests on the uid
                    # alone): what there is to say of that one is next.
                    attempts = 0
                    if decision and new:
                        self._unannounced.setdefault(key, new)
                    continue
                except ApiError as error:
                    self._counts["failed"] += 1
                    if decision:
                        self._newest.setdefault(key, decision)
                    if new:
                        self._unannounced.setdefault(key, new)
                    log.warning("status of %s not written yet: %s", key, error.message)
                    await asyncio.sleep(backoff.next_s())
                    continue
                if decision:
                    self._record(decision, attempts)
                attempts = 0
                backoff.reset()
        finally:
            del self._tasks[key]

    def _patch(self, key: Key, decision: ScaleDecision | None, new: Endpoint | None) -> Patch:
        """A merge patch of the status; the uid keeps it off a later endpoint of the same name."""
        endpoint = decision.endpoint if decision else new
        assert endpoint is not None, "there is something to write"
        status: Obj = {"url": self._url} if new else {}
        if decision:
            status["demand"] = demand(decision)
        return Patch(
            MODEL_ENDPOINTS,
            key.namespace,
            key.name,
            {"status": status},
            subresource="status",
            uid=endpoint.uid,
        )

    def _record(self, decision: ScaleDecision, attempts: int) -> None:
        self._counts["written"] += 1
        record: Obj = {
            "endpoint": str(decision.endpoint.key),
            "replicas": decision.replicas,
            "before": decision.before,
            "cause": decision.cause,
            "request": decision.request,
            "inFlight": decision.load.in_flight,
            "queued": decision.load.queued,
            "arrived": decision.arrived_ns,
            "decided": decision.decided_ns,
            "acknowledged": self._clock.now_ns(),
            "attempts": attempts,
        }
        self.decisions.append(record)
        log.info(
            "%d replicas wanted, %d before: %s",
            decision.replicas,
            decision.before,
            decision.cause,
            extra=about(object=decision.endpoint.key, request=decision.request),
        )


def demand(decision: ScaleDecision) -> Obj:
    """`status.demand`."""
    return {
        "replicas": decision.replicas,
        "cause": decision.cause,
        "observedAt": rfc3339_micro(decision.decided_ns),
        "inFlight": decision.load.in_flight,
        "queued": decision.load.queued,
    }
