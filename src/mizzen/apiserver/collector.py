"""Carries out what `core/garbage.py` decides.

Driven by events alone: when nothing is deleted it does nothing.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import islice

from mizzen.apiserver import operations
from mizzen.apiserver.catalog import Served
from mizzen.apiserver.core import garbage, stamping
from mizzen.apiserver.core.garbage import Collect, OwnerState
from mizzen.apiserver.core.stamping import DeleteOptions
from mizzen.apiserver.core.user import GARBAGE_COLLECTOR
from mizzen.apiserver.draft import Draft
from mizzen.apiserver.emptying import empty_namespace
from mizzen.apiserver.server import Server
from mizzen.base.errors import ApiError, Expired
from mizzen.base.objects import Obj, is_terminating
from mizzen.store.store import Event, ObjectKey, Stored

_RETRY_S = 1.0
_GROUP = 128  # objects dealt with between two waits for the disk
_OWNERS_PARSED_MAX = 128  # one may own thousands; a hundred thousand may own one object each
_LEARNED_AT_ONCE = 64  # objects looked through before others have their turn
_OWNED = b'"ownerReferences"'
_DELETED = b'"deletionTimestamp"'
_NAMESPACES = "namespaces"
_log = logging.getLogger(__name__)
_Get = Callable[[ObjectKey], "Obj | None"]


class Collector:
    """The garbage collector's index of dependents, by the owner's UID."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._store = server.store
        self._dependents: dict[str, set[ObjectKey]] = {}
        self._owners: dict[ObjectKey, tuple[str, ...]] = {}  # what `_dependents` holds of each
        self._waiting: dict[str, ObjectKey] = {}  # owners that wait for dependents, by UID
        self._terminating: set[str] = set()  # namespaces being deleted
        self._dirty: dict[ObjectKey, None] = {}  # to look at, in order

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            try:
                await self._follow()
            except Expired:
                _log.warning("the collector lagged behind the history: it begins anew")

    async def _follow(self) -> None:
        self._dependents, self._owners, self._waiting = {}, {}, {}
        self._terminating, self._dirty = set(), {}
        subscription = self._store.watch("", since=self._store.revision)
        try:
            await self._learn_all()
            while True:
                if self._dirty:
                    await self._settle()
                    events = subscription.take_nowait()
                else:
                    events = await subscription.next_batch()
                for event in events:
                    self._notice(event)
        finally:
            subscription.close()

    async def _learn_all(self) -> None:
        # What changes meanwhile comes by the subscription.
        owner = lru_cache(_OWNERS_PARSED_MAX)(self._get)
        for resource in self._store.resources():
            after: tuple[str, str] | None = None
            while True:
                page = self._store.list(resource, after=after, limit=_LEARNED_AT_ONCE)
                for stored in page.items:
                    self._learn(stored, owner, deleted=False)
                await asyncio.sleep(0)
                if (after := page.rest) is None:
                    break

    def _get(self, key: ObjectKey) -> Obj | None:
        stored = self._store.get(key)
        return None if stored is None else stored.object()

    def _notice(self, event: Event) -> None:
        deleted = event.type == "DELETED"
        if deleted:
            obj = event.object()
            self._dirty.update(dict.fromkeys(self._dependents.get(obj["metadata"]["uid"], ())))
            namespace = event.key.namespace
            if namespace in self._terminating:
                self._dirty[ObjectKey(_NAMESPACES, "", namespace)] = None
        self._learn(event.stored, self._get, deleted=deleted)

    def _learn(self, stored: Stored, owner: _Get, *, deleted: bool) -> None:
        """Updates the index; marks what is being deleted, or may have lost an owner, as dirty."""
        key, data = stored.key, stored.data
        is_owned, is_marked = _OWNED in data, _DELETED in data
        if not (is_owned or is_marked or key in self._owners or key.name in self._terminating):
            return
        obj = stored.object()
        # The uid of an owner is one string, however many objects it owns.
        uids = {sys.intern(o["uid"]): None for o in garbage.owners_of(obj)}
        owners = () if deleted else tuple(uids)
        known = self._owners.pop(key, ())
        for uid in set(known).difference(owners):
            self._forget(uid, key)
        for uid in {*known, *uids}:  # an owner may have waited for it, and need not any more
            if uid in self._waiting and (deleted or not garbage.blocks(obj, uid)):
                self._dirty[self._waiting[uid]] = None
        if owners:
            self._owners[key] = owners
        for uid in owners:
            self._dependents.setdefault(uid, set()).add(key)
        if key.resource == _NAMESPACES:
            if not deleted and is_terminating(obj):
                self._terminating.add(key.name)
            else:
                self._terminating.discard(key.name)
        if deleted:
            self._waiting.pop(obj["metadata"]["uid"], None)
            return
        if is_terminating(obj) or (owners != known and not self._is_kept(owner, obj)):
            self._dirty[key] = None
        if is_terminating(obj) and obj["metadata"].get("finalizers"):
            uid = obj["metadata"]["uid"]
            self._waiting[uid] = key
            self._dirty.update(dict.fromkeys(self._dependents.get(uid, ())))

    def _forget(self, uid: str, key: ObjectKey) -> None:
        keys = self._dependents.get(uid)
        if keys is not None:
            keys.discard(key)
            if not keys:
                del self._dependents[uid]

    async def _settle(self) -> None:
        """Looks at some of what is dirty; what the disk has no room for is tried again later."""
        keys = list(islice(self._dirty, _GROUP))
        for key in keys:
            del self._dirty[key]
        waiting: list[asyncio.Future[list[Stored]]] = []
        for key in keys:
            draft = self._server.draft(GARBAGE_COLLECTOR)
            try:
                self._look(draft, key)
                done = draft.commit()
            except ApiError as error:
                _log.warning("cannot collect %s: %s", "/".join(key), error)
            except Exception:  # noqa: BLE001 - one object must not stop the rest
                _log.exception("cannot collect %s: it is set aside", "/".join(key))
            else:
                if done is not None:
                    waiting.append(done)
        results = await asyncio.gather(*waiting, return_exceptions=True)
        failed = [result for result in results if isinstance(result, BaseException)]
        if failed:
            _log.warning("garbage stays for now: %s", failed[0])
            self._dirty.update(dict.fromkeys(keys))
            await asyncio.sleep(_RETRY_S)
        else:
            await asyncio.sleep(0)

    def _look(self, draft: Draft, key: ObjectKey) -> None:
        """Decides about one object and writes the decision into the draft."""
        served = self._server.catalog.by_key(key.resource)
        obj = draft.get(key)
        if served is None or obj is None:
            return
        owners = {owner["uid"]: owner for owner in garbage.owners_of(obj)}
        states: dict[str, OwnerState] = {
            uid: self._state(draft.get, obj, owner) for uid, owner in owners.items()
        }
        decision = garbage.decide(obj, states)
        if isinstance(decision, Collect):
            dependents = (found for _, found in self._dependents_of(draft, obj["metadata"]["uid"]))
            if any(map(garbage.is_waiting, dependents)):  # a circle, in which all would wait
                draft.put(key, garbage.unblocking(served.view_object(obj)), "update")
            options = DeleteOptions(propagation=decision.propagation)
            operations.delete(draft, served, key.namespace, key.name, options)
            return
        if decision is not None:
            new = garbage.without_owners(served.view_object(obj), decision.uids)
            draft.put(key, new, "update")
            return
        if is_terminating(obj):
            self._finish_owner(draft, served, key, obj)
            if key.resource == _NAMESPACES and not empty_namespace(self._server, draft, obj):
                self._dirty[key] = None

    def _finish_owner(self, draft: Draft, served: Served, key: ObjectKey, obj: Obj) -> None:
        uid = obj["metadata"]["uid"]
        if garbage.wants_orphans(obj) and not self._let_go(draft, uid):
            self._dirty[key] = None
            return
        dependents = (found for _, found in self._dependents_of(draft, uid))
        release = garbage.next_for_owner(obj, dependents)
        if release is None:
            return
        new = garbage.without_finalizer(served.view_object(obj), release.finalizer)
        if stamping.is_removable(served.resource, new):
            draft.remove(key, new)
        else:
            draft.put(key, new, "update")

    def _dependents_of(self, draft: Draft, uid: str) -> Iterator[tuple[ObjectKey, Obj]]:
        for key in self._dependents.get(uid, ()):
            found = draft.get(key)
            if found is not None and garbage.is_owned_by(found, uid):
                yield key, found

    def _let_go(self, draft: Draft, uid: str) -> bool:
        """Makes some dependents forget their owner; whether none is left."""
        for count, (key, dependent) in enumerate(self._dependents_of(draft, uid)):
            if count == _GROUP:
                return False
            served = self._server.catalog.by_key(key.resource)
            whole = dependent if served is None else served.view_object(dependent)
            draft.put(key, garbage.without_owners(whole, (uid,)), "update")
        return True

    def _is_kept(self, get: _Get, obj: Obj) -> bool:
        """Every owner is there, and none waits for it to go."""
        return all(self._state(get, obj, o) == "alive" for o in garbage.owners_of(obj))

    def _state(self, get: _Get, obj: Obj, reference: Obj) -> OwnerState:
        key = self._owner_key(obj, reference)
        if key is None:
            return "unknown"
        owner = get(key)
        if owner is None or owner["metadata"]["uid"] != reference["uid"]:
            return "gone"
        return "waiting" if garbage.is_waiting(owner) else "alive"

    def _owner_key(self, obj: Obj, reference: Obj) -> ObjectKey | None:
        """The owner's key: in the dependent's namespace, or cluster-scoped.

        None where that cannot be told: a kind that is not served in that version, or a namespaced
        owner of what has no namespace. Source: upstream since 1.20 collects neither.
        """
        served = self._server.catalog.by_kind(reference["apiVersion"], reference["kind"])
        if served is None:
            return None
        namespace = obj["metadata"].get("namespace") or ""
        if not served.resource.namespaced:
            namespace = ""
        elif not namespace:
            return None
        return ObjectKey(served.key, namespace, reference["name"])
