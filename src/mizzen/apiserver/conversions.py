"""Objects of a custom kind in another version, by the webhook of its definition.

What a webhook has said of an object is remembered by the object's bytes: an object that nobody
writes is asked about once for each version, however many read it, and whoever needs the same answer
at the same time waits for the same question.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from uuid import UUID

import orjson

from mizzen.apiserver.catalog import Converted, Served
from mizzen.apiserver.core.conversion_review import (
    ConversionFailed,
    kind_text,
    read_converted,
    review,
    review_version,
)
from mizzen.apiserver.webhook_client import CallFailed, WebhookClient
from mizzen.base.errors import Unclassified
from mizzen.base.objects import Obj
from mizzen.base.reading import part
from mizzen.kinds.custom_versions import CustomVersions
from mizzen.store.store import Event, Stored

TIMEOUT_S = 30
OBJECTS_AT_ONCE = 500  # of one question
BYTES_AT_ONCE = 4 << 20
REMEMBERED_BYTES_MAX = 32 << 20  # for each definition
_Question = tuple[bytes, Obj]


class ConversionWebhook:
    """The webhook of one definition, for as long as that stays as it is."""

    def __init__(self, definition: Obj, versions: CustomVersions, client: WebhookClient) -> None:
        webhook = part(definition, "spec", "conversion", "webhook")
        self._config = part(webhook, "clientConfig")
        self._reviews = [str(v) for v in webhook.get("conversionReviewVersions") or ()]
        self._versions = versions
        self._client = client
        self._known: OrderedDict[bytes, bytes] = OrderedDict()  # the latest last
        self._known_bytes = 0
        self._asked: dict[bytes, tuple[asyncio.Task[list[bytes]], int]] = {}

    def known(self, obj: Obj, api_version: str) -> Obj | None:
        """The object in this version, if that is known already."""
        found = self._known.get(_key(obj, api_version))
        return None if found is None else orjson.loads(found)

    async def convert(self, objects: Sequence[Obj], api_version: str) -> list[bytes]:
        """The JSON of each in this version, in order. Errors: Unclassified."""
        keys = [_key(obj, api_version) for obj in objects]
        found = {key: self._known[key] for key in keys if key in self._known}
        for key in found:
            self._known.move_to_end(key)
        missing = {k: o for k, o in zip(keys, objects, strict=True) if k not in found}
        for some in _at_once((k, o) for k, o in missing.items() if k not in self._asked):
            self._begin(some, api_version)
        answers = {key: self._asked[key] for key in missing}
        for key, (answer, place) in answers.items():
            # Others may wait for it, too: it goes on where one of them leaves.
            found[key] = (await asyncio.shield(answer))[place]
        return [found[key] for key in keys]

    def _begin(self, some: list[_Question], api_version: str) -> None:
        keys = [key for key, _ in some]
        objects = [obj for _, obj in some]
        task = asyncio.get_running_loop().create_task(self._ask(keys, objects, api_version))
        self._asked.update((key, (task, place)) for place, key in enumerate(keys))

        def end(task: asyncio.Task[list[bytes]]) -> None:
            for key in keys:
                del self._asked[key]
            if not task.cancelled():
                task.exception()  # all who asked may be gone

        task.add_done_callback(end)

    async def _ask(self, keys: list[bytes], objects: list[Obj], api_version: str) -> list[bytes]:
        """Errors: Unclassified."""
        try:
            made = await self._answer(objects, api_version)
        except ConversionFailed as error:
            raise Unclassified(str(error)) from error
        shown = [orjson.dumps(self._versions.pruned(obj)) for obj in made]
        for key, data in zip(keys, shown, strict=True):
            self._remember(key, data)
        return shown

    async def _answer(self, objects: list[Obj], api_version: str) -> list[Obj]:
        """Errors: ConversionFailed."""
        version = review_version(self._reviews)
        digest = hashlib.sha256(orjson.dumps([api_version, objects])).digest()
        uid = str(UUID(bytes=digest[:16], version=4))
        body = review(version, objects, api_version, uid)
        try:
            answer = await self._client.post(self._config, body, TIMEOUT_S)
        except CallFailed as error:
            what = kind_text(objects[0])
            raise ConversionFailed(f"conversion webhook for {what} failed: {error}") from error
        return read_converted(answer, version, objects, api_version, uid)

    def _remember(self, key: bytes, data: bytes) -> None:
        self._known[key] = data
        self._known_bytes += len(data)
        while self._known_bytes > REMEMBERED_BYTES_MAX:
            _, oldest = self._known.popitem(last=False)
            self._known_bytes -= len(oldest)


async def in_version(served: Served, items: Sequence[Stored]) -> Sequence[Stored]:
    """Stored objects as this version shows them, where a webhook must say that. Errors: Unclassified."""
    webhook, versions = served.webhook, served.versions
    if webhook is None or versions is None:
        return items
    wanted, objects = served.resource.api_version, [each.object() for each in items]
    apart = [n for n, obj in enumerate(objects) if obj["apiVersion"] != wanted]
    if not apart:
        return items
    made = await webhook.convert([versions.completed(objects[n]) for n in apart], wanted)
    shown = list(items)
    for n, data in zip(apart, made, strict=True):
        shown[n] = Converted(items[n].key, items[n].revision, data)
    return shown


async def events_in_version(served: Served, batch: Sequence[Event]) -> Sequence[Event]:
    """The same of events. Errors: Unclassified."""
    if served.webhook is None:
        return batch
    earlier = [(n, each.previous) for n, each in enumerate(batch)]
    before = [(n, stored) for n, stored in earlier if stored is not None]
    shown = await in_version(
        served, [each.stored for each in batch] + [stored for _, stored in before]
    )
    previous = dict(zip((n for n, _ in before), shown[len(batch) :], strict=True))
    made: list[Event] = []
    for n, (event, stored) in enumerate(zip(batch, shown[: len(batch)], strict=True)):
        one = Event(event.type, stored, previous.get(n))
        one.cache = event.cache  # its lines are this version's
        made.append(one)
    return made


def _key(obj: Obj, api_version: str) -> bytes:
    return hashlib.sha256(orjson.dumps([api_version, obj])).digest()


def _at_once(questions: Iterator[_Question]) -> Iterator[list[_Question]]:
    some: list[_Question] = []
    size = 0
    for key, obj in questions:
        length = len(orjson.dumps(obj))
        if some and (len(some) == OBJECTS_AT_ONCE or size + length > BYTES_AT_ONCE):
            yield some
            some, size = [], 0
        some.append((key, obj))
        size += length
    if some:
        yield some
