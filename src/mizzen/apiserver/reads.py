"""Get and list."""

from __future__ import annotations

import asyncio
import base64
import zlib
from collections.abc import Mapping

import orjson

from mizzen.apiserver.catalog import Served
from mizzen.apiserver.core import refusals, rendering, request_options
from mizzen.apiserver.core.negotiate import form_of
from mizzen.apiserver.core.routing import Target
from mizzen.apiserver.core.selection import Selection
from mizzen.apiserver.http import Request, Response
from mizzen.apiserver.server import Server
from mizzen.base import query
from mizzen.base.errors import BadRequest, Expired
from mizzen.base.objects import Obj
from mizzen.store.store import ObjectKey, Page, Stored

# Upstream keeps revisions for five minutes, or ten.
CONTINUE_S_MAX = 300
_NS = 1_000_000_000
COMPRESSED_FROM_BYTES = 128 << 10
_SCAN = 500  # objects looked at at a time when a selector meets a limit


async def get(server: Server, served: Served, target: Target, request: Request) -> Response:
    check_not_future(server, request.params)
    stored = server.store.get(ObjectKey(served.key, target.namespace, target.name))
    if stored is None:
        raise refusals.not_found(served.resource, target.name)
    return await compressed(show(server, served, served.view(stored), request), request)


def show(
    server: Server, served: Served, data: bytes, request: Request, status: int = 200
) -> Response:
    """One object in the form the request accepts."""
    form = form_of(request.accept)
    if not form.shape:
        return Response(status, data)
    include = rendering.include_of(request.params)
    body = rendering.one(served.kind, data, form, include, server.clock.now_ns())
    return Response(status, body)


async def list_objects(
    server: Server, served: Served, target: Target, request: Request
) -> Response:
    params = request.params
    form = form_of(request.accept)
    include = rendering.include_of(params)
    selection = Selection.parse(served.kind, params)
    limit = query.number(params, "limit") or 0
    query.number(params, "timeoutSeconds")  # it never takes as long, but must be one
    revision, after = _position(server, params)
    try:
        items, page = _collect(server, served, target.namespace, selection, limit, revision, after)
    except Expired as error:
        if after is None:
            raise
        raise _too_old(server, after) from error
    meta: Obj = {"resourceVersion": str(page.revision)}
    if page.rest is not None:
        meta["continue"] = _encode_continue(server, page.revision, page.rest)
        if selection.is_everything:
            meta["remainingItemCount"] = page.remaining
    body = rendering.many(
        served.kind,
        [served.view(stored) for stored in items],
        meta,
        form,
        include,
        server.clock.now_ns(),
    )
    return await compressed(Response(200, body), request)


async def compressed(response: Response, request: Request) -> Response:
    """The answer as gzip where it is long and the client takes it. Source: upstream's APIResponse
    Compression: level 1, from 128 KiB on."""
    if len(response.body) < COMPRESSED_FROM_BYTES or not _takes_gzip(request):
        return response
    squeeze = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)

    def work() -> bytes:
        return squeeze.compress(response.body) + squeeze.flush()

    response.body = await asyncio.to_thread(work)
    response.headers = [
        *response.headers,
        ("content-encoding", "gzip"),
        ("vary", "accept-encoding"),
    ]
    return response


def _takes_gzip(request: Request) -> bool:
    return "gzip" in request.headers.get("accept-encoding", "")


def _collect(
    server: Server,
    served: Served,
    namespace: str,
    selection: Selection,
    limit: int,
    revision: int,
    after: tuple[str, str] | None,
) -> tuple[list[Stored], Page]:
    """`limit` matching objects (0: all) and the page that says where to go on."""
    store = server.store
    if selection.is_everything:
        page = store.list(served.key, namespace, after=after, limit=limit, revision=revision)
        return list(page.items), page
    found: list[Stored] = []
    while True:
        step = _SCAN if limit else 0
        page = store.list(served.key, namespace, after=after, limit=step, revision=revision)
        revision = page.revision
        for index, stored in enumerate(page.items):
            if not selection.matches_stored(stored):
                continue
            found.append(stored)
            if limit and len(found) == limit:
                left = len(page.items) - index - 1 + page.remaining
                place = (stored.key.namespace, stored.key.name)
                return found, Page(found, revision, place if left else None, left)
        if page.rest is None:
            return found, page
        after = page.rest


def _position(server: Server, params: Mapping[str, str]) -> tuple[int, tuple[str, str] | None]:
    """At which revision to list (0: now) and after which object."""
    request_options.check_list(params)
    token = params.get("continue")
    if token:
        if params.get("resourceVersion") not in (None, "", "0"):
            raise BadRequest("specifying resource version is not allowed when using continue")
        return _decode_continue(server, token)
    revision = check_not_future(server, params)
    if params.get("resourceVersionMatch") != "Exact":
        return 0, None
    if revision < server.store.oldest:
        raise Expired(f"The provided resource version {revision} is too old")
    return revision, None


def check_not_future(server: Server, params: Mapping[str, str]) -> int:
    """The requested resourceVersion, 0 for none. Errors: BadRequest, Timeout (too large)."""
    revision = query.number(params, "resourceVersion") or 0
    if revision > server.store.revision:
        raise refusals.future_revision(revision, server.store.revision)
    return revision


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
