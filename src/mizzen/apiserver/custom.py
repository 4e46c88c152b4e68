"""Serves the kinds of CustomResourceDefinitions from the moment they are created."""

from __future__ import annotations

import logging
from collections.abc import Callable

from mizzen.apiserver import operations
from mizzen.apiserver.catalog import Served
from mizzen.apiserver.conversions import ConversionWebhook
from mizzen.apiserver.core import customs, garbage
from mizzen.apiserver.core.field_managers import Writer, track_update
from mizzen.apiserver.core.refusals import qualified
from mizzen.apiserver.core.stamping import DeleteOptions
from mizzen.apiserver.core.user import API_SERVER
from mizzen.apiserver.draft import at_once
from mizzen.apiserver.server import Server
from mizzen.base.clock import rfc3339
from mizzen.base.errors import ApiError, Expired
from mizzen.base.objects import Obj, has_condition, is_terminating
from mizzen.base.reading import entries, text
from mizzen.base.resources import CUSTOM_RESOURCE_DEFINITIONS
from mizzen.kinds import dynamic
from mizzen.kinds.custom_versions import CustomVersions
from mizzen.kinds.dynamic import kinds_from_crd
from mizzen.kinds.kind import Kind
from mizzen.kinds.registry import Place
from mizzen.store.store import Event, ObjectKey

_WRITER = Writer("kube-apiserver", "status")  # as upstream's controllers of definitions
_KEY = qualified(CUSTOM_RESOURCE_DEFINITIONS)
_log = logging.getLogger(__name__)


