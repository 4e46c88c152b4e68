"""Serves the kinds of CustomResourceDefinitions from the moment they are created."""

from __future__ import annotations

import logging

from mizzen.apiserver import operations
from mizzen.apiserver.bootstrap import IDENTITY
from mizzen.apiserver.core import customs, garbage
from mizzen.apiserver.core.refusals import qualified
from mizzen.apiserver.core.stamping import DeleteOptions
from mizzen.apiserver.server import Server
from mizzen.base.errors import ApiError
from mizzen.base.objects import Obj, is_terminating
from mizzen.base.resources import CUSTOM_RESOURCE_DEFINITIONS
from mizzen.kinds.dynamic import kinds_from_crd
from mizzen.store.store import Event, ObjectKey

_KEY = qualified(CUSTOM_RESOURCE_DEFINITIONS)
_log = logging.getLogger(__name__)


class CustomKinds:
    """Keeps the catalog in step with the definitions."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._since = server.store.revision
        self._leaving: dict[str, ObjectKey] = {}  # resources being cleaned up -> definition

    async def load(self) -> None:
        """Serves what was defined before this start."""
        self._since = self._server.store.revision
        for stored in self._server.store.list(_KEY).items:
            await self._settle(stored.key)

    async def run(self) -> None:
        """Runs until cancelled."""
        server = self._server
        events = server.store.watch("", since=self._since)
        try:
            while True:
                for event in await events.next_batch():
                    await self._notice(event)
        finally:
            events.close()

    async def _notice(self, event: Event) -> None:
        resource = event.key.resource
        if resource in self._leaving and event.type == "DELETED":
            await self._settle(self._leaving[resource])
        if resource != _KEY:
            return
        if event.type == "DELETED":
            self._server.catalog.remove(customs.place_of(event.object()))
            gone = [each for each, key in self._leaving.items() if key == event.key]
            for each in gone:
                del self._leaving[each]
        else:
            await self._settle(event.key)

    async def _settle(self, key: ObjectKey) -> None:
        stored = self._server.store.get(key)
        if stored is None:
            return
        crd = stored.object()
        try:
            if is_terminating(crd):
                await self._clean_up(key, crd)
            else:
                await self._serve(key, crd)
        except ApiError as error:
            _log.warning("CustomResourceDefinition %s: %s", key.name, error)

    async def _serve(self, key: ObjectKey, crd: Obj) -> None:
        catalog = self._server.catalog
        conflict = ""
        if catalog.is_builtin(customs.place_of(crd)):
            conflict = "a built-in kind has this name"
        else:
            catalog.add(customs.place_of(crd), kinds_from_crd(crd))
        draft = self._server.draft(IDENTITY)
        current = draft.read_key(key)
        if current is None:
            return
        new = customs.accepted(current, conflict, draft.now_ns)
        if new != current:
            draft.put(key, new, "update/status")
            done = draft.commit()
            if done is not None:
                await done

    async def _clean_up(self, key: ObjectKey, crd: Obj) -> None:
        """Deletes the objects of a kind that goes; the last one's going lets the kind go."""
        served = self._server.catalog.by_place(customs.place_of(crd))
        draft = self._server.draft(IDENTITY)
        left = False
        if served is not None and not self._server.catalog.is_builtin(customs.place_of(crd)):
            for stored in self._server.store.list(served.key).items:
                name, namespace = stored.key.name, stored.key.namespace
                operations.delete(draft, served, namespace, name, DeleteOptions())
                left = left or draft.exists(stored.key)
            if left:
                self._leaving[served.key] = key
        if not left:
            new = garbage.without_finalizer(crd, customs.CLEANUP)
            if new["metadata"].get("finalizers"):
                draft.put(key, new, "update")
            else:
                draft.remove(key, new)
        done = draft.commit()
        if done is not None:
            await done
