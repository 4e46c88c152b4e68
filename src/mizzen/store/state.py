"""The objects of a store in memory, and what they were a little while ago."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from heapq import merge
from itertools import islice

from mizzen.base.errors import Expired
from mizzen.store.store import (
    RECENT_BYTES_MAX,
    RECENT_EVENTS,
    Event,
    Extent,
    ObjectKey,
    Page,
    Stored,
)

_ONE_BY_ONE_MAX = 64  # new keys that are put where they belong; more are sorted with all


class _Table:
    """The objects of one resource, with their keys in order: the objects' own, nothing beside."""

    __slots__ = ("_new", "_order", "objects", "size")

    def __init__(self) -> None:
        self.objects: dict[ObjectKey, Stored] = {}
        self.size = 0  # bytes of all objects
        self._order: list[ObjectKey] = []
        self._new: list[ObjectKey] = []  # that came since somebody asked for the order

    def put(self, stored: Stored) -> None:
        key = stored.key
        before = self.objects.get(key)
        if before is None:
            self._new.append(key)
        else:
            self.size -= len(before.data)
            stored.key = before.key  # else two equal ones would be held as long as it lives
        self.objects[key] = stored
        self.size += len(stored.data)

    def remove(self, key: ObjectKey) -> None:
        before = self.objects.pop(key, None)
        if before is not None:
            self.size -= len(before.data)
            order = self.order()
            del order[bisect_left(order, key)]

    def order(self) -> list[ObjectKey]:
        """All keys, in order. Where each new one finds its place, all behind it are moved: among
        a hundred thousand that is dearer than all else of a write."""
        if self._new:
            if len(self._new) <= _ONE_BY_ONE_MAX:
                for key in self._new:
                    insort(self._order, key)
            else:
                self._order += self._new
                self._order.sort()  # long runs in order are merged as they are
            self._new = []
        return self._order

    def count(self, namespace: str) -> int:
        low, high = self.extent(namespace)
        return high - low

    def extent(self, namespace: str) -> tuple[int, int]:
        """Where in the order the keys of a namespace begin and end."""
        if not namespace:
            return 0, len(self.objects)
        order = self.order()
        if not order:
            return 0, 0
        resource = order[0].resource
        low = bisect_left(order, ObjectKey(resource, namespace, ""))
        return low, bisect_left(order, ObjectKey(resource, namespace + "\0", ""))


_EMPTY = _Table()


def _after(
    changed: Mapping[ObjectKey, Stored | None], after: ObjectKey | None, *, was: bool
) -> Iterator[ObjectKey]:
    """The keys behind `after` that had an object, or had none."""
    for key, stored in changed.items():
        if (stored is not None) is was and (after is None or key > after):
            yield key


def _as_it_was(
    keys: Iterable[ObjectKey],
    objects: Mapping[ObjectKey, Stored],
    changed: Mapping[ObjectKey, Stored | None],
    after: ObjectKey | None,
) -> Iterator[Stored]:
    """The objects in these keys and in those that have none by now, in order."""
    gone = [key for key in _after(changed, after, was=True) if key not in objects]
    for key in merge(keys, sorted(gone)):
        stored = changed[key] if key in changed else objects[key]
        if stored is not None:
            yield stored


def _revision(event: Event) -> int:
    return event.stored.revision


class State:
    """Current objects plus the newest events, from which older revisions are derived."""

    def __init__(self, revision: int = 0) -> None:
        self.revision = revision
        self.recent: deque[Event] = deque()
        self._recent_bytes = 0
        self.recent_since = revision  # `recent` holds every event after this revision
        self._tables: dict[str, _Table] = {}

    def load(self, objects: Iterable[Stored]) -> None:
        """Fills an empty state. Keys must come in order."""
        for stored in objects:
            table = self._table(stored.key.resource)
            table.put(stored)
        for table in self._tables.values():
            table.order()

    def get(self, key: ObjectKey) -> Stored | None:
        table = self._tables.get(key[0])
        return table.objects.get(key) if table else None

    def resources(self) -> list[str]:
        return list(self._tables)

    def extent(self, resource: str, namespace: str) -> Extent:
        table = self._tables.get(resource) or _EMPTY
        count, all_of_them = table.count(namespace), len(table.objects)
        return Extent(count, table.size * count // all_of_them if all_of_them else 0)

    def apply(self, event: Event) -> None:
        """Makes one durable write visible."""
        stored = event.stored
        assert stored.revision > self.revision, "revisions only grow"
        table = self._table(stored.key.resource)
        if event.type == "DELETED":
            table.remove(stored.key)
        else:
            table.put(stored)
        self.recent.append(event)
        self._recent_bytes += event.size
        while len(self.recent) > RECENT_EVENTS or self._recent_bytes > RECENT_BYTES_MAX:
            oldest = self.recent.popleft()
            self._recent_bytes -= oldest.size
            self.recent_since = oldest.revision
        self.revision = stored.revision

    def after(self, since: int, bytes_max: int) -> list[Event]:
        """The recent events after `since`, in order: so many bytes of them, or one."""
        found: list[Event] = []
        start = bisect_right(self.recent, since, key=_revision)
        for event in islice(self.recent, start, None):
            bytes_max -= event.size
            if found and bytes_max < 0:
                break
            found.append(event)
        return found

    def page(
        self,
        resource: str,
        namespace: str,
        after: tuple[str, str] | None,
        limit: int,
        revision: int,
    ) -> Page:
        """Part of a list as it was at `revision` (0: as it is)."""
        table = self._tables.get(resource) or _EMPTY
        order, objects = table.order(), table.objects
        start, end = table.extent(namespace)
        last = ObjectKey(resource, *after) if after else None
        if last is not None:
            start = bisect_right(order, last, start, end)
        changed: dict[ObjectKey, Stored | None] = {}
        if revision and revision != self.revision:
            changed = self._undo(resource, namespace, revision)
        if changed:
            found = _as_it_was(islice(order, start, end), objects, changed, last)
            items = list(islice(found, limit or None))
            gone = sum(key not in objects for key in _after(changed, last, was=True))
            new = sum(key in objects for key in _after(changed, last, was=False))
            remaining = end - start + gone - new - len(items)
        else:
            stop = min(start + limit, end) if limit else end
            items = [objects[key] for key in order[start:stop]]
            remaining = end - stop
        rest = items[-1].key[1:] if remaining else None
        return Page(items, revision or self.revision, rest, remaining)

    def _undo(self, resource: str, namespace: str, revision: int) -> dict[ObjectKey, Stored | None]:
        """The state at `revision` of the objects written after it."""
        if revision < self.recent_since:
            raise Expired(
                f"revision {revision} is too old to list: the oldest that can still be told is "
                f"{self.recent_since}; list again without resourceVersion or continue"
            )
        changed: dict[ObjectKey, Stored | None] = {}
        for event in reversed(self.recent):
            if event.revision <= revision:
                break
            key = event.key
            if key.resource == resource and (not namespace or key.namespace == namespace):
                changed[key] = event.previous
        return changed

    def _table(self, resource: str) -> _Table:
        table = self._tables.get(resource)
        if table is None:
            table = self._tables[resource] = _Table()
        return table
