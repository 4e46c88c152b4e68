"""The interface of a store: values that go in and out, and the protocol both backends keep."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import orjson

from mizzen.base.objects import Obj

EventType = Literal["ADDED", "MODIFIED", "DELETED"]

HISTORY_REVISIONS = 200_000  # revisions kept for watches, `why` and replays
HISTORY_BYTES_MAX = 1 << 30  # that they may have together; the oldest go first
RECENT_EVENTS = 4096  # newest events kept decoded in memory; older ones are read from history
RECENT_BYTES_MAX = 64 << 20  # the same, in bytes
BATCH_BYTES_MAX = 256 << 10  # of events handed over at a time, unless a single one has more
HISTORY_BATCH_BYTES_MAX = 4 << 20  # of history read at a time
_EVENT_BYTES = 500  # what an event weighs beside the objects it holds


class ObjectKey(NamedTuple):
    """`resource` is "pods" or "jobs.batch"; `namespace` is "" for cluster-scoped objects."""

    resource: str
    namespace: str
    name: str


class Stored:
    """One object as stored: its JSON, in bytes of exact size, and the revision that wrote it."""

    __slots__ = ("data", "key", "revision")

    def __init__(self, key: ObjectKey, revision: int, data: bytes) -> None:
        self.key = key
        self.revision = revision
        self.data = data

    def object(self) -> Obj:
        """A fresh copy that the caller may change (parsing is cheaper than deepcopy)."""
        return orjson.loads(self.data)


class Event:
    """One committed write, as watchers see it.

    `stored` is the object after the write (for DELETED: its last form, with the revision of
    the deletion); `previous` the one before, None also when history no longer has it.
    `cache` is the watchers' own: what they made of this event, by class of watcher; None once it
    is not to be kept any more. `size` is what it holds in memory itself, in bytes.
    """

    __slots__ = ("_object", "_previous", "cache", "size", "stored", "type")

    def __init__(
        self,
        type: EventType,
        stored: Stored,
        previous: Stored | Callable[[], Stored | None] | None,
    ) -> None:
        self.type: EventType = type
        self.stored = stored
        self.cache: dict[Any, Any] | None = None
        self.size = len(stored.data) + _EVENT_BYTES
        if isinstance(previous, Stored):
            self.size += len(previous.data)
        self._previous = previous
        self._object: Obj | None = None

    @property
    def previous(self) -> Stored | None:
        if callable(self._previous):
            self._previous = self._previous()
        return self._previous

    @property
    def revision(self) -> int:
        return self.stored.revision

    @property
    def key(self) -> ObjectKey:
        return self.stored.key

    def object(self) -> Obj:
        """The parsed object, shared by all watchers: never change it."""
        if self._object is not None:
            return self._object
        obj = self.stored.object()
        if self.cache is not None:
            self._object = obj
        return obj

    def cool(self) -> None:
        """Keeps the bytes alone, which are a tenth of all else."""
        self.cache = self._object = None


class Put(NamedTuple):
    """Create or replace. The store takes `object` over and sets its resourceVersion.

    `expect`: None = no check, 0 = must not exist, else the revision it must have.
    """

    key: ObjectKey
    object: Obj
    verb: str
    expect: int | None = None
    uid: str = ""


class Remove(NamedTuple):
    """Delete; `object` is its last form, which watchers and history get. It may follow a Put of the
    same object in one transaction."""

    key: ObjectKey
    object: Obj
    verb: str = "delete"
    expect: int | None = None
    uid: str = ""


Write = Put | Remove


class Record(NamedTuple):
    """One line of history. `data` is the object after the write as JSON."""

    revision: int
    time_ns: int
    identity: str
    verb: str
    key: ObjectKey
    plan: str
    type: EventType
    previous: int  # revision of the object before this write, 0 = it did not exist
    data: bytes


class Extent(NamedTuple):
    """How many objects, and the bytes of all of them."""

    objects: int
    size: int


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a list, all of it as of `revision`; `rest` is None on the last page."""

    items: Sequence[Stored]
    revision: int
    rest: tuple[str, str] | None = None  # namespace and name of the last item, to go on after
    remaining: int = 0


@dataclass(slots=True)
class Counters:
    """The values of `statistics()`: counts since the start, times in nanoseconds."""

    commits: int = 0
    transactions: int = 0
    writes: int = 0
    commit_ns: int = 0
    failures: int = 0


