"""One endpoint's replicas, its queue of waiting requests, and its wanted size.

All of it runs in the event loop; nothing here awaits except a request that waits for a place.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mizzen.base.clock import Clock
from mizzen.base.exposition import Histogram
from mizzen.base.names import PICKER
from mizzen.base.openai import OpenAIError
from mizzen.gateway.core import admit, scale
from mizzen.gateway.core.endpoints import Address, Endpoint
from mizzen.gateway.core.engine_metrics import EngineMetrics
from mizzen.gateway.core.picker import Candidate, Picker, RequestContext, find_pickers
from mizzen.gateway.core.prefixes import PrefixIndex

SUSPECT_S = 0.5  # a replica that broke a connection gets no request for this long
RECENT_MAX = 64  # finished requests that tell the pace of the queue
_FIRST_BYTE_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


@dataclass(slots=True)
class Replica:
    """A ready replica; a `suspect` one gets no requests for a moment."""

    address: Address
    in_flight: int = 0
    suspect: bool = False
    turn: int = 0
    prefixes: PrefixIndex = field(default_factory=PrefixIndex)
    metrics: EngineMetrics | None = None  # where the picker reads them


@dataclass(frozen=True, slots=True)
class Assignment:
    """The replicas on which a request has its places: `primary` answers it."""

    primary: Replica
    others: tuple[Replica, ...] = ()

    @property
    def replicas(self) -> tuple[Replica, ...]:
        return (self.primary, *self.others)


@dataclass(frozen=True, slots=True)
class ScaleDecision:
    """A change of the wanted replica count, as the demand writer gets it."""

    endpoint: Endpoint
    before: int
    replicas: int
    load: scale.Load
    cause: str
    request: str
    arrived_ns: int
    decided_ns: int


@dataclass(slots=True)
class _Waiter:
    context: RequestContext
    place: asyncio.Future[Assignment]
    avoid: frozenset[str]


class Pool:
    """Gives each request a place on a replica, in order of arrival."""

    def __init__(
        self, endpoint: Endpoint, clock: Clock, on_scale: Callable[[ScaleDecision], None]
    ) -> None:
        self.endpoint = endpoint
        self.replicas: dict[str, Replica] = {}
        self._clock = clock
        self._on_scale = on_scale
        self._queue: deque[_Waiter] = deque()
        self._in_flight = 0  # requests that hold a place, on replicas that left included
        self._scale = scale.initial(endpoint.policy, endpoint.demand)
        self._timer: asyncio.TimerHandle | None = None
        self._finished: deque[int] = deque(maxlen=RECENT_MAX)
        self._closed = False
        self._turn = 0  # requests that were given a place
        self.answers: Counter[int] = Counter()  # requests by HTTP status
        self.first_byte = Histogram(_FIRST_BYTE_S)  # seconds from arrival

    @property
    def load(self) -> scale.Load:
        return scale.Load(self._in_flight, len(self._queue))

    @property
    def wanted(self) -> int:
        return self._scale.replicas

    @property
    def reads_metrics(self) -> bool:
        """True if its picker reads the engines' metrics."""
        picker = self._picker
        return not self._closed and picker is not None and picker.reads_metrics

    @property
    def _picker(self) -> Picker | None:
        return find_pickers().get(self.endpoint.picker)

    def statistics(self) -> Mapping[str, int]:
        return {
            "in_flight": self._in_flight,
            "queued": len(self._queue),
            "ready": len(self.replicas),
            "wanted": self._scale.replicas,
        }

    # -- what the cluster says ----------------------------------------------------------

    def update(self, endpoint: Endpoint) -> None:
        """The endpoint's object changed."""
        self.endpoint = endpoint
        self._dispatch()
        self._evaluate(None)

    def set_replica(self, pod: str, address: Address | None) -> None:
        """A pod became ready, moved, or must get no more requests (`address` None)."""
        known = self.replicas.get(pod)
        if address is None:
            self.replicas.pop(pod, None)
        elif known is None or known.address != address:
            self.replicas[pod] = Replica(address)
        else:
            known.suspect = False
        self._dispatch()

    def set_metrics(self, replica: Replica, metrics: EngineMetrics | None) -> None:
        """An engine said something new of itself; None: it says nothing."""
        replica.metrics = metrics
        self._dispatch()

    def close(self) -> None:
        """Ends all waits: the endpoint is gone."""
        self._closed = True
        if self._timer:
            self._timer.cancel()
        for waiter in self._queue:
            if not waiter.place.done():
                waiter.place.set_exception(self._gone())
        self._queue.clear()

    # -- requests --------------------------------------------------------------------------

    async def acquire(
        self, context: RequestContext, avoid: frozenset[str] = frozenset()
    ) -> Assignment:
        """Places where the picker wants them; waits in the queue. Give them back with `release`.

        `avoid` names replicas that failed this request; they are taken only if they are all
        there is. Errors: OpenAIError 404, 429 or 503.
        """
        if self._closed:
            raise self._gone()
        if self._picker is None:
            raise self._unknown_picker()
        endpoint = self.endpoint
        waiter = _Waiter(context, asyncio.get_running_loop().create_future(), avoid)
        self._queue.append(waiter)
        self._dispatch()
        if not waiter.place.done() and len(self._queue) > endpoint.queue_max:
            self._queue.remove(waiter)
            self._evaluate(context)
            queued = len(self._queue)
            raise admit.queue_full(endpoint.served, queued, endpoint.queue_max, self._pace_s())
        self._evaluate(context)
        granted = False
        try:
            async with asyncio.timeout(endpoint.queue_timeout_s):
                assignment = await waiter.place
            granted = True
            return assignment
        except TimeoutError:
            raise self._waited_too_long() from None
        finally:
            if not granted:
                self._abandon(waiter)

    def release(self, assignment: Assignment, *, failed: bool = False) -> None:
        """Gives the places back; `failed` keeps requests off the primary for a moment."""
        for replica in assignment.replicas:
            replica.in_flight -= 1
        self._in_flight -= 1
        if failed:
            assignment.primary.suspect = True
            asyncio.get_running_loop().call_later(SUSPECT_S, self._trust, assignment.primary)
        else:
            self._finished.append(self._clock.monotonic_ns())
        self._dispatch()
        self._evaluate(None)

    def _abandon(self, waiter: _Waiter) -> None:
        """Tidies up after a wait that ended without a place in the caller's hands."""
        place = waiter.place
        if place.done() and not place.cancelled() and place.exception() is None:
            self.release(place.result())  # given in the very moment the client left
        elif waiter in self._queue:
            self._queue.remove(waiter)
            self._evaluate(None)

    def _gone(self) -> OpenAIError:
        name = self.endpoint.served
        return OpenAIError(404, f'the model "{name}" was deleted', code="model_not_found")

    def _unknown_picker(self) -> OpenAIError:
        endpoint = self.endpoint
        return OpenAIError(
            503,
            f'model "{endpoint.served}": annotation {PICKER} of ModelEndpoint "{endpoint.key}": '
            f'there is no picker "{endpoint.picker}"; there are {", ".join(find_pickers())}',
            code="unknown_picker",
        )

    def _waited_too_long(self) -> OpenAIError:
        endpoint = self.endpoint
        return admit.waited_too_long(
            endpoint.served,
            round(endpoint.queue_timeout_s),
            len(self.replicas),
            endpoint.problem,
            self._pace_s(),
        )

    def _trust(self, replica: Replica) -> None:
        replica.suspect = False
        self._dispatch()

    def _dispatch(self) -> None:
        """Gives free places to waiting requests, the oldest first.

        One that waits for another replica than failed it holds up nobody behind it.
        """
        at = 0
        while at < len(self._queue):
            waiter = self._queue[at]
            if waiter.place.done():  # its client left in this very moment
                del self._queue[at]
                continue
            assignment = self._choose(waiter)
            if assignment is None:
                if not waiter.avoid:
                    return  # there is no place for anybody
                at += 1
                continue
            del self._queue[at]
            self._turn += 1
            self._in_flight += 1
            for replica in assignment.replicas:
                replica.in_flight += 1
                replica.turn = self._turn
                replica.prefixes.add(waiter.context.hashes)
            waiter.place.set_result(assignment)

    def _choose(self, waiter: _Waiter) -> Assignment | None:
        picker = self._picker
        if picker is None:
            return None
        sound = {name: replica for name, replica in self.replicas.items() if not replica.suspect}
        fresh = {name: sound[name] for name in sound if name not in waiter.avoid}
        capacity, hashes = self.endpoint.replica_capacity, waiter.context.hashes
        pick = picker.pick(
            waiter.context,
            [
                Candidate(name, r.in_flight, capacity, r.prefixes.cached(hashes), r.turn, r.metrics)
                for name, r in (fresh or sound).items()
            ],
        )
        if pick is None:
            return None
        others = tuple(self.replicas[name] for name in pick.others)
        return Assignment(self.replicas[pick.primary], others)

    def _pace_s(self) -> int:
        if not self._finished:
            return admit.retry_after_s(len(self._queue), 0, 1)
        window = max(0.001, (self._clock.monotonic_ns() - self._finished[0]) / 1e9)
        return admit.retry_after_s(len(self._queue), len(self._finished), window)

    # -- scale ----------------------------------------------------------------------------

    def _evaluate(self, context: RequestContext | None) -> None:
        """Asks how many replicas are wanted now, and says so when that changed."""
        if self._closed:
            return
        policy, load = self.endpoint.policy, self.load
        before = self._scale.replicas
        self._scale = scale.decide(policy, self._scale, load, self._clock.monotonic_ns())
        self._set_timer(scale.due_ns(policy, self._scale))
        after = self._scale.replicas
        if after == before:
            return
        now = self._clock.now_ns()
        request = context.id if context else ""
        self._on_scale(
            ScaleDecision(
                endpoint=self.endpoint,
                before=before,
                replicas=after,
                load=load,
                cause=scale.cause(policy, load, request, rises=after > before),
                request=request,
                arrived_ns=context.arrived_ns if context else now,
                decided_ns=now,
            )
        )

    def _set_timer(self, due_ns: int | None) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if due_ns is not None:
            delay_s = max(0.0, (due_ns - self._clock.monotonic_ns()) / 1e9)
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(delay_s, self._evaluate, None)
