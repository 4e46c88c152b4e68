"""Get, and what lists have in common with it."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Sequence

from mizzen.apiserver.catalog import Served
from mizzen.apiserver.conversions import in_version
from mizzen.apiserver.core import refusals, rendering
from mizzen.apiserver.core.negotiate import form_of
from mizzen.apiserver.core.routing import Target
from mizzen.apiserver.core.selection import Selection
from mizzen.apiserver.http import Request, Response
from mizzen.apiserver.server import Server
from mizzen.base.errors import Unclassified
from mizzen.base.go_text import quoted
from mizzen.base.strconv import parse_uint
from mizzen.store.store import ObjectKey, Stored

SCAN = 500  # objects that a selector looks at at a time
COMPRESSED_FROM_BYTES = 128 << 10
GZIP = (("content-encoding", "gzip"), ("vary", "accept-encoding"))


async def get(server: Server, served: Served, target: Target, request: Request) -> Response:
    form = form_of(request.head.accept)
    wanted = request.params.get("resourceVersion", "")
    if wanted:
        try:
            check_not_future(server, wanted)
        except ValueError as error:
            raise Unclassified(str(error)) from error
    stored = server.store.get(ObjectKey(served.key, target.namespace, target.name))
    if stored is None:
        raise refusals.not_found(served.resource, target.name)
    if served.webhook is not None:
        (stored,) = await in_version(served, [stored])
    if form.shape:
        if form.of_list and not served.is_typed:
            raise Unclassified("content is not a list")
        form.check_listing(is_list=False, of=served.internal_type)
    response = show(server, served, served.view(stored), request)
    is_long = len(response.body) >= COMPRESSED_FROM_BYTES
    return await compressed(response, request) if is_long else response


def show(
    server: Server, served: Served, data: bytes, request: Request, status: int = 200
) -> Response:
    """One object in the form the request accepts."""
    if request.head.takes_json:
        return Response(status, data)
    form = form_of(request.head.accept)
    if not form.shape:
        return Response(status, data)
    include = rendering.include_of(request.params, form)
    body = rendering.one(served.kind, data, form, include, server.clock.now_ns())
    return Response(status, body)


async def compressed(response: Response, request: Request) -> Response:
    """The answer as gzip where it is long and the client takes it. Source: upstream's APIResponse
    Compression: level 1, from 128 KiB on."""
    if len(response.body) < COMPRESSED_FROM_BYTES or not takes_gzip(request):
        return response
    squeeze = squeezing()

    def work() -> bytes:
        return squeeze.compress(response.body) + squeeze.flush()

    response.body = await asyncio.to_thread(work)
    response.headers = (*response.headers, *GZIP)
    return response


def squeezing() -> zlib._Compress:  # pyright: ignore[reportPrivateUsage]
    return zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)


def takes_gzip(request: Request) -> bool:
    is_plain = not request.head.takes_yaml  # what becomes YAML is read once more
    return is_plain and "gzip" in request.headers.get("accept-encoding", "")


async def chosen(selection: Selection, items: Sequence[Stored]) -> list[Stored]:
    """Those of the items that match. Others are served in between."""
    if selection.is_everything:
        return list(items)
    found: list[Stored] = []
    for start in range(0, len(items), SCAN):
        if start:
            await asyncio.sleep(0)
        part = selection.candidates(items[start : start + SCAN])
        found += [stored for stored in part if selection.matches_stored(stored)]
    return found


def check_not_future(server: Server, text: str) -> int:
    """The requested resourceVersion, 0 for none.

    Errors: ValueError for what is none, in upstream's words; Timeout (too large).
    """
    revision = parse_revision(text)
    if revision > server.store.revision:
        raise refusals.future_revision(revision, server.store.revision)
    return revision


def parse_revision(text: str) -> int:
    """A resourceVersion, 0 for none. Errors: ValueError in the words of upstream's versioner."""
    try:
        return parse_uint(text) if text else 0
    except ValueError as error:
        raise ValueError(f"resourceVersion: Invalid value: {quoted(text)}: {error}") from error
