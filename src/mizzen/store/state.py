"""The objects of a store in memory, and what they were a little while ago."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
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

_Place = tuple[str, str]  # namespace, name
_ONE_BY_ONE_MAX = 64  # new places that are put where they belong; more are sorted with all


class _Table:
    """The objects of one resource, with their keys in order."""

    __slots__ = ("_new", "_order", "objects", "size")

    def __init__(self) -> None:
        self.objects: dict[_Place, Stored] = {}
        self.size = 0  # bytes of all objects
        self._order: list[_Place] = []
        self._new: list[_Place] = []  # that came since somebody asked for the order

    def put(self, stored: Stored) -> None:
        place = stored.key[1:]
        before = self.objects.get(place)
        if before is None:
            self._new.append(place)
        else:
            self.size -= len(before.data)
        self.objects[place] = stored
        self.size += len(stored.data)

    def remove(self, place: _Place) -> None:
        before = self.objects.pop(place, None)
        if before is not None:
            self.size -= len(before.data)
            order = self.order()
            del order[bisect_left(order, place)]

    def order(self) -> list[_Place]:
        """All places, in order. Where each new one finds its place, all behind it are moved: among
        a hundred thousand that is dearer than all else of a write."""
        if self._new:
            if len(self._new) <= _ONE_BY_ONE_MAX:
                for place in self._new:
                    insort(self._order, place)
            else:
                self._order += self._new
                self._order.sort()  # long runs in order are merged as they are
            self._new = []
        return self._order

    def count(self, namespace: str) -> int:
        if not namespace:
            return len(self.objects)
        order = self.order()
        low = bisect_left(order, (namespace, ""))
        return bisect_left(order, (namespace + "\0", "")) - low

    def places(self, namespace: str) -> Sequence[_Place]:
        order = self.order()
        if not namespace:
            return order
        low = bisect_left(order, (namespace, ""))
        return order[low : bisect_left(order, (namespace + "\0", ""))]


_EMPTY = _Table()


def _after(
    changed: Mapping[_Place, Stored | None], after: _Place | None, *, was: bool
) -> Iterator[_Place]:
    """The places behind `after` that had an object, or had none."""
    for place, stored in changed.items():
        if (stored is not None) is was and (after is None or place > after):
            yield place


def _as_it_was(
    places: Iterable[_Place],
    objects: Mapping[_Place, Stored],
    changed: Mapping[_Place, Stored | None],
    after: _Place | None,
) -> Iterator[Stored]:
    """The objects in these places and in those that have none by now, in order."""
    gone = [place for place in _after(changed, after, was=True) if place not in objects]
    for place in merge(places, sorted(gone)):
        stored = changed[place] if place in changed else objects[place]
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
        return table.objects.get(key[1:]) if table else None

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
            table.remove(stored.key[1:])
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
        self, resource: str, namespace: str, after: _Place | None, limit: int, revision: int
    ) -> Page:
        """Part of a list as it was at `revision` (0: as it is)."""
        table = self._tables.get(resource) or _EMPTY
        places, objects = table.places(namespace), table.objects
        start = bisect_right(places, after) if after else 0
        changed: dict[_Place, Stored | None] = {}
        if revision and revision != self.revision:
            changed = self._undo(resource, namespace, revision)
        if changed:
            found = _as_it_was(islice(places, start, None), objects, changed, after)
            items = list(islice(found, limit or None))
            gone = sum(place not in objects for place in _after(changed, after, was=True))
            new = sum(place in objects for place in _after(changed, after, was=False))
            remaining = len(places) - start + gone - new - len(items)
        else:
            end = start + limit if limit else len(places)
            items = [objects[place] for place in places[start:end]]
            remaining = max(0, len(places) - end)
        rest = items[-1].key[1:] if remaining else None
        return Page(items, revision or self.revision, rest, remaining)

    def _undo(self, resource: str, namespace: str, revision: int) -> dict[_Place, Stored | None]:
        """The state at `revision` of the objects written after it."""
        if revision < self.recent_since:
            raise Expired(
                f"revision {revision} is too old to list: the oldest that can still be told is "
                f"{self.recent_since}; list again without resourceVersion or continue"
            )
        changed: dict[_Place, Stored | None] = {}
        for event in reversed(self.recent):
            if event.revision <= revision:
                break
            key = event.key
            if key.resource == resource and (not namespace or key.namespace == namespace):
                changed[(key.namespace, key.name)] = event.previous
        return changed

    def _table(self, resource: str) -> _Table:
        table = self._tables.get(resource)
        if table is None:
            table = self._tables[resource] = _Table()
        return table
