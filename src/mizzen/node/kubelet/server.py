"""The agent's own API, as the kubelet's: HTTPS that lets in the API server alone.

Source: the kubelet's `/containerLogs/{namespace}/{pod}/{container}`, `/exec/...`, `/attach/...`,
`/portForward/{namespace}/{pod}`, `/metrics`, `/healthz`.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from mizzen.base.clock import Clock
from mizzen.base.errors import NotFound
from mizzen.base.exposition import MetricsRegistry
from mizzen.base.objects import Key, Obj, uid_of
from mizzen.base.registry import collect
from mizzen.host.get_server import Get, GetServer, Upgrade
from mizzen.host.mutual_tls import MutualTls
from mizzen.node.config import HOST_IP
from mizzen.node.slot import Slot


@dataclass(frozen=True, slots=True)
class NodeView:
    """The node's state as handlers see it."""

    pods: Mapping[Key, Obj]  # of this node
    pods_dir: Path
    clock: Clock
    metrics: MetricsRegistry
    slots: Mapping[str, Slot] = field(default_factory=dict[str, Slot])  # pod uid ->

    def pod(self, namespace: str, name: str, params: Mapping[str, str]) -> Obj:
        """The pod of that name, and of `uid` where one is asked for. Errors: NotFound."""
        pod = self.pods.get(Key(namespace, name))
        if pod is None or params.get("uid") not in (None, uid_of(pod)):
            raise NotFound(f'pod "{name}" is not known to its node')
        return pod


Answer = AsyncGenerator[bytes, None] | Upgrade
# (what is known, the path's parts after the first, the request) -> the answer
Handler = Callable[[NodeView, list[str], Get], Awaitable[Answer]]


class NodeServer:
    """Answers by the handlers that the modules beside this one name in HANDLERS."""

    def __init__(self, tls: MutualTls, view: NodeView) -> None:
        self._tls = tls
        self._view = view
        found: list[tuple[str, Mapping[str, Handler]]] = collect("mizzen.node.kubelet", "HANDLERS")
        self._handlers = {path: each for _, some in found for path, each in some.items()}
        self._server = GetServer(self._answer)
        self.statistics = self._server.statistics
        self.close = self._server.close

    async def open(self) -> int:
        """Listens until `close`; returns the port, for the node's status. Errors: OSError."""
        listener = socket.create_server((HOST_IP, 0))
        await self._server.open(listener, self._tls.server_context())
        return int(listener.getsockname()[1])

    async def _answer(self, request: Get) -> Answer:
        """Errors: ApiError."""
        first, *parts = [unquote(part) for part in request.path.removeprefix("/").split("/")]
        handler = self._handlers.get(first)
        if handler is None:
            raise NotFound(f"{request.path} is not served by this node")
        return await handler(self._view, parts, request)
