"""Logs of pods: the API server chooses pod and container, the agent of the pod's node answers."""

from __future__ import annotations

import asyncio
import base64
import math
from collections.abc import Callable, Coroutine
from typing import Any

from mizzen.apiserver.catalog import Served
from mizzen.apiserver.core import refusals
from mizzen.apiserver.core.routing import Target
from mizzen.apiserver.http import TEXT, Channel, Request, Stream, Upgrade
from mizzen.apiserver.kubelet_client import Pieces
from mizzen.apiserver.server import Server
from mizzen.base import query
from mizzen.base.errors import BadRequest, NotFound
from mizzen.base.names import DEFAULT_CONTAINER
from mizzen.base.objects import Obj, annotations_of, uid_of
from mizzen.base.reading import text
from mizzen.store.store import ObjectKey

_BINARY, _BASE64 = "binary.k8s.io", "base64.binary.k8s.io"
IDLE_S_MAX = 60.0  # of what is written already


async def log(server: Server, served: Served, target: Target, request: Request) -> Stream | Upgrade:
    """The text, over a websocket where one is asked for.

    Errors: NotFound, BadRequest when the container is unknown or has not started; Unavailable
    when its node does not answer."""
    stored = server.store.get(ObjectKey(served.key, target.namespace, target.name))
    if stored is None:
        raise refusals.not_found(served.resource, target.name)
    pod = stored.object()
    container = _container(pod, request.params.get("container", ""))
    node = text(pod, "spec", "nodeName")
    waits = f'container "{container}" in pod "{target.name}" is waiting to start'
    if not node:
        raise BadRequest(f"{waits}: its pod has no node yet")
    params = {**request.params, "uid": uid_of(pod)}
    idle_s_max = math.inf if query.is_true(params.get("follow")) else IDLE_S_MAX
    path = ("containerLogs", target.namespace, target.name, container)

    async def ask() -> Pieces:
        try:
            return await server.kubelets.get(node, path, params, idle_s_max)
        except NotFound as error:
            raise BadRequest(f"{waits}: {error.message}") from error

    if request.offered is not None:
        return _over_websocket(ask)
    return Stream(await ask(), TEXT, is_whole_at_end=True)


def _over_websocket(ask: Callable[[], Coroutine[Any, Any, Pieces]]) -> Upgrade:
    """Source: k8s.io/streaming `wsstream.Reader`: what the client sends is ignored."""
    pieces: Pieces | None = None

    async def begin(protocol: str) -> None:
        nonlocal pieces
        pieces = await ask()

    async def serve(channel: Channel) -> None:
        assert pieces is not None, "it has begun"

        async def ignore() -> None:
            while True:
                await channel.receive()

        ignoring = asyncio.ensure_future(ignore())
        try:
            async for piece in pieces:
                is_text = channel.protocol == _BASE64
                await channel.send(base64.b64encode(piece).decode() if is_text else piece)
        finally:
            ignoring.cancel()
            await pieces.aclose()

    return Upgrade(("", _BINARY, _BASE64), serve, begin)


def _container(pod: Obj, asked: str) -> str:
    spec = pod["spec"]
    names = [c["name"] for c in spec.get("containers") or ()]
    others = [
        c["name"] for key in ("initContainers", "ephemeralContainers") for c in spec.get(key) or ()
    ]
    name = pod["metadata"]["name"]
    if not asked:
        if len(names) == 1:
            return names[0]
        default = annotations_of(pod).get(DEFAULT_CONTAINER)
        if default is not None and default in names:
            return default
        raise BadRequest(
            f"a container name must be specified for pod {name}, choose one of: [{' '.join(names)}]"
        )
    if asked not in names + others:
        raise BadRequest(f"container {asked} is not valid for pod {name}")
    return asked


HANDLERS = {"get": log}
