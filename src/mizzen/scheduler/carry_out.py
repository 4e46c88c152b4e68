"""Decisions become writes; what is refused is decided again from newer facts.

Embedded, decisions are committed together as atomic Plans.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from mizzen.base.errors import ApiError
from mizzen.base.objects import Obj
from mizzen.base.operations import Operation
from mizzen.client.client import Client
from mizzen.client.events import EventRecorder
from mizzen.scheduler.core.types import Decision, Plan

OPERATIONS_MAX = 500  # of one Plan; more decisions go into the next
# The watch usually brings what a refused plan did not know within the first of these.
REFUSED_RETRY_S = 0.005
REFUSED_RETRY_MAX_S = 2.0
REFUSALS_COUNTED_MAX = 16
Written = Callable[[Operation, Obj], None]
_log = logging.getLogger(__name__)


class CarryOut:
    """Writes plans; `written(operation, answer)` is told of each write that took effect."""

    def __init__(self, client: Client, events: EventRecorder, written: Written) -> None:
        self._client = client
        self._events = events
        self._written = written
        self._refusals = 0  # plans in a row of which something was refused
        self._counts: Counter[str] = Counter()

    def statistics(self) -> Mapping[str, int]:
        return dict(self._counts)

    async def carry_out(self, plan: Plan) -> float:
        """Commits the decisions, together where they fit; seconds after which to look again."""
        again_s = 0.0
        for batch in _batches(plan.decisions):
            refused = await self._commit(batch)
            if refused is not None and len(batch) > 1 and refused.code < 500:
                for decision in batch:
                    alone = await self._commit([decision])
                    refused = alone or refused
            if refused is not None:
                again_s = min(REFUSED_RETRY_MAX_S, REFUSED_RETRY_S * 2**self._refusals)
        self._refusals = min(self._refusals + 1, REFUSALS_COUNTED_MAX) if again_s else 0
        return again_s

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
        for decision in decisions:
            self._counts["bound"] += len(decision.placements)
            self._counts["victims"] += len(decision.victims)
            for note in decision.notes:
                self._events.event(note.about, note.type, note.reason, note.message)
        return None


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
