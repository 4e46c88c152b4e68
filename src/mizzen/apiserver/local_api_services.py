"""Keeps an APIService for each version of a group that this server answers itself."""

from __future__ import annotations

from mizzen.apiserver import operations
from mizzen.apiserver.core import local_api_services as rules
from mizzen.apiserver.core.refusals import qualified
from mizzen.apiserver.core.stamping import DeleteOptions
from mizzen.apiserver.core.user import API_SERVER
from mizzen.apiserver.draft import Draft
from mizzen.apiserver.due_names import DueNames
from mizzen.apiserver.server import Server
from mizzen.base.objects import Obj
from mizzen.base.resources import API_SERVICES, CUSTOM_RESOURCE_DEFINITIONS
from mizzen.store.store import Event, ObjectKey

_KEY, _DEFINITIONS = qualified(API_SERVICES), qualified(CUSTOM_RESOURCE_DEFINITIONS)


class LocalApiServices:
    """Follows APIServices and CustomResourceDefinitions of one server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._due = DueNames("APIService", self.handle)
        self._builtin = {
            (served.resource.group, served.resource.version)
            for served in server.catalog.all()
            if served.is_builtin
        }
        self._wanted = self._read()
        self._starting = set(self._wanted)

    async def run(self) -> None:
        """Runs until cancelled."""
        store = self._server.store
        self._starting.update(stored.key.name for stored in store.list(_KEY).items)
        for name in sorted(self._starting):
            self._due.mark(name)
        store.listen(_KEY, lambda event: self._due.mark(event.key.name))
        store.listen(_DEFINITIONS, self._on_definition)
        await self._due.run()

    def _read(self) -> dict[str, rules.Wanted]:
        found = self._server.store.list(_DEFINITIONS).items
        return rules.wanted(self._builtin, (stored.object() for stored in found))

    def _on_definition(self, event: Event) -> None:
        before, self._wanted = self._wanted, self._read()
        for name in before.keys() ^ self._wanted.keys():
            self._due.mark(name)

    async def handle(self, name: str) -> None:
        """Errors: ApiError."""
        draft = self._server.draft(API_SERVER)
        key = ObjectKey(_KEY, "", name)
        found = draft.get(key)
        is_start = name in self._starting
        new = rules.changed(found, name, self._wanted, draft.now_ns, is_start=is_start)
        if new != found:
            self._write(draft, key, found, new)
            done = draft.commit()
            if done is not None:
                await done
        self._starting.discard(name)

    def _write(self, draft: Draft, key: ObjectKey, found: Obj | None, new: Obj | None) -> None:
        served = self._server.catalog.by_key(_KEY)
        assert served is not None, "APIServices are built in"
        if new is None:
            if found is not None:
                operations.delete(draft, served, "", key.name, DeleteOptions())
            return
        if found is None:
            made = operations.create(draft, served, "", new)
        elif found["spec"] != new["spec"]:
            made = operations.update(draft, served, "", key.name, new)
        else:
            made = found
        draft.put(key, {**made, "status": new["status"]}, "update/status")
