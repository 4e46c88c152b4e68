"""Asks nodes what they and their pods use, for `kubectl top` and autoscalers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import orjson

from mizzen.apiserver.catalog import Served
from mizzen.apiserver.core import refusals
from mizzen.apiserver.core.routing import Target
from mizzen.apiserver.core.selection import Selection
from mizzen.apiserver.core.usage_metrics import node_metrics, pod_metrics, uid_of_told
from mizzen.apiserver.http import Request, Response, answer
from mizzen.apiserver.server import Server
from mizzen.base.errors import ApiError
from mizzen.base.objects import Obj, name_of, uid_of
from mizzen.base.reading import entries, text
from mizzen.base.resources import NODES, PODS

IDLE_S_MAX = 10.0


async def nodes(server: Server, served: Served, target: Target, request: Request) -> Response:
    stored = server.store.list(NODES.plural).items
    known = {name_of(obj): obj for obj in (each.object() for each in stored)}
    if target.name:
        known = {name: obj for name, obj in known.items() if name == target.name}
    told = await _summaries(server, known)
    made = [node_metrics(known[name], summary) for name, summary in sorted(told.items())]
    return _answer(served, target, request, made)


async def pods(server: Server, served: Served, target: Target, request: Request) -> Response:
    stored = server.store.list(PODS.plural, target.namespace).items
    known = {uid_of(obj): obj for obj in (each.object() for each in stored)}
    if target.name:
        known = {uid: obj for uid, obj in known.items() if name_of(obj) == target.name}
    on = {text(obj, "spec", "nodeName"): obj for obj in known.values()}
    told = await _summaries(server, {name: obj for name, obj in on.items() if name})
    made = [
        pod_metrics(known[uid_of_told(each)], each)
        for _, summary in sorted(told.items())
        for each in entries(summary, "pods")
        if uid_of_told(each) in known
    ]
    return _answer(served, target, request, made)


async def _summaries(server: Server, names: Mapping[str, Obj]) -> dict[str, Obj]:
    """By node; those that do not answer are left out, as metrics-server does."""

    async def ask(name: str) -> tuple[str, Obj | None]:
        try:
            pieces = await server.kubelets.get(name, ("stats", "summary"), {}, IDLE_S_MAX)
            return name, orjson.loads(b"".join([piece async for piece in pieces]))
        except (ApiError, orjson.JSONDecodeError):
            return name, None

    found = await asyncio.gather(*(ask(name) for name in names))
    return {name: summary for name, summary in found if summary is not None}


def _answer(served: Served, target: Target, request: Request, made: list[Obj]) -> Response:
    if target.name:
        if not made:
            raise refusals.not_found(served.resource, target.name)
        return answer(200, made[0])
    selection = Selection.parse(served.kind, request.params)
    items = [each for each in made if selection.matches(each)]
    kind, version = f"{served.resource.kind}List", served.resource.api_version
    return answer(200, {"kind": kind, "apiVersion": version, "metadata": {}, "items": items})
