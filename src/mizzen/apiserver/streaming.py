"""Streams of pods: the API server chooses pod, container and node, and passes messages on.

It reads none of them: the agent's websocket is the kubelet's, of the same subprotocols as the
client's. What the client sends waits for the node and the other way round.
Source: kube-apiserver 1.36, pkg/registry/core/pod (strategy.go, rest/subresources.go).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from urllib.parse import parse_qs

from mizzen.apiserver import connecting
from mizzen.apiserver.catalog import Served
from mizzen.apiserver.core import refusals
from mizzen.apiserver.core.routing import Target
from mizzen.apiserver.http import Channel, Request, Upgrade
from mizzen.apiserver.server import Server
from mizzen.base import query
from mizzen.base.errors import BadRequest, InternalError, Unavailable
from mizzen.base.objects import Obj, uid_of
from mizzen.base.reading import entries, part, text
from mizzen.host.websocket import GOING_AWAY, NORMAL, WebSocket, WebSocketClosed, WebSocketError
from mizzen.store.store import ObjectKey

CHANNELS = (
    "v5.channel.k8s.io", "v4.channel.k8s.io", "v4.base64.channel.k8s.io", "channel.k8s.io",
    "base64.channel.k8s.io", "",
)  # fmt: skip
PORT_CHANNELS = (
    "SPDY/3.1+portforward.k8s.io", "v4.channel.k8s.io", "v4.base64.channel.k8s.io", "",
)  # fmt: skip
_STREAMS = {"stdin": "input", "stdout": "output", "stderr": "error", "tty": "tty"}
_LISTS = ("initContainers", "containers", "ephemeralContainers")
_NO_STATUS = 1005
_WELL = (NORMAL, GOING_AWAY, _NO_STATUS)


def find_pod(server: Server, served: Served, target: Target) -> tuple[Obj, str]:
    """The pod and its node. Errors: NotFound, BadRequest."""
    stored = server.store.get(ObjectKey(served.key, target.namespace, target.name))
    if stored is None:
        raise refusals.not_found(served.resource, target.name)
    pod = stored.object()
    node = text(pod, "spec", "nodeName")
    if not node:
        raise BadRequest(f"pod {target.name} does not have a host assigned")
    return pod, node


def find_container(pod: Obj, asked: str) -> str:
    """The container of that name, else the only one. Errors: BadRequest; InternalError where it is
    known not to run."""
    name = text(pod, "metadata", "name")
    names = [each["name"] for key in _LISTS for each in entries(pod, "spec", key)]
    containers = entries(pod, "spec", "containers")
    if not asked and len(containers) != 1:
        raise BadRequest(
            f"a container name must be specified for pod {name}, choose one of: [{' '.join(names)}]"
        )
    container = asked or str(containers[0]["name"])
    if container not in names:
        raise BadRequest(f"container {container} is not valid for pod {name}")
    for key in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"):
        for status in entries(pod, "status", key):
            if status.get("name") == container and part(status, "state", "terminated"):
                raise InternalError(f'container not found ("{container}")')
    return container


async def to_container(
    server: Server, served: Served, target: Target, request: Request, what: str
) -> Upgrade:
    """The streams of a container, or of a command in it (`what` is the node's word for it)."""
    await connecting.check(server, served, target, request)
    pod, node = find_pod(server, served, target)
    container = find_container(pod, request.params.get("container", ""))
    wanted = [
        (theirs, "1")
        for name, theirs in _STREAMS.items()
        if query.is_true(request.params.get(name))
    ]
    words = parse_qs(request.query, keep_blank_values=True).get("command", ())
    params = [*wanted, *(("command", word) for word in words), ("uid", uid_of(pod))]
    path = (what, target.namespace, target.name, container)
    return _passed_on(server, node, path, params, CHANNELS)


async def to_ports(server: Server, served: Served, target: Target, request: Request) -> Upgrade:
    await connecting.check(server, served, target, request)
    pod, node = find_pod(server, served, target)
    ports = parse_qs(request.query).get("ports", ())
    params = [*(("port", port) for port in ports), ("uid", uid_of(pod))]
    path = ("portForward", target.namespace, target.name)
    return _passed_on(server, node, path, params, PORT_CHANNELS)


async def refuse_spdy(
    server: Server, served: Served, target: Target, request: Request, *, of_container: bool
) -> Upgrade:
    """A POST: kubectl's second try, whose answer is the one that people see, so what stood against
    the first is said again. Errors: ApiError, always."""
    await connecting.check(server, served, target, request)
    pod, node = find_pod(server, served, target)
    if of_container:
        find_container(pod, request.params.get("container", ""))
    if request.headers.get("upgrade", "").lower().startswith("spdy"):
        await server.kubelets.reach(node)
        raise BadRequest(
            "SPDY is not spoken here: ask by GET for a websocket, as kubectl does since 1.31"
        )
    raise BadRequest("Upgrade request required")


def _passed_on(
    server: Server,
    node: str,
    path: tuple[str, ...],
    params: Sequence[tuple[str, str]],
    protocols: Sequence[str],
) -> Upgrade:
    socket: WebSocket | None = None

    async def begin(protocol: str) -> None:
        nonlocal socket
        socket = await server.kubelets.upgrade(node, path, params, protocol)

    async def serve(channel: Channel) -> None:
        assert socket is not None, "it has begun"
        await _pass_on(channel, socket, node)

    def end() -> None:
        assert socket is not None, "it has begun"
        socket.abort()

    return Upgrade(protocols, serve, begin, end)


async def _pass_on(channel: Channel, socket: WebSocket, node: str) -> None:
    """Both ways, until the node has said all. Errors: Unavailable where it breaks off."""

    async def to_node() -> None:
        while True:
            await socket.send(await channel.receive())

    going = asyncio.ensure_future(to_node())
    try:
        while True:
            await channel.send(await socket.receive())
    except WebSocketClosed as closed:
        if closed.code not in _WELL:
            raise Unavailable(f'the agent of node "{node}" broke off: {closed}') from closed
        await socket.close()
    except WebSocketError as error:
        raise Unavailable(f'the agent of node "{node}" is not understood: {error}') from error
    finally:
        going.cancel()
        await asyncio.wait((going,))
        if not going.cancelled():
            going.exception()  # a node that takes nothing more has said why, or breaks off
