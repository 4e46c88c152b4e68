"""The store's history as JSON lines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import orjson

from mizzen.apiserver.http import Request, Stream
from mizzen.apiserver.server import Server
from mizzen.base import query
from mizzen.base.errors import Expired
from mizzen.store.store import Record

_CHUNK = 256


def history(server: Server, request: Request) -> Stream:
    """Records after `since`, at most `limit` of them (0: all up to now), oldest first.

    Without `since` it begins with the oldest that is kept. `verbs` keeps only those (by comma).
    """
    params = request.params
    since = query.number(params, "since")
    limit = query.number(params, "limit") or 0
    store = server.store
    if since is None:
        since = store.oldest
    elif since < store.oldest:
        raise Expired(
            f"history begins after revision {store.oldest}, since={since} is older; "
            "leave since away to read what is kept"
        )
    verbs = frozenset(filter(None, params.get("verbs", "").split(",")))
    return Stream(_lines(server, since, store.revision, limit, verbs), "application/x-ndjson")


async def _lines(
    server: Server, since: int, until: int, limit: int, verbs: frozenset[str]
) -> AsyncIterator[bytes]:
    left = limit
    yield b""
    while since < until:
        records = server.store.history(since, _CHUNK)
        if not records:
            return
        since = records[-1].revision
        chosen = [r for r in records if r.revision <= until and (not verbs or r.verb in verbs)]
        if limit:
            chosen = chosen[:left]
            left -= len(chosen)
        if chosen:
            yield b"".join(map(_line, chosen))
        if limit and left == 0:
            return
        await asyncio.sleep(0)  # long histories must not hold up the loop


def _line(record: Record) -> bytes:
    head = orjson.dumps(
        {
            "revision": record.revision,
            "time": record.time_ns,
            "identity": record.identity,
            "verb": record.verb,
            "type": record.type,
            "resource": record.key.resource,
            "namespace": record.key.namespace,
            "name": record.key.name,
            "plan": record.plan,
        }
    )
    return head[:-1] + b',"object":' + record.data + b"}\n"
