"""Lists: which objects, in which form, made while they are sent.

A long list is pieces of about PIECE_BYTES, each of them joined when the client has taken the one
before: writers need not wait for it, and nobody holds more of it than a piece.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import orjson

from mizzen.apiserver.catalog import Served
from mizzen.apiserver.conversions import in_version
from mizzen.apiserver.core import protobuf_answers, rendering
from mizzen.apiserver.core.list_options import ListOptions
from mizzen.apiserver.core.negotiate import PROTOBUF, form_of
from mizzen.apiserver.core.routing import Target
from mizzen.apiserver.core.selection import Selection
from mizzen.apiserver.http import JSON, Request, Response, Rest
from mizzen.apiserver.reads import GZIP, SCAN, check_not_future, compressed, takes_gzip
from mizzen.apiserver.server import Server
from mizzen.base.errors import BadRequest, Expired, NotAcceptable
from mizzen.base.objects import Obj
from mizzen.store.store import Page, Stored

# Upstream keeps revisions for five minutes, or ten.
CONTINUE_S_MAX = 300
PIECE_BYTES = 128 << 10
_NS = 1_000_000_000
_UNCACHED = "events"
_ROWS = 100  # rendered at a time: some milliseconds


async def list_objects(
    server: Server, served: Served, target: Target, request: Request
) -> Response:
    params = request.params
    form = form_of(request.head.accept)
    rendering.include_of(params, form)
    options = ListOptions.of(served.kind, params)
    page = await select(server, served, target.namespace, options)
    form.check_listing(is_list=True, of=f"{served.internal_type}List")
    return await show_page(server, served, request, options, page)


async def select(server: Server, served: Served, namespace: str, options: ListOptions) -> Page:
    """The objects that a list has. Errors: BadRequest, Expired, Timeout."""
    selection, limit = options.selection, options.limit
    is_cached = options.resource_version == "0" and served.resource.plural != _UNCACHED
    if is_cached and not options.token:
        limit = 0  # upstream's cache, which is asked then, answers whole
    revision, after = _position(server, options)
    try:
        return await _collect(server, served, namespace, selection, limit, revision, after)
    except Expired as error:
        if after is None:
            raise
        raise _too_old(server, after) from error


async def show_page(
    server: Server, served: Served, request: Request, options: ListOptions, page: Page
) -> Response:
    """The list in the form that is asked for, and where it goes on. Errors: NotAcceptable."""
    form = form_of(request.head.accept)
    include = rendering.include_of(request.params, form)
    meta: Obj = {"resourceVersion": str(page.revision)}
    if page.rest is not None:
        meta["continue"] = _encode_continue(server, page.revision, page.rest)
        if options.selection.is_everything:
            meta["remainingItemCount"] = page.remaining
    if form.is_protobuf:
        return await _in_protobuf(served, page.items, meta)
    opening = rendering.opening(served.kind, meta, form)
    if form.shape or not served.is_as_stored:
        now_ns, kind = server.clock.now_ns(), served.kind

        def shown(part: Sequence[Stored]) -> list[bytes]:
            return [
                rendering.item(kind, served.view(stored), form, include, now_ns) for stored in part
            ]

        return await _answer(request, opening, page.items, _ROWS, shown, 0)
    size = sum([len(stored.data) for stored in page.items])
    at_once = max(1, PIECE_BYTES * len(page.items) // (size or 1))
    size += len(opening) + max(0, len(page.items) - 1) + len(rendering.CLOSING)
    return await _answer(request, opening, page.items, at_once, _as_stored, size)


def _as_stored(part: Sequence[Stored]) -> list[bytes]:
    return [stored.data for stored in part]


async def _answer(
    request: Request,
    opening: bytes,
    items: Sequence[Stored],
    at_once: int,
    shown: Callable[[Sequence[Stored]], list[bytes]],
    size: int,
) -> Response:
    """A whole answer where one piece is all of it. `size`: of all of it, 0 where that is unknown."""
    pieces = _pieces(opening, items, at_once, shown)
    response = Response(200, next(pieces))
    if len(items) <= at_once:
        return await compressed(response, request)
    is_squeezed = takes_gzip(request)
    size = 0 if is_squeezed or not size else size - len(response.body)
    response.rest = Rest(pieces, size, is_squeezed)
    if is_squeezed:
        response.headers = GZIP
    return response


def _pieces(
    opening: bytes,
    items: Sequence[Stored],
    at_once: int,
    shown: Callable[[Sequence[Stored]], list[bytes]],
) -> Iterator[bytes]:
    if not items:
        yield opening + rendering.CLOSING
    for start in range(0, len(items), at_once):
        part = shown(items[start : start + at_once])
        part[0] = (b"," if start else opening) + part[0]
        if start + at_once >= len(items):
            part[-1] += rendering.CLOSING
        yield b",".join(part)


async def _in_protobuf(served: Served, items: Sequence[Stored], meta: Obj) -> Response:
    """Errors: NotAcceptable."""
    resource = served.resource
    if not protobuf_answers.can_encode(resource.api_version, resource.kind):
        raise NotAcceptable(f"{resource.plural} are not served as {PROTOBUF}: accept {JSON}")
    encoded: list[bytes] = []
    for start in range(0, len(items), _ROWS):
        part = [orjson.loads(served.view(stored)) for stored in items[start : start + _ROWS]]
        encoded.append(protobuf_answers.items(resource.api_version, resource.kind, part))
        await asyncio.sleep(0)
    head = (resource.api_version, resource.kind, meta)
    return Response(200, protobuf_answers.listing(*head, b"".join(encoded)), PROTOBUF)


async def _collect(
    server: Server,
    served: Served,
    namespace: str,
    selection: Selection,
    limit: int,
    revision: int,
    after: tuple[str, str] | None,
) -> Page:
    """`limit` matching objects (0: all), and where to go on."""
    store = server.store
    if selection.is_everything:
        page = store.list(served.key, namespace, after=after, limit=limit, revision=revision)
        return replace(page, items=await in_version(served, page.items)) if served.webhook else page
    found: list[Stored] = []
    page = store.list(served.key, namespace, after=after, revision=revision)
    for start in range(0, len(page.items), SCAN):
        if start:
            await asyncio.sleep(0)
        shown = await in_version(served, page.items[start : start + SCAN])
        for stored in selection.candidates(shown):
            if not selection.matches_stored(stored):
                continue
            found.append(stored)
            if limit and len(found) == limit:
                is_last = stored.key == page.items[-1].key
                rest = None if is_last else (stored.key.namespace, stored.key.name)
                return Page(found, page.revision, rest)
    return Page(found, page.revision)


def _position(server: Server, options: ListOptions) -> tuple[int, tuple[str, str] | None]:
    """At which revision to list (0: now) and after which object."""
    if options.token:
        place = _decode_continue(server, options.token)
        if options.resource_version not in ("", "0"):
            raise BadRequest("specifying resource version is not allowed when using continue")
        return place
    try:
        revision = check_not_future(server, options.resource_version)
    except ValueError as error:
        raise BadRequest(f"invalid resource version: {error}") from error
    is_first_of_some = bool(options.limit and not options.match and revision)
    if options.match != "Exact" and not is_first_of_some:
        return 0, None
    if revision < server.store.oldest:
        raise Expired(f"The provided resource version {revision} is too old")
    return revision, None


def _encode_continue(server: Server, revision: int, place: tuple[str, str]) -> str:
    token = [revision, *place, server.clock.now_ns() // _NS]
    return base64.urlsafe_b64encode(orjson.dumps(token)).decode()


def _decode_continue(server: Server, token: str) -> tuple[int, tuple[str, str]]:
    """The revision, 0 where the rest of a list is wanted as it is by now, and the last place.

    Errors: BadRequest; Expired.
    """
    try:
        revision, namespace, name, given_s = orjson.loads(base64.urlsafe_b64decode(token))
    except (ValueError, TypeError) as error:  # no JSON, or no list of four
        raise BadRequest(
            "invalid continue token: continue key is not valid: it is not one this server made"
        ) from error
    if type(revision) is not int or not 0 <= revision <= server.store.revision:
        raise BadRequest(
            "invalid continue token: continue key is not valid: its revision does not exist"
        )
    if not isinstance(namespace, str) or not isinstance(name, str) or type(given_s) is not int:
        raise BadRequest("continue key is not valid: it names no object")
    if revision and server.clock.now_ns() // _NS - given_s > CONTINUE_S_MAX:
        raise _too_old(server, (namespace, name))
    return revision, (namespace, name)


def _too_old(server: Server, place: tuple[str, str]) -> Expired:
    """The refusal of a token, with one by which the list goes on as it is by now."""
    return Expired(
        "The provided continue parameter is too old to display a consistent list result. You can "
        "start a new list without the continue parameter, or use the continue token in this "
        "response to retrieve the remainder of the results. Continuing with the provided token "
        "results in an inconsistent list - objects that were created, modified, or deleted between "
        "the time the first chunk was returned and now may show up in the list.",
        continue_token=_encode_continue(server, 0, place),
    )
