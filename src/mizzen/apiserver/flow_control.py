"""Lets requests in by priority and fairness: a greedy client waits behind itself.

Members of system:masters and probes pass without a place; nobody else's request can hold theirs up
by its number. A request that finds a seat pays for two look-ups and no more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mizzen.apiserver.core.access import Access
from mizzen.apiserver.core.fair_queues import FairQueues, Ticket
from mizzen.apiserver.core.flow_schemas import Classification, FlowSchemas
from mizzen.apiserver.core.user import MASTERS
from mizzen.base.errors import TooManyRequests
from mizzen.store.store import Event, Store

GROUP = "flowcontrol.apiserver.k8s.io"
FLOW_SCHEMAS, PRIORITY_LEVELS = f"flowschemas.{GROUP}", f"prioritylevelconfigurations.{GROUP}"
# One process does one thing at a time: seats beyond what fills a group commit only make others wait.
SEATS = 256
WAIT_S_MAX = 15.0
_NO_SEAT = "Too many requests, please try again later."


class FlowControl:
    """The queues of one server, configured by its store's objects."""

    def __init__(self, store: Store, seconds: Callable[[], float]) -> None:
        self._store = store
        self._seconds = seconds
        self._queues = FairQueues(SEATS)
        self._schemas: FlowSchemas | None = None
        for resource in (FLOW_SCHEMAS, PRIORITY_LEVELS):
            store.listen(resource, self._note)

    def enter(self, access: Access) -> tuple[Ticket, Classification] | None:
        """A place for a request; None where it needs none. Errors: TooManyRequests."""
        if MASTERS in access.user.groups:
            return None
        found = (self._schemas or self._load()).classify(access)
        if found is None or not found.level:
            return None
        ticket = self._queues.arrive(found.level, found.flow_of(access), self._seconds())
        if ticket is None:
            raise TooManyRequests(_NO_SEAT, retry_after_s=1)
        return ticket, found

    async def wait(self, ticket: Ticket) -> None:
        """Returns once it is the request's turn. Errors: TooManyRequests after WAIT_S_MAX."""
        if ticket.started_s is not None:
            return
        turn = ticket.payload = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(WAIT_S_MAX):
                await turn
        except TimeoutError as error:
            raise TooManyRequests(_NO_SEAT, retry_after_s=1) from error

    def leave(self, ticket: Ticket) -> None:
        """Ends a request, whether its turn had come or not."""
        if ticket.started_s is None:
            self._queues.give_up(ticket)
            return
        for other in self._queues.finish(ticket, self._seconds()):
            if not other.payload.done():
                other.payload.set_result(None)

    def statistics(self) -> dict[str, dict[str, int]]:
        return self._queues.statistics()

    def _load(self) -> FlowSchemas:
        schemas, levels = (
            [stored.object() for stored in self._store.list(resource).items]
            for resource in (FLOW_SCHEMAS, PRIORITY_LEVELS)
        )
        made = self._schemas = FlowSchemas(schemas, levels)
        self._queues.configure(made.limits)
        return made

    def _note(self, event: Event) -> None:
        self._schemas = None
