"""Events (core/v1) about objects: repeats become counts, floods become sums; never blocks."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mizzen.base.clock import Clock, rfc3339
from mizzen.base.errors import AlreadyExists, ApiError, NotFound, TooManyRequests, Unavailable
from mizzen.base.objects import Obj, name_of, reference_to
from mizzen.base.operations import Create, Operation, Patch
from mizzen.base.resources import EVENTS
from mizzen.client.backoff import Backoff
from mizzen.client.client import Client

MESSAGE_CHARS_MAX = 1024  # as the API server allows
SERIES_MAX = 8192  # distinct events remembered for counting; more than may wait
WAITING_MAX = 4096  # distinct events that wait to be written
PLAN_EVENTS = 250  # written at a time, on an API server with Plans
MESSAGES_PER_REASON_MAX = 10  # more of one object and reason are summed up in one event
WRITES_PER_S = 20.0
BURST = 50.0

SEPARATOR = ", "
COMBINED_CHARS = 48  # at most, of what a combined message says first
REPEATS_MAX = 25  # of one event that are written at once
REPEAT_AGAIN_S = 300.0  # then one in this time says what has been counted
# namespace, object's uid and the part of it that is meant, or "", type + reason, message
_SeriesKey = tuple[str, str, str, str]


@dataclass(slots=True)
class _Series:
    """One stored Event and what must be added to it.

    Thousands are remembered, for as long as their Events may repeat: those that wait for nothing
    keep no body.
    """

    body: Obj
    name: str = ""  # of the stored Event, "" before the first write
    count: int = 0
    repeats: float = REPEATS_MAX  # that may be written still
    repeated_at: float = 0.0

    def may_repeat(self) -> bool:
        """Whether one more occurrence of what is stored is written now, or counted only."""
        now = time.monotonic()
        back = (now - self.repeated_at) / REPEAT_AGAIN_S if self.repeated_at else 0.0
        self.repeats, self.repeated_at = min(REPEATS_MAX, self.repeats + back), now
        if self.repeats < 1:
            return False
        self.repeats -= 1
        return True


_Batch = list[tuple[_SeriesKey, _Series]]


class EventRecorder:
    """Writes Events in the background; `event` never waits and never fails.

    The same message about the same object raises `count`, which is written the first REPEATS_MAX
    times and from then on every REPEAT_AGAIN_S. Beyond the bounds above further
    events are summed up in one of the same reason (`count` tells how many), never dropped.
    Where the server has Plans, what waits together is written together. Elsewhere, once the rate
    is used up, new events of one reason and namespace that wait together become one Event, which
    names them all and counts them; the object it is about is that of the first.
    An Event that the server refuses is counted in `statistics()["refused"]`.
    """

    def __init__(
        self, client: Client, component: str, clock: Clock | None = None, host: str = ""
    ) -> None:
        """`host`: the node that the component is of."""
        self._client = client
        self._component = component
        self._host = host
        self._now_ns = clock.now_ns if clock is not None else time.time_ns
        self._series: OrderedDict[_SeriesKey, _Series] = OrderedDict()
        self._waiting: OrderedDict[_SeriesKey, _Series] = OrderedDict()
        self._distinct: OrderedDict[tuple[str, str], tuple[str, ...]] = OrderedDict()
        self._writer: asyncio.Task[None] | None = None
        self._tokens = BURST
        self._tokens_at = time.monotonic()
        self._counts: Counter[str] = Counter()

    def statistics(self) -> Mapping[str, int]:
        return {"waiting": len(self._waiting), **self._counts}

    def event(
        self,
        obj: Obj,
        type: Literal["Normal", "Warning"],
        reason: str,
        message: str,
        field_path: str = "",
    ) -> None:
        """Notes that `reason` happened to `obj`, or what `field_path` names in it; must be called
        inside the event loop."""
        self._counts["events"] += 1
        reference = reference_to(obj)
        if field_path:
            reference["fieldPath"] = field_path
        namespace = str(reference.get("namespace") or "default")
        uid = f"{reference['uid']}{field_path}"
        text = message[:MESSAGE_CHARS_MAX]
        kind = sys.intern(f"{type} {reason}")
        key: _SeriesKey = (namespace, uid, kind, text)
        if key not in self._series and self._is_flood(uid, kind, text):
            key = (namespace, uid, kind, "")
        if key not in self._waiting and len(self._waiting) >= WAITING_MAX:
            key = (namespace, "", kind, "")
            self._counts["summed_up"] += 1
        self._note(key, reference, type, reason, text)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.get_running_loop().create_task(self._write_waiting())

    async def flush(self) -> None:
        """Waits until all that was noted is written (or refused)."""
        while self._writer is not None and not self._writer.done():
            await asyncio.wait((self._writer,))

    def _is_flood(self, uid: str, kind: str, text: str) -> bool:
        """True if one object has had too many different messages of one reason."""
        known = self._distinct.setdefault((uid, kind), ())
        self._distinct.move_to_end((uid, kind))
        if len(self._distinct) > SERIES_MAX:
            self._distinct.popitem(last=False)
        if text in known:
            return False
        if len(known) >= MESSAGES_PER_REASON_MAX:
            return True
        self._distinct[uid, kind] = (*known, text)
        return False

    def _note(self, key: _SeriesKey, reference: Obj, type: str, reason: str, text: str) -> None:
        now = rfc3339(self._now_ns())
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = _Series({})
            if len(self._series) > SERIES_MAX:
                self._series.popitem(last=False)
        is_idle = not series.body
        if is_idle:
            series.body = self._body(reference, key[0], type, reason, now)
        self._series.move_to_end(key)
        series.count += 1
        series.body["message"] = text if key[3] else f"(combined from similar events): {text}"
        series.body["lastTimestamp"] = now
        series.body["count"] = series.count
        if not series.name or key in self._waiting or series.may_repeat():
            self._waiting[key] = series
        else:
            self._counts["counted_only"] += 1
            series.body = {} if is_idle else series.body

    def _body(self, reference: Obj, namespace: str, type: str, reason: str, now: str) -> Obj:
        source = {"component": self._component}
        body: Obj = {
            "metadata": {"namespace": namespace},
            "involvedObject": reference,
            "type": type,
            "reason": reason,
            "source": source,
            "reportingComponent": self._component,
            "firstTimestamp": now,
        }
        if self._host:
            source["host"] = body["reportingInstance"] = self._host
        return body

    async def _write_waiting(self) -> None:
        backoff = Backoff(first_s=0.1, max_s=10.0)
        while self._waiting:
            is_late = await self._take_token()
            batch = [self._waiting.popitem(last=False)]
            try:
                if self._waiting and await self._client.serves_plans():
                    while self._waiting and len(batch) < PLAN_EVENTS:
                        batch.append(self._waiting.popitem(last=False))
                elif is_late:
                    batch = [self._with_those_alike(*batch[0])]
                await self._write(batch)
                backoff.reset()
            except (Unavailable, TooManyRequests):
                for key, series in reversed(batch):
                    self._waiting.setdefault(key, series)
                    self._waiting.move_to_end(key, last=False)
                await asyncio.sleep(backoff.next_s())

    def _with_those_alike(self, key: _SeriesKey, first: _Series) -> tuple[_SeriesKey, _Series]:
        """One series instead of those of its namespace and reason that wait right behind it, none
        of them stored yet; as many as one message holds."""
        if first.name or not key[1]:
            return key, first
        texts, count = [_named(key, first)], first.count
        shared, chars = texts[0], len(texts[0])
        while self._waiting:
            other, series = next(iter(self._waiting.items()))
            if (other[0], other[2]) != (key[0], key[2]) or not other[1] or series.name:
                break
            text = _named(other, series)
            begin = _shared_words(shared, text)
            between = len(texts) * (len(SEPARATOR) - len(begin))
            if COMBINED_CHARS + chars + len(text) + between > MESSAGE_CHARS_MAX:
                break
            texts.append(text)
            shared, chars, count = begin, chars + len(text), count + series.count
            del self._waiting[other]
            self._series.pop(other, None)
        if len(texts) == 1:
            return key, first
        self._series.pop(key, None)
        self._counts["combined"] += len(texts)
        each = SEPARATOR.join(text[len(shared) :] for text in texts)
        told = f"(combined from {count} similar events): {shared}{each}"
        body = {**first.body, "message": told, "count": count}
        return (key[0], "", key[2], told), _Series(body, count=count)

    async def _write(self, batch: _Batch) -> None:
        """All at once, or each by itself where they are refused together.

        Errors: Unavailable, TooManyRequests.
        """
        if len(batch) > 1:
            try:
                await self._client.commit([self._operation(series) for _, series in batch])
            except (Unavailable, TooManyRequests):
                raise
            except ApiError:  # one of them, perhaps: it expired, or was written unbeknown to us
                self._counts["plans_refused"] += 1
            else:
                self._counts["writes"] += len(batch)
                for key, series in batch:
                    self._note_stored(key, series)
                return
        for index, (key, series) in enumerate(batch):
            try:
                await self._write_one(series)
                self._note_stored(key, series)
            except (Unavailable, TooManyRequests):
                del batch[:index]  # those are written
                raise
            except ApiError:
                self._counts["refused"] += 1
                self._series.pop(key, None)

    def _note_stored(self, key: _SeriesKey, series: _Series) -> None:
        series.name = series.name or name_of(series.body)
        if key not in self._waiting:  # else it happened again meanwhile
            series.body = {}

    def _operation(self, series: _Series) -> Operation:
        namespace = str(series.body["metadata"]["namespace"])
        if series.name:
            return Patch(EVENTS, namespace, series.name, _change(series))
        self._give_name(series)
        return Create(EVENTS, series.body)

    async def _write_one(self, series: _Series) -> None:
        self._counts["writes"] += 1
        if series.name:
            namespace = str(series.body["metadata"]["namespace"])
            try:
                await self._client.patch(EVENTS, series.name, _change(series), namespace)
            except NotFound:  # it expired; begin anew
                series.name = ""
                series.body["metadata"].pop("name", None)
            else:
                return
        self._give_name(series)
        with contextlib.suppress(AlreadyExists):
            await self._client.create(EVENTS, series.body)

    def _give_name(self, series: _Series) -> None:
        """A name of our own, so that a write without an answer is not written twice."""
        if not series.body["metadata"].get("name"):
            self._counts["named"] += 1
            unique = f"{self._now_ns() + self._counts['named']:x}"
            about = str(series.body["involvedObject"]["name"])[:200]
            series.body["metadata"]["name"] = f"{about}.{unique}"

    async def _take_token(self) -> bool:
        """Waits while the burst is used up, and says whether; tokens come back at WRITES_PER_S."""
        now = time.monotonic()
        self._tokens = min(BURST, self._tokens + (now - self._tokens_at) * WRITES_PER_S)
        self._tokens_at = now
        is_late = self._tokens < 1
        if is_late:
            await asyncio.sleep((1 - self._tokens) / WRITES_PER_S)
        self._tokens -= 1
        return is_late


def _change(series: _Series) -> Obj:
    """The change that one more occurrence makes to the stored Event."""
    return {name: series.body[name] for name in ("message", "lastTimestamp", "count")}


def _named(key: _SeriesKey, series: _Series) -> str:
    """The message, which is to say whom it is about."""
    name = str(series.body["involvedObject"]["name"])
    return key[3] if name in key[3] else f"{name}: {key[3]}"


def _shared_words(one: str, other: str) -> str:
    """The whole words with which both begin, the blank behind them included."""
    if other.startswith(one) and one.endswith(" "):
        return one
    end = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
    return one[: one.rfind(" ", 0, end) + 1]
