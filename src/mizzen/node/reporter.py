"""Carries pod statuses to the API with few writes and loses none.

A pod stays marked until the API agrees with its state. What is due at one moment goes as one
plan; a plan that is refused is sent again pod by pod from fresh objects.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from mizzen.base.errors import (
    ApiError,
    Conflict,
    NotFound,
    Timeout,
    TooManyRequests,
    Unavailable,
)
from mizzen.base.objects import Obj
from mizzen.base.operations import Operation
from mizzen.base.reading import part
from mizzen.base.resources import PODS
from mizzen.client.client import Client

GATHER_S = 0.002  # what happens together is written together
RETRY_FIRST_S, RETRY_MAX_S = 0.1, 5.0
REFUSED_AGAIN_S = 10.0
PLAN_PODS_MAX = 200


class Source(Protocol):
    """The reporter's view of the agent: what is due to be reported."""

    def due_writes(self, uid: str) -> list[Operation]: ...
    def identity(self, uid: str) -> tuple[str, str] | None: ...
    def on_written(self, uid: str, pod: Obj) -> None: ...
    def on_vanished(self, uid: str) -> None: ...
    def on_refused(self, uid: str, message: str) -> None: ...


class Reporter:
    """Marks in, API writes out; `run` until cancelled."""

    def __init__(self, client: Client, source: Source, on_error: Callable[[str], None]) -> None:
        self._client = client
        self._source = source
        self._on_error = on_error
        self._marked: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._counts: Counter[str] = Counter()
        self.idle = asyncio.Event()

    def statistics(self) -> Mapping[str, int]:
        return {"marked": len(self._marked), **self._counts}

    def mark(self, uid: str) -> None:
        """This pod's state may differ from what the API says."""
        self._marked[uid] = None
        self.idle.clear()
        self._wake.set()

    async def run(self) -> None:
        pause = RETRY_FIRST_S
        while True:
            if not self._marked:
                self.idle.set()
                self._wake.clear()
                await self._wake.wait()
                await asyncio.sleep(GATHER_S)
            batch = list(self._marked)[:PLAN_PODS_MAX]
            for uid in batch:
                del self._marked[uid]
            is_written = False
            try:
                await self._write(batch)
                is_written, pause = True, RETRY_FIRST_S
            except ApiError as error:
                self._counts["unavailable"] += 1
                self._on_error(f"the API takes no status: {error.message}")
            finally:  # also after a fault of ours, which ends this loop for a while
                for uid in () if is_written else batch:
                    self._marked.setdefault(uid)
            if not is_written:
                await asyncio.sleep(pause)
                pause = min(pause * 2, RETRY_MAX_S)

    async def _write(self, uids: Sequence[str]) -> None:
        due = {uid: operations for uid in uids if (operations := self._source.due_writes(uid))}
        if not due:
            return
        self._counts["writes"] += 1
        try:
            results = await self._client.commit([o for ops in due.values() for o in ops])
        except (ApiError, TypeError, ValueError) as error:
            if isinstance(error, ApiError) and _is_outage(error):
                raise
            self._counts["refused"] += 1  # one of them, perhaps for text that JSON cannot hold
            for uid in due:
                await self._write_alone(uid)
            return
        position = 0
        for uid, operations in due.items():
            self._took(uid, operations, results[position : position + len(operations)])
            position += len(operations)

    def _took(self, uid: str, operations: Sequence[Operation], results: Sequence[Obj]) -> None:
        for result in results[: len(operations)]:
            if result.get("kind") == "Pod" and part(result, "metadata").get("uid") == uid:
                self._source.on_written(uid, result)

    async def _write_alone(self, uid: str) -> None:
        """Reads the pod again and tries once more; a second conflict waits for the next round."""
        name = self._source.identity(uid)
        if name is None:
            return
        try:
            pod = await self._client.get(PODS, name[1], name[0])
            if pod["metadata"].get("uid") != uid:
                self._source.on_vanished(uid)
                return
            self._source.on_written(uid, pod)
            operations = self._source.due_writes(uid)
            if operations:
                self._took(uid, operations, await self._client.commit(operations))
        except NotFound:
            self._source.on_vanished(uid)
        except Conflict:
            self.mark(uid)
        except ApiError as error:
            if _is_outage(error):
                self.mark(uid)
                raise
            self._refused(uid, error.message)
        except (TypeError, ValueError) as error:
            self._refused(uid, str(error))

    def _refused(self, uid: str, message: str) -> None:
        """Keeps a refused update for a later attempt; other pods do not wait."""
        self._counts["rejected"] += 1
        self._source.on_refused(uid, message)
        asyncio.get_running_loop().call_later(REFUSED_AGAIN_S, self.mark, uid)


def _is_outage(error: ApiError) -> bool:
    """True if the API takes no requests at all: it is away, busy, or its disk is full."""
    return isinstance(error, Unavailable | TooManyRequests | Timeout)
