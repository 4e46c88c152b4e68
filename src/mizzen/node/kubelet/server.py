"""The agent's own API, as the kubelet's: HTTPS that lets in the API server alone.

Source: the kubelet's `/containerLogs/{namespace}/{pod}/{container}`, `/metrics`, `/healthz`.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from mizzen.base.clock import Clock
from mizzen.base.errors import NotFound
from mizzen.base.exposition import MetricsRegistry
from mizzen.base.objects import Key, Obj
from mizzen.base.registry import collect
from mizzen.host.get_server import Get, GetServer
from mizzen.host.mutual_tls import MutualTls
from mizzen.node.config import HOST_IP


@dataclass(frozen=True, slots=True)
class NodeView:
    """The node's state as handlers see it."""

    pods: Mapping[Key, Obj]  # of this node
    pods_dir: Path
    clock: Clock
    metrics: MetricsRegistry


# (what is known, the path's parts after the first, parameters) -> the answer's text, as it comes
Handler = Callable[[NodeView, list[str], Mapping[str, str]], Awaitable[AsyncGenerator[bytes, None]]]


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

    async def _answer(self, request: Get) -> AsyncGenerator[bytes, None]:
        """Errors: ApiError."""
        first, *parts = [unquote(part) for part in request.path.removeprefix("/").split("/")]
        handler = self._handlers.get(first)
        if handler is None:
            raise NotFound(f"{request.path} is not served by this node")
        return await handler(self._view, parts, request.params)