class CustomKinds:
    """Keeps the catalog in step with the definitions."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._since = server.store.revision
        self._places: dict[ObjectKey, Place] = {}  # definitions -> what they define
        self._specs: dict[ObjectKey, Obj] = {}  # of definitions as they are served
        definitions = server.catalog.by_place(
            (CUSTOM_RESOURCE_DEFINITIONS.group, CUSTOM_RESOURCE_DEFINITIONS.plural)
        )
        assert definitions is not None, "the kind is built in"
        self._definitions = definitions
        self._leaving: dict[str, ObjectKey] = {}  # resources being cleaned up -> definition

    async def load(self) -> None:
        """Serves what is defined now, and no longer what is not."""
        store = self._server.store
        self._since = store.revision
        found = store.list(_KEY).items
        # Who has its names keeps them.
        defined = [s.key for s in sorted(found, key=lambda s: not _is_established(s.object()))]
        for key in self._places.keys() - set(defined):
            self._remove(key)
        for key in defined:
            await self._settle(key)

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            try:
                await self._follow()
            except Expired:
                _log.warning("definitions lagged behind the history: they are read anew")
                await self.load()

    async def _follow(self) -> None:
        events = self._server.store.watch("", since=self._since)
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
            self._remove(event.key)
            for stored in self._server.store.list(_KEY).items:  # who wanted its names
                if stored.key not in self._places:
                    await self._settle(stored.key)
        else:
            await self._settle(event.key)

    def _remove(self, key: ObjectKey) -> None:
        self._specs.pop(key, None)
        place = self._places.pop(key, None)
        if place is not None:
            self._server.catalog.remove(place)
        gone = [each for each, definition in self._leaving.items() if definition == key]
        for each in gone:
            del self._leaving[each]

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
        conflict = self._add(key, crd)
        await self._write(key, lambda crd, now_ns: customs.accepted(crd, conflict, now_ns))

    async def _write(self, key: ObjectKey, change: Callable[[Obj, int], Obj]) -> None:
        """Writes the definition with this change, if it is one."""
        draft = self._server.draft(API_SERVER)
        current = draft.get(key)
        if current is None:
            return
        new = change(current, draft.now_ns)
        if new != current:
            new = {**new, "metadata": dict(new["metadata"])}
            track_update(
                self._definitions.kind, current, new, None, _WRITER, rfc3339(draft.now_ns),
                is_builtin=True, is_served=self._definitions.api_versions.__contains__,
            )  # fmt: skip
            draft.put(key, new, "update/status")
            done = draft.commit()
            if done is not None:
                await done

    def _add(self, key: ObjectKey, crd: Obj) -> str:
        """Serves what it defines; why that cannot be, where it cannot."""
        place = customs.place_of(crd)
        if self._server.catalog.is_builtin(place):
            return "a built-in kind has this name"
        if self._specs.get(key) == crd["spec"]:
            return ""  # its watches go on
        taken = self._taken(place, crd)
        if taken:
            return taken
        try:
            kinds = kinds_from_crd(crd)
        except Exception as error:  # noqa: BLE001 - one definition must not stop the others
            _log.exception("CustomResourceDefinition %s cannot be served", key.name)
            return f"its schema cannot be served: {error}"
        names = {version["name"] for version in crd["spec"]["versions"]}
        names.update(entries(crd, "status", "storedVersions"))
        # A write is decoded and gets its revision in one tick: with an earlier schema none has a
        # higher one than was given out by now, whoever wrote it.
        complete_after = self._server.store.assigned
        versions = None if len(names) == 1 else CustomVersions(crd)
        webhook = None
        if versions is not None and text(crd, "spec", "conversion", "strategy") == "Webhook":
            webhook = ConversionWebhook(crd, versions, self._server.webhooks)
        self._server.catalog.add(
            place, kinds, is_only=versions is None, complete_after=complete_after,
            versions=versions, webhook=webhook,
        )  # fmt: skip
        self._places[key], self._specs[key] = place, crd["spec"]
        return ""

    def _taken(self, place: Place, crd: Obj) -> str:
        """Why its names are taken, "" if they are free: owners are found by group and kind."""
        words, group = crd["spec"]["names"], place[0]
        others = [
            served.kind
            for served in self._server.catalog.all()
            if served.resource.group == group and served.resource.plural != place[1]
        ]
        kinds = {name for each in others for name in _kinds_of(each.resource.kind)}
        named = {name for each in others for name in _words_of(each)}
        wanted = [words["plural"], words.get("singular"), *(words.get("shortNames") or ())]
        mine = [*(n for n in (words["kind"], words.get("listKind")) if n in kinds),
                *(n for n in wanted if n in named)]  # fmt: skip
        return f'"{mine[0]}" is already in use' if mine else ""

    async def _clean_up(self, key: ObjectKey, crd: Obj) -> None:
        """Deletes the objects of a kind that goes; the last one's going lets the kind go."""
        if key not in self._places:  # it was being deleted already when this server started
            self._add(key, crd)
        served = self._server.catalog.by_place(customs.place_of(crd))
        if served is not None and key in self._places:
            # Before the first of them goes, so that the last one's going is not missed.
            self._leaving[served.key] = key
            await self._write(key, customs.terminating)
            if await self._delete_all(served):
                return
        draft = self._server.draft(API_SERVER)
        current = draft.get(key)
        if current is None:
            return
        new = garbage.without_finalizer(current, customs.CLEANUP)
        if new["metadata"].get("finalizers"):
            draft.put(key, new, "update")
        else:
            draft.remove(key, new)
        done = draft.commit()
        if done is not None:
            await done

    async def _delete_all(self, served: Served) -> int:
        """Deletes every object of a kind, some at a time; how many wait for their finalizers."""
        left = 0
        while not left and (items := self._server.store.list(served.key).items):
            for some in at_once(items):
                draft = self._server.draft(API_SERVER)
                for key in (stored.key for stored in some):
                    if draft.exists(key):
                        operations.delete(draft, served, key.namespace, key.name, DeleteOptions())
                        left += draft.exists(key)
                    else:
                        left += 1  # on its way out by another's hand: its going will be told
                done = draft.commit()
                if done is not None:
                    await done
        return left


def _is_established(crd: Obj) -> bool:
    return has_condition(crd, dynamic.ESTABLISHED)


def _kinds_of(kind: str) -> tuple[str, str]:
    return kind, f"{kind}List"


def _words_of(kind: Kind) -> tuple[str, ...]:
    return kind.resource.plural, kind.singular_name, *kind.short_names
