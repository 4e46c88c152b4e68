"""A cache of one resource that follows the API server, and tells handlers what changed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections import Counter
from collections.abc import Callable, Mapping, MutableMapping

from mizzen.base.errors import ApiError, Expired, NotFound, TooManyRequests, Unavailable
from mizzen.base.objects import Key, Obj, revision_of
from mizzen.base.resources import Resource
from mizzen.client.backoff import Backoff
from mizzen.client.client import Client
from mizzen.client.compact import CompactObjects
from mizzen.client.watching import WatchEvent

# A stream that lived for this long was no failure: the next one starts without delay.
HEALTHY_S = 2.0
RECONNECT_S_MAX = 2.0
ABSENT_RETRY_S = 30.0  # a resource that the API server does not have may be installed later
_log = logging.getLogger(__name__)
Handler = Callable[[str, "Obj | None", Obj], None]


class Informer:
    """Keeps `objects` equal to the server's, by one streaming list and watches after it.

    Handlers are called in order, without an await between cache and call, as
    `fn(type, old, new)` with type ADDED, MODIFIED or DELETED; for DELETED `new` is the last
    state. What the first list has is told as it comes. After a gap (410 Expired) the difference
    is told as the events that were missed.

    `labels` and `fields` are selectors: what they leave out never comes here. `cache`, empty, is
    for resources with very many objects, most of which it keeps packed.
    """

    def __init__(
        self,
        client: Client,
        resource: Resource,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        cache: CompactObjects | None = None,
    ) -> None:
        self.resource = resource
        self._client = client
        self._namespace = namespace
        self._labels = labels
        self._fields = fields
        self._objects: MutableMapping[Key, Obj] = cache if cache is not None else {}
        self._known_revision = cache.revision if cache is not None else self._revision_here
        self._handlers: list[Handler] = []
        self._progress_handlers: list[Callable[[int], None]] = []
        self._synced = asyncio.Event()
        self._revision: int | None = None  # None: a fresh list is due
        self._streams_lists = True
        self._counts: Counter[str] = Counter()

    @property
    def objects(self) -> Mapping[Key, Obj]:
        """The cache itself; never mutate it or what is in it."""
        return self._objects

    @property
    def revision(self) -> int:
        """The newest revision seen, 0 before the first list."""
        return self._revision or 0

    @property
    def is_synced(self) -> bool:
        return self._synced.is_set()

    def statistics(self) -> Mapping[str, int]:
        return {"objects": len(self._objects), **self._counts}

    def add_handler(self, handler: Handler) -> None:
        """Registers `handler`; it gets objects already known as ADDED at once."""
        self._handlers.append(handler)
        for key in list(self._objects):
            handler("ADDED", None, self._objects[key])

    def add_progress_handler(self, handler: Callable[[int], None]) -> None:
        """Calls `handler(revision)` when the cache holds everything up to that revision."""
        self._progress_handlers.append(handler)

    def learn(self, obj: Obj) -> None:
        """Takes in an object as the server just wrote it, ahead of its event.

        So a caller sees its own writes at once. An object that the stream has passed already
        is left out: it may have been deleted since.
        """
        if self._synced.is_set() and revision_of(obj) > self.revision:
            self._change("MODIFIED", obj)

    async def wait_synced(self) -> None:
        """Returns once the cache has held everything there was at some moment."""
        await self._synced.wait()

    async def run(self) -> None:
        """Follows the server until cancelled; outages are waited out."""
        backoff = Backoff(max_s=RECONNECT_S_MAX)
        while True:
            began_s = asyncio.get_running_loop().time()
            try:
                await self._follow()
            except Expired:
                self._revision = None
                self._counts["expired"] += 1
            except NotFound:
                await self._wait_served()
            except ApiError as error:
                self._counts["errors"] += 1
                if self._refuses_streaming(error):
                    self._streams_lists = False
                    continue
            if asyncio.get_running_loop().time() - began_s > HEALTHY_S:
                backoff.reset()
            await asyncio.sleep(backoff.next_s())

    async def _wait_served(self) -> None:
        """The API server has no such resource: there are no objects of it, for now."""
        if not self._counts["absent"]:
            _log.warning(
                "%s of %s are not served here: done without, and asked for again every %.0f s",
                self.resource.plural,
                self.resource.api_version,
                ABSENT_RETRY_S,
            )
        self._counts["absent"] += 1
        self._end_list(_Listed(), 0)
        self._revision = None
        await asyncio.sleep(ABSENT_RETRY_S)

    async def _follow(self) -> None:
        if self._revision is None and not self._streams_lists:
            await self._list()
        listed = _Listed() if self._revision is None else None
        self._counts["watches"] += 1
        events = self._client.watch(
            self.resource,
            self._namespace,
            revision=self._revision,
            labels=self._labels,
            fields=self._fields,
        )
        async with contextlib.aclosing(events):
            async for event in events:
                self._counts["events"] += 1
                if listed is None:
                    self._apply(event)
                elif event.ends_initial_events:
                    self._end_list(listed, revision_of(event.object))
                    listed = None
                elif event.type == "ADDED":
                    self._take_listed(listed, event.object)

    async def _list(self) -> None:
        listed, revision = _Listed(), 0
        pages = self._client.pages(
            self.resource, self._namespace, labels=self._labels, fields=self._fields
        )
        async with contextlib.aclosing(pages):
            async for items, at in pages:
                revision = at
                for obj in items:
                    self._take_listed(listed, obj)
        self._end_list(listed, revision)

    def _refuses_streaming(self, error: ApiError) -> bool:
        """A 4xx to the streaming list itself means the server lacks it: list, then watch."""
        if self._revision is not None or not self._streams_lists:
            return False
        return error.code in (400, 405, 406, 422) and not isinstance(
            error, (TooManyRequests, Unavailable)
        )

    def _apply(self, event: WatchEvent) -> None:
        if event.type != "BOOKMARK":
            self._change(event.type, event.object)
        self._advance(max(self._revision or 0, revision_of(event.object)))

    def _change(self, type: str, obj: Obj) -> None:
        """Brings one object up to date; a state not newer than the known one is no news."""
        key = _trimmed(obj)
        old = self._objects.get(key)
        if type == "DELETED":
            self._objects.pop(key, None)
            if old is not None:
                self._tell("DELETED", old, obj)
        elif old is None:
            self._objects[key] = obj
            self._tell("ADDED", None, obj)
        elif revision_of(obj) > revision_of(old):
            self._objects[key] = obj
            self._tell("MODIFIED", old, obj)

    def _advance(self, revision: int) -> None:
        self._revision = revision
        for handler in self._progress_handlers:
            handler(revision)

    def _take_listed(self, listed: _Listed, obj: Obj) -> None:
        """Takes one object of a fresh list. If nothing was known before, handlers get it at once,
        so that a long list is never in memory as a whole; else once deletions are known."""
        key = _trimmed(obj)
        if not self._synced.is_set():
            self._put(key, obj)
            listed.seen.add(key)
        elif key in self._objects and self._known_revision(key) == revision_of(obj):
            listed.seen.add(key)
        else:
            listed.changed[key] = obj

    def _end_list(self, listed: _Listed, revision: int) -> None:
        """Makes the cache equal to the list and tells the difference, deletions first."""
        for key in [k for k in self._objects if k not in listed.seen and k not in listed.changed]:
            gone = self._objects.pop(key)
            self._tell("DELETED", gone, gone)
        for key, obj in listed.changed.items():
            self._put(key, obj)
        self._advance(revision)
        self._counts["lists"] += 1
        self._synced.set()

    def _put(self, key: Key, obj: Obj) -> None:
        old = self._objects.get(key)
        if old is None:
            self._objects[key] = obj
            self._tell("ADDED", None, obj)
        elif revision_of(old) != revision_of(obj):
            self._objects[key] = obj
            self._tell("MODIFIED", old, obj)

    def _revision_here(self, key: Key) -> int:
        return revision_of(self._objects[key])

    def _tell(self, type: str, old: Obj | None, new: Obj) -> None:
        for handler in self._handlers:
            handler(type, old, new)


class _Listed:
    """The result of a list: the keys that need nothing more, and events due to handlers."""

    def __init__(self) -> None:
        self.seen: set[Key] = set()
        self.changed: dict[Key, Obj] = {}


def _trimmed(obj: Obj) -> Key:
    """The key of an object, from which unread fields are removed in place."""
    metadata = obj["metadata"]
    metadata.pop("managedFields", None)
    namespace = metadata.get("namespace")
    if namespace:
        namespace = metadata["namespace"] = sys.intern(namespace)  # one for all that are in it
    return Key(namespace or "", metadata["name"])
