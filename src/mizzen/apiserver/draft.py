"""The writes of one request or plan before they are committed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import orjson

from mizzen.apiserver.admission_chain import Admission
from mizzen.apiserver.catalog import Served
from mizzen.apiserver.core.user import User
from mizzen.apiserver.reviews import Reviews
from mizzen.base.objects import Obj
from mizzen.store.store import ObjectKey, Put, Remove, Store, Stored, Write

# Of objects that are deleted in one commit; others write between two of them.
DELETED_AT_ONCE = 500
DELETED_BYTES_AT_ONCE = 8 << 20
MANAGER = "mizzen"  # of fields that the server sets of its own accord


@dataclass(slots=True)
class _Entry:
    before: Stored | None
    object: Obj
    verb: str
    removed: bool = False
    written: Obj | None = None  # the object for the store, where parts of it are JSON already
    marked: Obj | None = None  # what is stored just before it is removed


@dataclass(frozen=True, slots=True)
class ReadSet:
    """The reads that a draft's writes depend on: a store with other writers may commit them if they
    still hold. `keys` has the revision of each object (0: there is none), `lists` are resources
    with a namespace ("": all of them) of which nothing has changed since `revision`.
    """

    keys: Mapping[ObjectKey, int]
    lists: frozenset[tuple[str, str]]
    revision: int


def at_once(chosen: Iterable[Stored]) -> Iterator[list[Stored]]:
    """Objects to be deleted, as many at a time as one commit may."""
    some: list[Stored] = []
    size = 0
    for stored in chosen:
        if some and (
            len(some) == DELETED_AT_ONCE or size + len(stored.data) > DELETED_BYTES_AT_ONCE
        ):
            yield some
            some, size = [], 0
        some.append(stored)
        size += len(stored.data)
    if some:
        yield some


class Draft:
    """Sees the store as if its own writes had happened; commits them all or none.

    Everything between the first read and `commit` runs in one tick of the loop, so what was
    read still holds when the store assigns revisions. Objects returned are not to be changed.
    """

    def __init__(
        self,
        store: Store,
        admission: Admission,
        *,
        user: User,
        now_ns: int,
        new_id: Callable[[], str],
        new_suffix: Callable[[], str],
    ) -> None:
        self.user = user
        self.now_ns = now_ns
        self.new_id = new_id
        self.new_suffix = new_suffix
        self.reviews: Reviews | None = None
        self.manager = MANAGER  # whose fields the writes set
        self.is_dry = False
        self.warnings: list[str] = []
        self.audit_annotations: dict[str, str] = {}
        self.read_bytes = 0  # of objects read to be changed, as often as they were
        self.admission = admission
        self._store = store
        self._entries: dict[ObjectKey, _Entry] = {}
        self._written: dict[str, set[ObjectKey]] = {}  # the entries' keys by resource
        self._keys: set[ObjectKey] = set()
        self._lists: set[tuple[str, str]] = set()
        self._on_lost: list[Callable[[], None]] = []

    def read(self, served: Served, namespace: str, name: str) -> Obj | None:
        """The object that an operation is about to change."""
        key = ObjectKey(served.key, namespace, name)
        if key in self._entries:  # changed more than once, which is rare
            found = self.get(key)
            self.read_bytes += 0 if found is None else len(orjson.dumps(found))
        else:
            stored = self.peek(key)
            found = None if stored is None else stored.object()
            self.read_bytes += 0 if stored is None else len(stored.data)
        return None if found is None else self.shown(served, found)

    def shown(self, served: Served, obj: Obj) -> Obj:
        """A stored object in the version that is served. Errors: Waiting for its webhook.

        Where nobody is asked about the writes of this draft, what a webhook must convert is as it
        is stored: metadata, which is all that those are about, are the same in all versions.
        """
        versions = served.versions
        if versions is None or served.webhook is None or self.reviews is None:
            return served.view_object(obj)
        return self.in_version(served, versions.completed(obj), served.resource.api_version)

    def stored_form(self, served: Served, obj: Obj) -> Obj:
        """An object as it is to be stored. Errors: Waiting for its webhook."""
        versions = served.versions
        if versions is None or served.webhook is None or self.reviews is None:
            return served.stored_form(obj)
        return self.in_version(served, obj, versions.storage)

    def in_version(self, served: Served, obj: Obj, api_version: str) -> Obj:
        """An object in another version of its kind: by its webhook, or else its name alone.

        Errors: Waiting for the webhook; Passed where that fails.
        """
        is_of_another_group = obj["apiVersion"].rpartition("/")[0] != api_version.rpartition("/")[0]
        if obj["apiVersion"] == api_version or is_of_another_group:  # such as a Scale
            return obj
        if served.webhook is None or self.reviews is None:
            return {**obj, "apiVersion": api_version}
        return self.reviews.converted(served.webhook, obj, api_version)

    def get(self, key: ObjectKey) -> Obj | None:
        entry = self._entries.get(key)
        if entry is not None:
            return None if entry.removed else entry.object
        stored = self.peek(key)
        return None if stored is None else stored.object()

    def look(self, key: ObjectKey) -> Obj | None:
        """As `get`, for those who read and no more: nothing of it may be changed, or written again.

        What is asked for at every write (a namespace, a class) is parsed once for each revision.
        """
        if key in self._entries:
            return self.get(key)
        stored = self.peek(key)
        return None if stored is None else self.admission.shared.object(stored)

    def look_at_all(self, resource: str) -> Sequence[Obj]:
        """As `list` of all namespaces, for those who read and no more."""
        if self._written.get(resource):
            return self.list(resource)
        self.rests_on(resource)
        shared = self.admission.shared
        return [shared.object(stored) for stored in self._store.peek_all(resource)]

    def peek(self, key: ObjectKey) -> Stored | None:
        """As the store has it, without this draft's own writes."""
        self._keys.add(key)
        return self._store.peek(key)

    def exists(self, key: ObjectKey) -> bool:
        entry = self._entries.get(key)
        return not entry.removed if entry else self.peek(key) is not None

    def removes(self, key: ObjectKey) -> bool:
        """True if the object is in the store and this draft's writes remove it."""
        entry = self._entries.get(key)
        return entry is not None and entry.removed

    def list(self, resource: str, namespace: str = "") -> list[Obj]:
        """Every object of a resource, in order of namespace and name."""
        self.rests_on(resource, namespace)
        stored = self._store.peek_all(resource, namespace)
        written = self._written.get(resource)
        if not written:
            return [each.object() for each in stored]
        mine = {k for k in written if not namespace or k.namespace == namespace}
        found = {each.key: each.object() for each in stored if each.key not in mine}
        found.update((k, self._entries[k].object) for k in mine if not self._entries[k].removed)
        return [found[key] for key in sorted(found)]

    def rests_on(self, resource: str, namespace: str = "") -> None:
        """Records as read what was answered from an index over this list."""
        self._lists.add((resource, namespace))

    def reads_for(self, key: ObjectKey) -> set[tuple[str, str]] | None:
        """The resources and namespaces of which this draft has read anything but `key`; None where
        it does more than to write that object."""
        if self._on_lost or self._entries.keys() != {key}:
            return None
        return self._lists | {read[:2] for read in self._keys if read != key}

    def read_set(self) -> ReadSet:
        """The reads so far; call it before the tick ends: until then they hold."""
        keys = {key: self._store.peek(key) for key in self._keys}
        keys.update((key, entry.before) for key, entry in self._entries.items())
        return ReadSet(
            {key: stored.revision if stored else 0 for key, stored in keys.items()},
            frozenset(self._lists),
            self._store.assigned,
        )

    def put(self, key: ObjectKey, obj: Obj, verb: str, written: Obj | None = None) -> None:
        """`written` is the same for the store, with parts of it as `orjson.Fragment`."""
        entry = self._entries.get(key)
        if entry is None:
            self._enter(key, _Entry(self._store.peek(key), obj, verb, written=written))
            return
        assert not entry.removed, "an object that follows another by its name is a later write"
        entry.object, entry.written = obj, written
        if entry.before is not None:
            entry.verb = verb

    def remove(self, key: ObjectKey, obj: Obj, marked: Obj | None = None) -> None:
        """`marked`: a form of the object that watchers are to see before it is gone."""
        entry = self._entries.get(key)
        if entry is None:
            before = self._store.peek(key)
            self._enter(key, _Entry(before, obj, "delete", removed=True, marked=marked))
        elif entry.before is None:
            del self._entries[key]  # made and unmade by the same plan
            self._written[key.resource].discard(key)
        else:
            entry.object, entry.verb, entry.removed, entry.marked = obj, "delete", True, marked
        self.admission.remove(self, key, obj)

    def _enter(self, key: ObjectKey, entry: _Entry) -> None:
        self._entries[key] = entry
        self._written.setdefault(key.resource, set()).add(key)

    def latest(self, key: ObjectKey, obj: Obj) -> Obj | None:
        """The form in which this draft writes the object that `obj` is an earlier form of."""
        entry = self._entries.get(key)
        if entry is None or entry.object["metadata"]["uid"] != obj["metadata"]["uid"]:
            return None
        return entry.object

    def commit(self, plan: str = "", *, dry: bool = False) -> asyncio.Future[list[Stored]] | None:
        """Hands the writes to the store; None when there is nothing to write, or it is `dry`."""
        writes = [each for key, entry in self._entries.items() for each in _writes(key, entry)]
        if not writes:
            return None
        if dry:
            self._store.check(writes)
            return None
        done = self._store.commit(writes, identity=self.user.name, now_ns=self.now_ns, plan=plan)
        if self._on_lost:
            done.add_done_callback(self._tell_lost)
        return done

    def on_lost(self, call: Callable[[], None]) -> None:
        """Calls this if the writes are accepted, and do not reach the disk after all."""
        self._on_lost.append(call)

    def _tell_lost(self, done: asyncio.Future[list[Stored]]) -> None:
        if done.cancelled() or done.exception() is not None:
            for call in self._on_lost:
                call()


def _writes(key: ObjectKey, entry: _Entry) -> Sequence[Write]:
    expect = entry.before.revision if entry.before else 0
    if not entry.removed:
        return (Put(key, entry.written or entry.object, entry.verb, expect),)
    if entry.marked is None:
        return (Remove(key, entry.object, entry.verb, expect),)
    return Put(key, entry.marked, entry.verb, expect), Remove(key, entry.object, entry.verb)
