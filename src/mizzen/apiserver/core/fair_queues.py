"""Fair queues: how many requests of whom are served at a time, and who is next.

Each priority level has seats of its own, may lend some of them and may borrow what nobody needs.
Beyond that its requests wait in queues. A flow (one user's requests, say) is dealt a hand of a few
queues and waits in the shortest: two flows rarely share a whole hand, so a greedy one lengthens
its own queues and the others' requests pass it by. Whose turn it is, start-time fair queueing says:
the queue that has been served least.

A request may take several seats (`work_estimate.py`). One that needs more than are free holds up
the others of its level until it has them, or there would always be a narrow one to pass it by.

Source: KEP-1040; P. Goyal et al., Start-time Fair Queueing, 1996. Lending is decided request by
request here, where upstream moves seats every ten seconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from math import ceil
from typing import Any

from mizzen.apiserver.core.work_estimate import ONE, Work

_FIRST_GUESS_S = 0.003  # of a request's time, before there is any
_SMOOTHING = 0.1
_SEATS_PERCENT_MAX = 15  # of a level's own, that one request may take


@dataclass(frozen=True, slots=True)
class LevelLimits:
    """One priority level. `shares` are of all seats; `queues` 0 refuses what finds no seat;
    `borrowing_percent` None is without limit."""

    shares: int
    lendable_percent: int = 0
    borrowing_percent: int | None = None
    queues: int = 0
    hand_size: int = 1
    queue_length: int = 0


@dataclass(slots=True, eq=False)
class Ticket:
    """One request's place. `payload` is the caller's: what to wake when its turn has come."""

    level: _Level
    work: Work
    queue: _Queue | None = None
    seats: int = 0  # that it has
    started_s: float | None = None
    charged_s: float = 0.0  # seats times seconds
    payload: Any = None


@dataclass(slots=True, eq=False)
class _Queue:
    waiting: deque[Ticket] = field(default_factory=deque[Ticket])
    seats_waiting: int = 0
    executing: int = 0  # seats
    virtual_start: float = 0.0


@dataclass(slots=True, eq=False)
class _Level:
    limits: LevelLimits
    nominal: int = 1
    least: int = 0  # seats that it never lends
    most: int = 1
    seats_max: int = 1  # of one request
    executing: int = 0  # seats
    waiting: int = 0  # requests
    rejected: int = 0
    queues: list[_Queue] = field(default_factory=list[_Queue])
    busy: dict[_Queue, None] = field(default_factory=dict[_Queue, None])  # with somebody waiting
    virtual_now: float = 0.0
    usual_s: float = _FIRST_GUESS_S


class FairQueues:
    """All levels of one server. Times are seconds of one monotonic clock."""

    def __init__(self, seats: int) -> None:
        self._seats = seats
        self._executing = 0
        self._waiting = 0
        self._levels: dict[str, _Level] = {}

    def configure(self, limits: Mapping[str, LevelLimits]) -> None:
        """Changes the levels; what waits or runs in one that is gone comes to its end."""
        total = sum(each.shares for each in limits.values()) or 1
        kept: dict[str, _Level] = {}
        for name, each in limits.items():
            level = kept[name] = self._levels.get(name) or _Level(each)
            level.limits = each
            level.nominal = max(1, ceil(self._seats * each.shares / total))
            level.least = level.nominal - level.nominal * each.lendable_percent // 100
            borrowed = each.borrowing_percent
            share = ceil(level.nominal * _SEATS_PERCENT_MAX / 100)
            level.seats_max = max(1, min(share, level.nominal // each.hand_size))
            level.most = self._seats
            if borrowed is not None:
                level.most = level.nominal + level.nominal * borrowed // 100
            while len(level.queues) < each.queues:
                level.queues.append(_Queue())
        for name, level in self._levels.items():
            if name not in kept and (level.waiting or level.executing):
                level.least, level.nominal = 0, max(1, level.nominal)
                kept[name] = level
        self._levels = kept

    def seats_max(self, name: str) -> int:
        """What one request of a level may take. Errors: KeyError for an unknown level."""
        return self._levels[name].seats_max

    def arrive(self, name: str, flow: str, now_s: float, work: Work = ONE) -> Ticket | None:
        """A place for a request; `started_s` is set if it may start at once, None if it waits.

        None where there is no room to wait. Errors: KeyError for an unknown level.
        """
        level = self._levels[name]
        ticket = Ticket(level, work)
        if not level.waiting and self._has_seats(level, ticket):
            self._start(ticket, now_s)
            return ticket
        queue = self._shortest(level, flow)
        if queue is None or len(queue.waiting) >= level.limits.queue_length:
            level.rejected += 1
            return None
        if not queue.waiting and not queue.executing:
            queue.virtual_start = max(queue.virtual_start, level.virtual_now)
        queue.waiting.append(ticket)
        queue.seats_waiting += work.width
        level.busy[queue] = None
        level.waiting += 1
        self._waiting += 1
        ticket.queue = queue
        return ticket

    def served(self, ticket: Ticket, now_s: float) -> None:
        """The request has been answered; its seats are its own until `finish`."""
        level, queue = ticket.level, ticket.queue
        assert ticket.started_s is not None, "it has not started"
        took_s = max(0.0, now_s - ticket.started_s)
        level.usual_s += _SMOOTHING * (took_s - level.usual_s)
        if queue is not None:
            queue.virtual_start += _cost(ticket.work, took_s) - ticket.charged_s

    def finish(self, ticket: Ticket, now_s: float) -> list[Ticket]:
        """Frees the seats of a request that was served; returns those whose turn has come."""
        level, queue = ticket.level, ticket.queue
        level.executing -= ticket.seats
        self._executing -= ticket.seats
        if queue is not None:
            queue.executing -= ticket.seats
        return list(self._dispatch(now_s)) if self._waiting else []

    def give_up(self, ticket: Ticket, now_s: float) -> list[Ticket]:
        """Takes away a request that waits; returns those that waited for it alone."""
        level, queue = ticket.level, ticket.queue
        assert queue is not None and ticket.started_s is None, "it does not wait"
        queue.waiting.remove(ticket)
        queue.seats_waiting -= ticket.work.width
        level.waiting -= 1
        self._waiting -= 1
        if not queue.waiting:
            level.busy.pop(queue, None)
        return list(self._dispatch(now_s)) if self._waiting else []

    def statistics(self) -> dict[str, dict[str, int]]:
        """By level: seats taken, requests that wait, those refused so far."""
        return {
            name: {
                "executing": level.executing,
                "waiting": level.waiting,
                "rejected": level.rejected,
                "seats": level.nominal,
            }
            for name, level in self._levels.items()
        }

    def _has_seats(self, level: _Level, ticket: Ticket) -> bool:
        """Whether a request may start now; it has its `seats` then.

        It never wants more than the level has of its own, which may have become fewer meanwhile.
        """
        seats = ticket.seats = min(ticket.work.width, level.nominal)
        wanted = level.executing + seats
        if wanted <= level.nominal and self._executing + seats <= self._seats:
            return True
        if wanted > level.most:
            return False
        needed = sum(
            max(0, other.least - other.executing)
            for other in self._levels.values()
            if other is not level
        )
        return self._executing + seats + needed <= self._seats

    def _dispatch(self, now_s: float) -> Iterator[Ticket]:
        """Levels in order of how little of their own they have; within one, by who is done first
        if all had the same share of it."""
        waiting = [level for level in self._levels.values() if level.waiting]
        for level in sorted(waiting, key=lambda each: each.executing / each.nominal):
            usual_s = level.usual_s
            while level.busy:
                queue = min(
                    level.busy,
                    key=lambda each: each.virtual_start + _cost(each.waiting[0].work, usual_s),
                )
                ticket = queue.waiting[0]
                if not self._has_seats(level, ticket):
                    break
                self._take(level, queue, ticket)
                self._start(ticket, now_s)
                yield ticket

    def _take(self, level: _Level, queue: _Queue, ticket: Ticket) -> None:
        """Takes the first of a queue out of it, and charges the queue what it will cost."""
        queue.waiting.popleft()
        queue.seats_waiting -= ticket.work.width
        level.waiting -= 1
        self._waiting -= 1
        if not queue.waiting:
            del level.busy[queue]
        level.virtual_now = max(level.virtual_now, queue.virtual_start)
        ticket.charged_s = _cost(ticket.work, level.usual_s)
        queue.virtual_start += ticket.charged_s
        queue.executing += ticket.seats

    def _start(self, ticket: Ticket, now_s: float) -> None:
        ticket.started_s = now_s
        ticket.level.executing += ticket.seats
        self._executing += ticket.seats

    def _shortest(self, level: _Level, flow: str) -> _Queue | None:
        count = level.limits.queues
        hand = [level.queues[index] for index in dealt(flow, count, level.limits.hand_size)]
        return min(hand, key=lambda each: each.seats_waiting + each.executing, default=None)


def _cost(work: Work, took_s: float) -> float:
    """Seats times seconds."""
    return work.seats * took_s + work.final_seats * work.final_s


def dealt(flow: str, deck: int, hand_size: int) -> list[int]:
    """The hand of a flow: `hand_size` different numbers below `deck`, by its name alone."""
    value = int.from_bytes(blake2b(flow.encode(), digest_size=16).digest(), "little")
    cards = list(range(deck))
    hand: list[int] = []
    for _ in range(min(hand_size, deck)):
        value, index = divmod(value, len(cards))
        hand.append(cards.pop(index))
    return hand
