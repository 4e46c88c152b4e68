"""Caches of the kinds that gang conventions and queues rest on, each while the cluster has it.

One watch on CustomResourceDefinitions says which there are; of two versions of a kind the first
that is served is followed. A kind that the scheduler may not read counts as absent.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from mizzen.base.errors import ApiError, Forbidden, Unauthorized
from mizzen.base.objects import Key, Obj, has_condition
from mizzen.base.resources import CUSTOM_RESOURCE_DEFINITIONS, JOBS, Resource
from mizzen.client.client import Client
from mizzen.client.informer import Handler, Informer
from mizzen.scheduler.core.conventions.watched import OPTIONAL
from mizzen.scheduler.core.queueing_hints import matters

_NO_NAME = "probe"  # an object of any name, there or not, tells whether reading is allowed
_log = logging.getLogger(__name__)


class OptionalKinds:
    """`objects` by kind, as far as the cluster has them; `changed` is called when one changes."""

    def __init__(
        self, client: Client, changed: Callable[[], None], kinds: Sequence[Resource] = OPTIONAL
    ) -> None:
        self._kinds = kinds
        self._client = client
        self._changed = changed
        self._definitions = Informer(client, CUSTOM_RESOURCE_DEFINITIONS)
        self._definitions.add_handler(self._on_definition)
        self._served: dict[str, tuple[str, ...]] = {}  # versions by name of the definition
        self._informers: dict[Resource, Informer] = {}
        self._tasks: dict[Resource, asyncio.Task[None]] = {}
        self._definitions_changed = asyncio.Event()
        self._is_ready = asyncio.Event()

    @property
    def objects(self) -> Mapping[Resource, Mapping[Key, Obj]]:
        return {resource: informer.objects for resource, informer in self._informers.items()}

    def statistics(self) -> Mapping[str, int]:
        return {"optional_kinds": len(self._informers)}

    async def wait_synced(self) -> None:
        """Returns once the kinds that were there at the beginning are in the caches."""
        await self._is_ready.wait()

    async def run(self) -> None:
        """Follows the definitions and their kinds until cancelled."""
        async with asyncio.TaskGroup() as group:
            await self._follow(group, JOBS)
            if await self._may_read(CUSTOM_RESOURCE_DEFINITIONS):
                group.create_task(self._definitions.run())
                await self._definitions.wait_synced()
            await self._bring_up_to_date(group)
            for resource in list(self._informers):
                await self._synced_or_gone(resource)
            self._is_ready.set()
            while True:
                await self._definitions_changed.wait()
                self._definitions_changed.clear()
                await self._bring_up_to_date(group)

    async def _synced_or_gone(self, resource: Resource) -> None:
        synced = asyncio.ensure_future(self._informers[resource].wait_synced())
        await asyncio.wait((synced, self._tasks[resource]), return_when=asyncio.FIRST_COMPLETED)
        synced.cancel()

    async def _may_read(self, resource: Resource) -> bool:
        """True if reading is not forbidden; what else may go wrong the watch will tell."""
        try:
            await self._client.get(resource, _NO_NAME, "default" if resource.namespaced else "")
        except (Forbidden, Unauthorized) as error:
            _log.warning("gangs by %s are not seen: %s", _definition(resource), error)
            return False
        except ApiError:
            return True
        return True

    async def _bring_up_to_date(self, group: asyncio.TaskGroup) -> None:
        wanted: dict[str, Resource] = {}
        for resource in self._kinds:
            name = _definition(resource)
            if name not in wanted and resource.version in self._served.get(name, ()):
                wanted[name] = resource
        for resource in [r for r in self._informers if r not in wanted.values() and r != JOBS]:
            self._tasks.pop(resource).cancel()
            del self._informers[resource]
            self._changed()
        for resource in wanted.values():
            if resource not in self._informers:
                await self._follow(group, resource)

    async def _follow(self, group: asyncio.TaskGroup, resource: Resource) -> None:
        if not await self._may_read(resource):
            return
        informer = Informer(self._client, resource)
        informer.add_handler(self._event_handler(resource))
        self._informers[resource] = informer
        self._tasks[resource] = group.create_task(informer.run())

    def _event_handler(self, resource: Resource) -> Handler:
        def handle(event: str, old: Obj | None, new: Obj) -> None:
            if matters(resource, event, old, new):
                self._changed()

        return handle

    def _on_definition(self, event: str, _: Obj | None, definition: Obj) -> None:
        name: str = definition["metadata"]["name"]
        versions: list[Obj] = definition["spec"].get("versions") or []
        for version in versions:
            version.pop("schema", None)  # nobody else reads this cache, and schemas are large
        is_there = event != "DELETED" and has_condition(definition, "Established")
        served = tuple(v["name"] for v in versions if v.get("served")) if is_there else ()
        if served != self._served.get(name, ()):
            self._served[name] = served
            self._definitions_changed.set()


def _definition(resource: Resource) -> str:
    return f"{resource.plural}.{resource.group}"
