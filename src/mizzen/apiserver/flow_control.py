"""Lets requests in by priority and fairness: a greedy client waits behind itself.

Members of system:masters, probes and what runs for long (exec, logs, proxies) pass without a place;
nobody else's request can hold theirs up by its number. A request that finds a seat pays for a few
look-ups and no more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from mizzen.apiserver.catalog import Catalog
from mizzen.apiserver.core import work_estimate
from mizzen.apiserver.core.access import Access
from mizzen.apiserver.core.fair_queues import FairQueues, Ticket
from mizzen.apiserver.core.flow_schemas import Classification, FlowSchemas
from mizzen.apiserver.core.retry_after import RetryAfter
from mizzen.apiserver.core.user import MASTERS
from mizzen.apiserver.core.watch_counts import WatchCounts
from mizzen.apiserver.core.work_estimate import ONE, Work, of_list, of_write
from mizzen.base.errors import TooManyRequests
from mizzen.store.store import Event, Store

GROUP = "flowcontrol.apiserver.k8s.io"
FLOW_SCHEMAS, PRIORITY_LEVELS = f"flowschemas.{GROUP}", f"prioritylevelconfigurations.{GROUP}"
# One process does one thing at a time: seats beyond what fills a group commit only make others wait.
SEATS = 256
WAIT_S_MAX = 15.0
HELD_S_MAX = 2.0  # that a place is kept for whoever reads a long answer
_LONG_RUNNING = frozenset(("attach", "exec", "log", "portforward", "proxy"))
_NO_SEAT = "Too many requests, please try again later."


@dataclass(slots=True)
class Place:
    """A request's, until it leaves; without a ticket where there was no room for it."""

    ticket: Ticket | None
    classification: Classification


class FlowControl:
    """The queues of one server, configured by its store's objects."""

    def __init__(self, store: Store, catalog: Catalog, seconds: Callable[[], float]) -> None:
        self._store = store
        self._catalog = catalog
        self._seconds = seconds
        self._queues = FairQueues(SEATS)
        self._schemas: FlowSchemas | None = None
        self.watches = WatchCounts()
        self._retry_after: dict[str, RetryAfter] = {}
        for resource in (FLOW_SCHEMAS, PRIORITY_LEVELS):
            store.listen(resource, self._note)

    def enter(self, access: Access, params: Mapping[str, str]) -> Place | None:
        """A place for a request; None where it needs none."""
        if MASTERS in access.user.groups or access.subresource in _LONG_RUNNING:
            return None
        found = (self._schemas or self._load()).classify(access)
        if found is None or not found.level:
            return None
        work = self._work(access, params, self._queues.seats_max(found.level))
        ticket = self._queues.arrive(found.level, found.flow_of(access), self._seconds(), work)
        return Place(ticket, found)

    async def wait(self, place: Place) -> None:
        """Returns once it is the request's turn.

        Errors: TooManyRequests where there is no room to wait, or after WAIT_S_MAX.
        """
        ticket = place.ticket
        if ticket is None:
            raise self._refusal(place)
        if ticket.started_s is not None:
            return
        turn = ticket.payload = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(WAIT_S_MAX):
                await turn
        except TimeoutError as error:
            raise self._refusal(place) from error

    def leave(self, place: Place) -> None:
        """Ends a request, whether its turn had come or not; again and again if need be."""
        ticket, place.ticket = place.ticket, None
        if ticket is None:
            return
        if ticket.started_s is None:
            self._wake(self._queues.give_up(ticket, self._seconds()))
            return
        self._queues.served(ticket, self._seconds())
        final_s = ticket.work.final_s
        if final_s:
            asyncio.get_running_loop().call_later(final_s, self._finish, ticket)
        else:
            self._finish(ticket)

    def leave_late(self, place: Place) -> Callable[[], None]:
        """For whoever is still to send the most of an answer: what to call at the end of that.

        After HELD_S_MAX the place is free all the same: a client that takes so long for it makes
        little work, and would keep others from their places by not reading.
        """
        timer = asyncio.get_running_loop().call_later(HELD_S_MAX, self.leave, place)

        def end() -> None:
            timer.cancel()
            self.leave(place)

        return end

    def _finish(self, ticket: Ticket) -> None:
        self._wake(self._queues.finish(ticket, self._seconds()))

    def _wake(self, tickets: Iterable[Ticket]) -> None:
        for ticket in tickets:
            if not ticket.payload.done():
                ticket.payload.set_result(None)

    def _work(self, access: Access, params: Mapping[str, str], seats_max: int) -> Work:
        verb, group, plural = access.verb, access.group, access.resource
        if work_estimate.is_of_many(verb):
            key = self._catalog.key_of((group, plural))
            count, size = self._store.extent(key, access.namespace)
            is_single = bool(access.name)
            return of_list(count, size, verb, params, is_single=is_single, seats_max=seats_max)
        if plural and work_estimate.is_told(verb, plural, access.subresource):
            key = self._catalog.key_of((group, plural))
            watches = self.watches.interested(key, access.namespace, access.name)
            return of_write(watches, seats_max=seats_max)
        return ONE

    def _refusal(self, place: Place) -> TooManyRequests:
        level = place.classification.level
        retry_after = self._retry_after.setdefault(level, RetryAfter())
        seconds = retry_after.refused(int(self._seconds()))
        return TooManyRequests(_NO_SEAT, retry_after_s=seconds)

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
