"""Writes about which webhooks are asked: tried, asked, and tried again until nothing is left to ask.

A webhook is I/O between what a write reads and its commit, which are one tick of the loop. So a
write is tried in a draft as if webhooks allowed what they have not answered yet; what they must be
asked is noted. If that is nothing, the draft is committed in the same tick. Otherwise the draft is
thrown away, webhooks are asked, and the write is tried anew on what the store has by then, with the
same moment and names: an answer counts for exactly the request that it was given to, so what is
committed is what webhooks have seen.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import orjson

from mizzen.apiserver.core.admission_review import CallFailed, Verdict
from mizzen.base.errors import ApiError, Timeout
from mizzen.base.objects import Obj

ROUNDS_MAX = 64  # mutating webhooks of one write are asked one after the other
Options = tuple[str, Mapping[str, str]]
_D = TypeVar("_D")
_T = TypeVar("_T")


class Converter(Protocol):
    """A webhook that converts objects of one kind between its versions."""

    def known(self, obj: Obj, api_version: str) -> Obj | None:
        """The object in this version, if it has been asked about it before."""
        ...

    async def convert(self, objects: Sequence[Obj], api_version: str) -> list[bytes]:
        """The JSON of each in this version, in order. Errors: ApiError."""
        ...


class Asker(Protocol):
    """Asks one webhook. Errors: CallFailed."""

    async def ask(self, webhook: Obj, request: Obj, uid: str, *, is_mutating: bool) -> Verdict: ...


@dataclass(slots=True)
class _Object:
    """One that is to be converted."""

    webhook: Converter
    object: Obj
    api_version: str


@dataclass(slots=True)
class _Question:
    webhook: Obj
    request: Obj
    is_mutating: bool


class Reviews:
    """What webhooks have said about one request, and what they are still to be asked.

    `options` are the kind (CreateOptions, ...) and the parameters of the request, None of one that
    connects. `is_unsure`: a
    mutating webhook has not answered yet what becomes of the present object.
    """

    __slots__ = ("_converted", "_objects", "_pending", "_verdicts", "is_unsure", "options")

    def __init__(self, options: Options | None) -> None:
        self.options = options
        self.is_unsure = False
        self._verdicts: dict[str, Verdict | CallFailed] | None = None
        self._pending: dict[str, _Question] | None = None
        self._converted: dict[str, bytes | ApiError] = {}
        self._objects: dict[str, _Object] = {}  # that are to be converted

    def verdict(
        self, source: str, webhook: Obj, request: Obj, *, is_mutating: bool
    ) -> Verdict | CallFailed | None:
        """The answer of the webhook, named by `source`; None while it has not been asked."""
        body = orjson.dumps([source, request], option=orjson.OPT_SORT_KEYS)
        key = hashlib.sha256(body).hexdigest()
        known = None if self._verdicts is None else self._verdicts.get(key)
        if known is None:
            if self._pending is None:
                self._pending = {}
            self._pending[key] = _Question(webhook, request, is_mutating)
        return known

    def converted(self, webhook: Converter, obj: Obj, api_version: str) -> Obj:
        """The object in another version of its kind.

        Errors: Waiting while the webhook has not said it; ApiError where it cannot.
        """
        body = orjson.dumps([api_version, obj], option=orjson.OPT_SORT_KEYS)
        key = hashlib.sha256(body).hexdigest()
        found = self._converted.get(key)
        if isinstance(found, ApiError):
            raise found
        if found is not None:
            return orjson.loads(found)
        known = webhook.known(obj, api_version)
        if known is not None:
            return known
        self._objects[key] = _Object(webhook, orjson.loads(orjson.dumps(obj)), api_version)
        raise Waiting("a webhook is to convert the object")

    @property
    def is_waiting(self) -> bool:
        return bool(self._pending or self._objects)

    async def settle(self, asker: Asker) -> None:
        """Asks all that is to be asked, at once."""
        pending, self._pending = self._pending or {}, None
        verdicts = self._verdicts = self._verdicts or {}
        objects, self._objects = self._objects, {}

        async def convert(key: str, asked: _Object) -> None:
            try:
                made = await asked.webhook.convert([asked.object], asked.api_version)
                self._converted[key] = made[0]
            except ApiError as error:
                self._converted[key] = error

        async def ask(key: str, question: _Question) -> None:
            uid = f"{key[:8]}-{key[8:12]}-{key[12:16]}-{key[16:20]}-{key[20:32]}"
            request = {"uid": uid, **question.request}
            try:
                answer: Verdict | CallFailed = await asker.ask(
                    question.webhook, request, uid, is_mutating=question.is_mutating
                )
            except CallFailed as error:
                answer = error
            verdicts[key] = answer

        async with asyncio.TaskGroup() as group:
            for key, question in pending.items():
                group.create_task(ask(key, question))
            for key, asked in objects.items():
                group.create_task(convert(key, asked))


class Waiting(ApiError):
    """Nothing more can be said of a write before a webhook has converted an object."""


class Draws:
    """Names and uids of one request: when it is tried anew, they are the same."""

    def __init__(self, draw: Callable[[], str]) -> None:
        self._draw = draw
        self._drawn: list[str] = []
        self._at = 0

    def rewind(self) -> None:
        self._at = 0

    def __call__(self) -> str:
        if self._at == len(self._drawn):
            self._drawn.append(self._draw())
        self._at += 1
        return self._drawn[self._at - 1]


async def attempt(
    begin: Callable[[Reviews], _D], work: Callable[[_D], _T], asker: Asker, reviews: Reviews
) -> tuple[_D, _T]:
    """The draft in which `work` was done, to be committed in this very tick, and its result.

    Errors: those of `work`; Timeout where what is written changes after each answer.
    """
    for _ in range(ROUNDS_MAX):
        draft = begin(reviews)
        try:
            result = work(draft)
        except ApiError:
            if not reviews.is_waiting:
                raise  # or else it may come of what a webhook has still to change
        else:
            if not reviews.is_waiting:
                return draft, result
        await reviews.settle(asker)
    raise Timeout(
        f"request did not complete: webhooks were asked {ROUNDS_MAX} times, and each time what they "
        "were asked about had changed"
    )
