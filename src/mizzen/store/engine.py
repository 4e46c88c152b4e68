"""The one writer: stages transactions, commits them in groups, then lets them be seen.

Order, which is the whole point: stage (preconditions, revisions) -> the log makes the group
durable -> memory -> watchers -> the callers' futures. While one group is on its way to the
disk the next one gathers, so a slow disk makes groups larger, not callers wait in line.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor

from mizzen.base.errors import AlreadyExists, Conflict, Expired, InsufficientStorage, NotFound
from mizzen.store.encoding import encode
from mizzen.store.log import Log
from mizzen.store.state import State
from mizzen.store.store import (
    BATCH_BYTES_MAX,
    HISTORY_BATCH_BYTES_MAX,
    Counters,
    Event,
    EventType,
    Extent,
    ObjectKey,
    Page,
    Put,
    Record,
    Remove,
    Stored,
    Subscription,
    Write,
)
from mizzen.store.watchers import Watchers

_REPLAY_EVENTS = 1024  # read from history at a time, or BATCH_BYTES_MAX of them
_GROUP_WRITES = 2048  # most writes that share one durable commit
_PLACES_MAX = 1 << 16  # resources and namespaces whose last change is known; then all have changed


class _Transaction:
    """Writes that stand or fall together, on their way to the disk."""

    __slots__ = ("done", "events", "records", "refused", "rests_on")

    def __init__(self, done: asyncio.Future[list[Stored]]) -> None:
        self.done = done
        self.events: list[Event] = []
        self.records: list[Record] = []
        self.rests_on: list[_Transaction] = []  # pending ones whose objects it changed again
        self.refused = ""  # why it was not written


def _named(key: ObjectKey) -> str:
    return f'{key.resource} "{key.name}"'


_Pending = dict[ObjectKey, tuple[Stored | None, _Transaction]]
_NONE: _Pending = {}


class Engine:
    """`Store` over a `Log`; with an executor the log is written in its thread."""

    def __init__(self, log: Log, executor: Executor | None) -> None:
        self._log = log
        self._executor = executor
        revision, self._time_ns, objects = log.load()
        self._state = State(revision)
        self._state.load(objects)
        self._assigned = revision
        self._watchers = Watchers()
        # What is on its way to the disk, by resource, as lists of it are asked for.
        self._pending: dict[str, _Pending] = {}
        self._changes = self._changes_forgotten = 0
        self._last_changes: dict[tuple[str, str], int] = {}
        self._staged: list[_Transaction] = []
        self._flusher: asyncio.Task[None] | None = None
        self._counters = Counters()

    # -- reading ----------------------------------------------------------------

    @property
    def revision(self) -> int:
        return self._state.revision

    @property
    def assigned(self) -> int:
        return self._assigned

    @property
    def oldest(self) -> int:
        return self._log.oldest

    @property
    def changes(self) -> int:
        return self._changes

    def last_change(self, resource: str, namespace: str = "") -> int:
        return self._last_changes.get((resource, namespace), self._changes_forgotten)

    def get(self, key: ObjectKey) -> Stored | None:
        return self._state.get(key)

    def peek(self, key: ObjectKey) -> Stored | None:
        pending = self._pending.get(key.resource, _NONE).get(key)
        return pending[0] if pending else self._state.get(key)

    def peek_all(self, resource: str, namespace: str = "") -> Sequence[Stored]:
        items = self._state.page(resource, namespace, None, 0, 0).items
        pending = {
            key: stored
            for key, (stored, _) in self._pending.get(resource, _NONE).items()
            if not namespace or key.namespace == namespace
        }
        if not pending:
            return items
        merged: dict[ObjectKey, Stored | None] = {stored.key: stored for stored in items}
        merged.update(pending)
        return [stored for _, stored in sorted(merged.items()) if stored is not None]

    def list(
        self,
        resource: str,
        namespace: str = "",
        *,
        after: tuple[str, str] | None = None,
        limit: int = 0,
        revision: int = 0,
    ) -> Page:
        return self._state.page(resource, namespace, after, limit, revision)

    def resources(self) -> Sequence[str]:
        return self._state.resources()

    def extent(self, resource: str, namespace: str = "") -> Extent:
        return self._state.extent(resource, namespace)

    def history(self, since: int, limit: int) -> list[Record]:
        return self._read(since, limit, HISTORY_BATCH_BYTES_MAX)

    def _read(self, since: int, limit: int, bytes_max: int) -> list[Record]:
        self._check_age(since)
        records = self._log.read(since, limit, bytes_max)
        newest = self._state.revision  # the log may be ahead of what may be seen
        while records and records[-1].revision > newest:
            records.pop()
        return records

    def watch(self, resource: str, namespace: str = "", *, since: int) -> Subscription:
        self._check_age(since)
        if since < self._log.restored:
            raise Expired(
                f"too old resource version: {since} ({self._log.restored}): the store was put back "
                "from a copy since then"
            )
        return self._watchers.add(self, resource, namespace, since)

    def listen(self, resource: str, on_event: Callable[[Event], None]) -> None:
        self._watchers.listen(resource, on_event)

    def statistics(self) -> Mapping[str, int]:
        counters = self._counters
        return {
            "revision": self.revision,
            "oldest_revision": self.oldest,
            "commits": counters.commits,
            "transactions": counters.transactions,
            "writes": counters.writes,
            "commit_ns": counters.commit_ns,
            "failures": counters.failures,
            **self._watchers.statistics(),
        }

    # -- writing ----------------------------------------------------------------

    def commit(
        self, writes: Sequence[Write], *, identity: str, now_ns: int, plan: str = ""
    ) -> asyncio.Future[list[Stored]]:
        assert writes, "a transaction without writes"
        befores = self._befores(writes)
        transaction = self._transaction(writes, befores, identity, max(self._time_ns, now_ns), plan)
        # From here on nothing can fail: a write that is refused has left nothing behind.
        self._time_ns = max(self._time_ns, now_ns)
        self._assigned += len(writes)
        for event in transaction.events:
            key = event.stored.key
            state = None if event.type == "DELETED" else event.stored
            of_resource = self._pending.get(key[0])
            if of_resource is None:
                of_resource = self._pending[key[0]] = {}
            of_resource[key] = (state, transaction)
            self._note_change(key)
        self._staged.append(transaction)
        if self._flusher is None:
            self._flusher = asyncio.get_running_loop().create_task(self._flush())
        return transaction.done

    def check(self, writes: Sequence[Write]) -> None:
        for write in writes:
            encode(write, self._check(write))

    async def close(self) -> None:
        while self._flusher is not None:
            await asyncio.wait([self._flusher])
        self._log.close()

    def _befores(self, writes: Sequence[Write]) -> list[Stored | None]:
        """The objects before these writes, one of each: but a removal may follow what is put in the
        same place, so that watchers see both. Errors: as `_check`.
        """
        if len(writes) == 1:
            return [self._check(writes[0])]
        befores: list[Stored | None] = []
        keys: set[ObjectKey] = set()
        for index, write in enumerate(writes):
            if write.key in keys:
                is_marked = isinstance(write, Remove) and writes[index - 1].key == write.key
                assert is_marked, "one of each object"
                befores.append(None)
            else:
                befores.append(self._check(write))
                keys.add(write.key)
        return befores

    def _check(self, write: Write) -> Stored | None:
        """The object before this write. Errors: AlreadyExists, NotFound, Conflict."""
        key = write.key
        before = self.peek(key)
        if before is None:
            if write.expect or write.uid or isinstance(write, Remove):
                raise NotFound(f"{_named(key)} not found", kind=key.resource, name=key.name)
            return None
        if write.expect == 0:
            raise AlreadyExists(f"{_named(key)} already exists", kind=key.resource, name=key.name)
        stale = write.expect is not None and write.expect != before.revision
        if stale or (write.uid and before.object()["metadata"].get("uid") != write.uid):
            raise Conflict(
                f"Operation cannot be fulfilled on {_named(key)}: the object has been modified; "
                "please apply your changes to the latest version and try again",
                kind=key.resource,
                name=key.name,
            )
        return before

    def _transaction(
        self,
        writes: Sequence[Write],
        befores: Sequence[Stored | None],
        identity: str,
        time_ns: int,
        plan: str,
    ) -> _Transaction:
        """The writes with their revisions, as bytes. Errors: Invalid, TooLarge."""
        transaction = _Transaction(asyncio.get_running_loop().create_future())
        revision = self._assigned
        for write, before in zip(writes, befores, strict=True):
            revision += 1
            key = write.key
            if before is None and isinstance(write, Remove):
                before = transaction.events[-1].stored
            write.object["metadata"]["resourceVersion"] = str(revision)
            data = encode(write, before)
            kind: EventType = "DELETED"
            if isinstance(write, Put):
                kind = "MODIFIED" if before else "ADDED"
            old = before.revision if before else 0
            transaction.events.append(Event(kind, Stored(key, revision, data), before))
            transaction.records.append(
                Record(revision, time_ns, identity, write.verb, key, plan, kind, old, data)
            )
            waiting = self._pending.get(key[0], _NONE).get(key)
            if waiting is not None:
                transaction.rests_on.append(waiting[1])
        return transaction

    async def _flush(self) -> None:
        """Commits groups until nothing is staged."""
        await asyncio.sleep(0)  # let this tick's other writers join the group
        while self._staged:
            group: list[_Transaction] = []
            size = 0
            while self._staged and size < _GROUP_WRITES:
                group.append(self._staged.pop(0))
                size += len(group[-1].records)
            try:
                outcome = await self._persist([t.records for t in group])
            except Exception as error:  # noqa: BLE001 - whoever waits must hear of it
                self._give_up(group + self._staged, error)
                break
            self._settle(group, outcome)
        self._flusher = None

    async def _persist(self, transactions: list[list[Record]]) -> list[str]:
        began = time.perf_counter_ns()
        if self._executor is None:
            stored = self._log.append(transactions)
        else:
            loop = asyncio.get_running_loop()
            stored = await loop.run_in_executor(self._executor, self._log.append, transactions)
        self._counters.commits += 1
        self._counters.commit_ns += time.perf_counter_ns() - began
        return stored

    def _settle(self, group: list[_Transaction], outcome: list[str]) -> None:
        """Memory, then watchers, then callers. Invariant: the log kept no transaction that
        rests on one it refused (`Log.append` stops a group at the first refusal)."""
        written: list[Event] = []
        for transaction, refused in zip(group, outcome, strict=True):
            transaction.refused = refused
            if not refused:
                written += transaction.events
                self._counters.transactions += 1
        for event in written:
            self._state.apply(event)
        self._counters.writes += len(written)
        for transaction in group:
            self._forget(transaction, is_lost=bool(transaction.refused))
        self._watchers.notify(written)
        for transaction in group:
            if transaction.refused:
                self._refuse(transaction)
            elif not transaction.done.done():
                transaction.done.set_result([event.stored for event in transaction.events])
        if any(outcome):
            self._refuse_dependants()

    def _refuse_dependants(self) -> None:
        """Staged transactions that rest on a refused one can never hold."""
        kept: list[_Transaction] = []
        for transaction in self._staged:
            if refused := next((o.refused for o in transaction.rests_on if o.refused), ""):
                transaction.refused = refused
                self._forget(transaction, is_lost=True)
                self._refuse(transaction)
            else:
                kept.append(transaction)
        self._staged = kept

    def _note_change(self, key: ObjectKey) -> None:
        self._changes += 1
        last = self._last_changes
        if len(last) >= _PLACES_MAX:
            last.clear()
            self._changes_forgotten = self._changes
        last[key[:2]] = last[key[0], ""] = self._changes

    def _forget(self, transaction: _Transaction, *, is_lost: bool = False) -> None:
        for event in transaction.events:
            key = event.stored.key
            if is_lost:
                self._note_change(key)
            of_resource = self._pending.get(key[0], _NONE)
            pending = of_resource.get(key)
            if pending is not None and pending[1] is transaction:
                del of_resource[key]
                if not of_resource:
                    del self._pending[key[0]]

    def _refuse(self, transaction: _Transaction) -> None:
        self._counters.failures += 1
        if not transaction.done.done():
            transaction.done.set_exception(
                InsufficientStorage(
                    f"{transaction.refused}: nothing of this request was written; make room or mend "
                    "the disk, then try again"
                )
            )

    def _give_up(self, group: list[_Transaction], error: Exception) -> None:
        """The log broke: its own errors are answers. What was in flight has an unknown fate."""
        self._staged = []
        for transaction in group:
            self._forget(transaction, is_lost=True)
            if not transaction.done.done():
                transaction.done.set_exception(error)

    # -- history ----------------------------------------------------------------

    def _check_age(self, since: int) -> None:
        if since < self.oldest:
            raise Expired(
                f"too old resource version: {since} ({self.oldest}): history begins after "
                f"revision {self.oldest}"
            )

    def replay(self, since: int) -> list[Event]:
        """The next visible events after `since`, for watchers that lag."""
        if since < self._state.recent_since:
            records = self._read(since, _REPLAY_EVENTS, BATCH_BYTES_MAX)
            return [self._event(record) for record in records]
        return self._state.after(since, BATCH_BYTES_MAX)

    def _event(self, record: Record) -> Event:
        def previous() -> Stored | None:
            older = self._log.find(record.previous)
            return None if older is None else Stored(older.key, older.revision, older.data)

        stored = Stored(record.key, record.revision, record.data)
        return Event(record.type, stored, previous if record.previous else None)