class Subscription(Protocol):
    """A watcher's place in the stream of events."""

    @property
    def position(self) -> int:
        """Every event up to this revision was handed over, or does not concern this watcher."""
        ...

    @property
    def has_ended(self) -> bool: ...

    # Called instead of ending a wait of `next_batch` when there are events: at once, before their
    # writers hear of them, so it does no more than remember it; then `take_nowait` or `wake`.
    on_ready: Callable[[], None] | None

    @property
    def is_waiting(self) -> bool:
        """True while somebody waits in `next_batch`."""
        ...

    @property
    def lags(self) -> bool:
        """True if events come from history for now."""
        ...

    def wake(self) -> None:
        """Ends a wait of `next_batch`, with the events that there are, perhaps none."""
        ...

    async def next_batch(self, within_s: float | None = None) -> list[Event]:
        """Events since the last call, at least one, as many as there are or BATCH_BYTES_MAX; the
        list is others', too.

        None at all once it has ended and everything before that was handed over, or where none
        came in time. Errors: Expired once it lags behind what history has.
        """
        ...

    def end(self) -> None:
        """Ends the watch: later events are dropped."""
        ...

    def take_nowait(self) -> list[Event]:
        """The events at hand, perhaps none; `position` says whether there are more."""
        ...

    def close(self) -> None: ...


class Store(Protocol):
    """Everything the API server asks of a store.

    Plain calls see durable state only. All calls are made on one event loop.
    """

    @property
    def revision(self) -> int:
        """The newest visible revision."""
        ...

    @property
    def assigned(self) -> int:
        """The newest revision that a write has, be it visible yet or still on its way."""
        ...

    @property
    def oldest(self) -> int:
        """Watches and history may start after this revision, or later."""
        ...

    @property
    def changes(self) -> int:
        """Counts what `peek` may see change: each write when it is accepted, or lost after all."""
        ...

    def last_change(self, resource: str, namespace: str = "") -> int:
        """The number in `changes` of the last one of a resource, or of it in one namespace; it may
        be that of a later one elsewhere."""
        ...

    def get(self, key: ObjectKey) -> Stored | None: ...

    def peek(self, key: ObjectKey) -> Stored | None:
        """Like get, but sees writes that are still on their way to the disk.

        For read-modify-write: a commit made in the same tick rests on what was peeked.
        """
        ...

    def peek_all(self, resource: str, namespace: str = "") -> Sequence[Stored]:
        """All of a resource, in order; like peek it sees writes on their way to the disk."""
        ...

    def list(
        self,
        resource: str,
        namespace: str = "",
        *,
        after: tuple[str, str] | None = None,
        limit: int = 0,
        revision: int = 0,
    ) -> Page:
        """Objects in order of namespace and name; `revision` 0 means now.

        Errors: Expired when that revision can no longer be told.
        """
        ...

    def resources(self) -> Sequence[str]:
        """Every resource that has an object or had one since the start."""
        ...

    def extent(self, resource: str, namespace: str = "") -> Extent:
        """How many objects there are and their bytes, those of a namespace by the average."""
        ...

    def commit(
        self, writes: Sequence[Write], *, identity: str, now_ns: int, plan: str = ""
    ) -> asyncio.Future[list[Stored]]:
        """All of the writes or none. The future is done once they are on disk and visible.

        Each write gets its own revision, in order. Errors: Conflict, AlreadyExists or NotFound
        at once when a precondition fails (pending writes count), Invalid or TooLarge when an
        object cannot be stored; InsufficientStorage through the future. A refused commit leaves
        nothing behind.
        """
        ...

    def check(self, writes: Sequence[Write]) -> None:
        """Raises what `commit` would raise at once, and commits nothing."""
        ...

    def watch(self, resource: str, namespace: str = "", *, since: int) -> Subscription:
        """Events after revision `since`; resource "" means all of them.

        Errors: Expired when `since` lies before what history has.
        """
        ...

    def listen(self, resource: str, on_event: Callable[[Event], None]) -> None:
        """Calls `on_event` with each event of a resource from now on, as soon as it is visible:
        before the writer's future is done. It returns at once and raises nothing."""
        ...

    def history(self, since: int, limit: int) -> list[Record]:
        """Records after `since`, oldest first: `limit` or HISTORY_BATCH_BYTES_MAX of them, at
        least one if there is one. Errors: Expired."""
        ...

    def statistics(self) -> Mapping[str, int]: ...

    async def close(self) -> None:
        """Waits for what is on its way to the disk."""
        ...
