"""Decisions become writes; what is refused is decided again from newer facts.

Embedded, decisions are committed together as atomic Plans. An API server without Plans gets them
as single writes, many decisions side by side (`single_writes`).
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence

from mizzen.base.clock import Clock
from mizzen.base.errors import ApiError
from mizzen.base.names import SYSTEM_NAMESPACE
from mizzen.base.objects import Key, Obj
from mizzen.base.operations import Operation
from mizzen.client.client import Client
from mizzen.client.events import EventRecorder
from mizzen.scheduler.core.types import Decision, Plan
from mizzen.scheduler.single_writes import DECISIONS_AT_ONCE, SingleWrites

OPERATIONS_MAX = 500  # of one Plan; more decisions go into the next
BATCHES_AT_ONCE = 2  # one is encoded and its answer read while the API server carries out another
# The watch usually brings what a refused plan did not know within the first of these.
REFUSED_RETRY_S = 0.005
REFUSED_RETRY_MAX_S = 2.0
REFUSALS_COUNTED_MAX = 16
DRAIN_S = 5.0  # that writes under way are waited for when the process ends
Written = Callable[[Operation, Obj], None]
_log = logging.getLogger(__name__)


class CarryOut:
    """Writes plans; `written(operation, answer)` is told of each write that took effect."""

    def __init__(
        self, client: Client, clock: Clock, events: EventRecorder, written: Written
    ) -> None:
        self._client = client
        self._events = events
        self._written = written
        self._single = SingleWrites(client, clock, SYSTEM_NAMESPACE, written)
        self._batches_at_once = asyncio.Semaphore(BATCHES_AT_ONCE)
        self._refusals = 0  # plans in a row of which something was refused
        self._counts: Counter[str] = Counter()

    def statistics(self) -> Mapping[str, int]:
        return {**self._counts, **self._single.statistics()}

    async def recover(self, pods: Mapping[Key, Obj], claims: Mapping[Key, Obj]) -> None:
        """Settles what the scheduler before this one left half done; to be awaited first."""
        if not await self._client.serves_plans():
            await self._single.recover(pods, claims)

    async def carry_out(self, plan: Plan) -> float:
        """Commits the decisions, together where they fit; seconds after which to look again."""
        if not await self._client.serves_plans():
            return self._again(await self._carry_out_singly(plan))
        refusals = await asyncio.gather(*map(self._commit_batch, _batches(plan.decisions)))
        return self._again(refusals)

    async def _commit_batch(self, batch: Sequence[Decision]) -> ApiError | None:
        """The refusal of any part of it, None if there is none. Nothing in one batch rests on another: what
        uses an object that this plan writes is decided once that is committed."""
        async with self._batches_at_once:
            refused = await self._commit(batch)
            if refused is not None and len(batch) > 1 and refused.code < 500:
                for decision in batch:
                    refused = await self._commit([decision]) or refused
            return refused

    def _again(self, refusals: Sequence[ApiError | None]) -> float:
        """Seconds after which to look again: more from one refused plan to the next."""
        if not any(refusals):
            self._refusals = 0
            return 0.0
        again_s = min(REFUSED_RETRY_MAX_S, REFUSED_RETRY_S * 2**self._refusals)
        self._refusals = min(self._refusals + 1, REFUSALS_COUNTED_MAX)
        return again_s

    async def _carry_out_singly(self, plan: Plan) -> list[ApiError | None]:
        """Many decisions side by side. Cancelled, it begins no more of them and lets writes under
        way come to their end: whoever leads next must not look at the cluster while they may
        still take effect."""
        waiting = deque(decision for decision in plan.decisions if decision.operations)
        refusals: list[ApiError | None] = []

        async def some() -> None:
            while waiting:
                refusals.append(await self._commit_singly(waiting.popleft()))

        at_once = min(len(waiting), DECISIONS_AT_ONCE)
        writing = asyncio.gather(*(some() for _ in range(at_once)))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            waiting.clear()
            await asyncio.wait((writing,), timeout=DRAIN_S)
            writing.cancel()
            raise
        return refusals

    async def _commit_singly(self, decision: Decision) -> ApiError | None:
        refused = await self._single.carry_out(decision)
        if refused is None:
            self._note((decision,))
        else:
            self._counts["refused"] += 1
            _log.info("%s is decided again: %s", decision.subject, refused)
        return refused

    async def _commit(self, decisions: Sequence[Decision]) -> ApiError | None:
        operations: list[Operation] = [o for d in decisions for o in d.operations]
        try:
            results = await self._client.commit(operations)
        except ApiError as error:
            self._counts["refused"] += 1
            _log.info("plan refused, deciding again: %s", error)
            return error
        self._counts["commits"] += 1
        for operation, answer in zip(operations, results, strict=True):
            self._written(operation, answer)
        self._note(decisions)
        return None

    def _note(self, decisions: Sequence[Decision]) -> None:
        for decision in decisions:
            self._counts["bound"] += len(decision.placements)
            self._counts["victims"] += len(decision.victims)
            for note in decision.notes:
                self._events.event(note.about, note.type, note.reason, note.message)


def _batches(decisions: tuple[Decision, ...]) -> list[list[Decision]]:
    """Decisions in order, cut where a Plan would grow too long; a decision stays whole."""
    batches: list[list[Decision]] = []
    room = 0
    for decision in decisions:
        size = len(decision.operations)
        if size == 0:
            continue
        if not batches or size > room:
            batches.append([])
            room = OPERATIONS_MAX
        batches[-1].append(decision)
        room -= size
    return batches
