"""The pods behind Services: followed from the first request for a Service on, and no others.

Of all pods of a cluster the gateway serves few; so nothing is asked of the API server before
somebody asks for a Service, and then only what its selector matches.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mizzen.base.objects import Obj, namespace_of
from mizzen.base.resources import PODS
from mizzen.client.client import Client
from mizzen.client.informer import Handler, Informer
from mizzen.gateway.core.services import RETRY_AFTER_S, ServiceError

FOLLOWED_MAX = (
    100  # selectors at a time, each a connection to the API server; the oldest goes first
)
SYNC_S_MAX = 5.0  # that a first request waits for the pods
_Selector = tuple[str, str]  # namespace, and the selector in words


@dataclass(frozen=True, slots=True)
class _Followed:
    informer: Informer
    task: asyncio.Task[None]


class ServicePods:
    """Ready pods of Services, followed by selector from the first request on."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._handlers: list[Handler] = []
        self._followed: dict[_Selector, _Followed] = {}

    def add_handler(self, handler: Handler) -> None:
        self._handlers.append(handler)

    async def __call__(self, service: Obj) -> Iterable[Obj]:
        """The pods that a Service with a selector selects, as far as they are known by now.

        Errors: ServiceError 503 while the API server does not tell.
        """
        found = self._follow(_selector_of(service))
        if not found.informer.is_synced:
            await self._wait_synced(found, service)
        return found.informer.objects.values()

    async def _wait_synced(self, found: _Followed, service: Obj) -> None:
        synced = asyncio.ensure_future(found.informer.wait_synced())
        try:
            ends = (synced, found.task)  # the second, when the Service is followed no longer
            await asyncio.wait(ends, timeout=SYNC_S_MAX, return_when=asyncio.FIRST_COMPLETED)
        finally:
            synced.cancel()
        if found.informer.is_synced:
            return
        why = f"the API server did not tell within {SYNC_S_MAX:g} s"
        if found.task.done():
            why = "it has changed, or too many Services are asked for at a time"
        raise ServiceError(
            503,
            f'the pods of Service "{namespace_of(service)}/{service["metadata"]["name"]}" are '
            f"not known yet: {why}; ask again",
            code="pods_unknown",
            retry_after_s=RETRY_AFTER_S,
        )

    def on_service(self, kind: str, old: Obj | None, new: Obj) -> None:
        """An informer's handler: what no Service selects any more is followed no longer."""
        was = old if old is not None else new
        if was["spec"].get("selector") and (
            kind == "DELETED" or _selector_of(was) != _selector_of(new)
        ):
            self._drop(_selector_of(was))  # another Service with the same one has it followed anew

    def statistics(self) -> Mapping[str, int]:
        return {
            "selectors": len(self._followed),
            "pods": sum(len(each.informer.objects) for each in self._followed.values()),
        }

    async def close(self) -> None:
        tasks = [each.task for each in self._followed.values()]
        for selector in list(self._followed):
            self._drop(selector)
        await asyncio.gather(*tasks, return_exceptions=True)

    def _follow(self, selector: _Selector) -> _Followed:
        found = self._followed.get(selector)
        if found is None:
            while len(self._followed) >= FOLLOWED_MAX:
                self._drop(next(iter(self._followed)))
            namespace, labels = selector
            informer = Informer(self._client, PODS, namespace, labels=labels)
            for handler in self._handlers:
                informer.add_handler(handler)
            task = asyncio.create_task(informer.run(), name=f"pods {namespace} {labels}")
            found = self._followed[selector] = _Followed(informer, task)
        return found

    def _drop(self, selector: _Selector) -> None:
        found = self._followed.pop(selector, None)
        if found is None:
            return
        found.task.cancel()
        for pod in found.informer.objects.values():  # they may change from now on unheard
            for handler in self._handlers:
                handler("DELETED", pod, pod)


def _selector_of(service: Obj) -> _Selector:
    labels: Mapping[str, str] = service["spec"].get("selector") or {}
    words = ",".join(f"{key}={labels[key]}" for key in sorted(labels))
    return namespace_of(service), words
