"""Fair queues: how many requests of whom are served at a time, and who is next.

Each priority level has seats of its own, may lend some of them and may borrow what nobody needs.
Beyond that its requests wait in queues. A flow (one user's requests, say) is dealt a hand of a few
queues and waits in the shortest: two flows rarely share a whole hand, so a greedy one lengthens
its own queues and the others' requests pass it by. Whose turn it is, start-time fair queueing says:
the queue that has been served least.

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

_FIRST_GUESS_S = 0.003  # of a request's time, before there is any
_SMOOTHING = 0.1


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
    queue: _Queue | None = None
    started_s: float | None = None
    charged_s: float = 0.0
    payload: Any = None


@dataclass(slots=True, eq=False)
class _Queue:
    waiting: deque[Ticket] = field(default_factory=deque[Ticket])
    executing: int = 0
    virtual_start: float = 0.0


@dataclass(slots=True, eq=False)
class _Level:
    limits: LevelLimits
    nominal: int = 1
    least: int = 0  # seats that it never lends
    most: int = 1
    executing: int = 0
    waiting: int = 0
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

    def arrive(self, name: str, flow: str, now_s: float) -> Ticket | None:
        """A place for a request; `started_s` is set if it may start at once, None if it waits.

        None where there is no room to wait. Errors: KeyError for an unknown level.
        """
        level = self._levels[name]
        ticket = Ticket(level)
        if not level.waiting and self._has_seat(level):
            self._start(ticket, now_s)
            return ticket
        queue = self._shortest(level, flow)
        if queue is None or len(queue.waiting) >= level.limits.queue_length:
            level.rejected += 1
            return None
        if not queue.waiting and not queue.executing:
            queue.virtual_start = max(queue.virtual_start, level.virtual_now)
        queue.waiting.append(ticket)
        level.busy[queue] = None
        level.waiting += 1
        self._waiting += 1
        ticket.queue = queue
        return ticket

    def finish(self, ticket: Ticket, now_s: float) -> list[Ticket]:
        """Ends a request that has started; returns those whose turn has come."""
        level, queue = ticket.level, ticket.queue
        assert ticket.started_s is not None, "it has not started"
        took_s = max(0.0, now_s - ticket.started_s)
        level.usual_s += _SMOOTHING * (took_s - level.usual_s)
        level.executing -= 1
        self._executing -= 1
        if queue is not None:
            queue.executing -= 1
            queue.virtual_start += took_s - ticket.charged_s
        return list(self._dispatch(now_s)) if self._waiting else []

    def give_up(self, ticket: Ticket) -> None:
        """Takes away a request that waits."""
        level, queue = ticket.level, ticket.queue
        assert queue is not None and ticket.started_s is None, "it does not wait"
        queue.waiting.remove(ticket)
        level.waiting -= 1
        self._waiting -= 1
        if not queue.waiting:
            level.busy.pop(queue, None)

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

    def _has_seat(self, level: _Level) -> bool:
        if level.executing < level.nominal and self._executing < self._seats:
            return True
        if level.executing >= level.most:
            return False
        needed = sum(
            max(0, other.least - other.executing)
            for other in self._levels.values()
            if other is not level
        )
        return self._executing + needed < self._seats

    def _dispatch(self, now_s: float) -> Iterator[Ticket]:
        """Levels in order of how little of their own they have; within one, by served time."""
        waiting = [level for level in self._levels.values() if level.waiting]
        for level in sorted(waiting, key=lambda each: each.executing / each.nominal):
            while level.busy and self._has_seat(level):
                queue = min(level.busy, key=lambda each: each.virtual_start)
                ticket = queue.waiting.popleft()
                level.waiting -= 1
                self._waiting -= 1
                if not queue.waiting:
                    del level.busy[queue]
                level.virtual_now = max(level.virtual_now, queue.virtual_start)
                ticket.charged_s = level.usual_s
                queue.virtual_start += level.usual_s
                queue.executing += 1
                self._start(ticket, now_s)
                yield ticket

    def _start(self, ticket: Ticket, now_s: float) -> None:
        ticket.started_s = now_s
        ticket.level.executing += 1
        self._executing += 1

    def _shortest(self, level: _Level, flow: str) -> _Queue | None:
        count = level.limits.queues
        hand = [level.queues[index] for index in dealt(flow, count, level.limits.hand_size)]
        return min(hand, key=lambda each: len(each.waiting) + each.executing, default=None)


def dealt(flow: str, deck: int, hand_size: int) -> list[int]:
    """The hand of a flow: `hand_size` different numbers below `deck`, by its name alone."""
    value = int.from_bytes(blake2b(flow.encode(), digest_size=16).digest(), "little")
    cards = list(range(deck))
    hand: list[int] = []
    for _ in range(min(hand_size, deck)):
        value, index = divmod(value, len(cards))
        hand.append(cards.pop(index))
    return hand
