"""/metrics, and /healthz: that the agent's loop turns."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from mizzen.base.errors import NotFound
from mizzen.host.get_server import Get
from mizzen.node.kubelet.server import NodeView


async def metrics(view: NodeView, names: list[str], request: Get) -> AsyncGenerator[bytes, None]:
    """Errors: NotFound for what lies below it: the kubelet's others are not kept."""
    if names:
        raise NotFound("the node's metrics are at /metrics, all of them")
    return _text(view.metrics.render())


async def healthz(view: NodeView, names: list[str], request: Get) -> AsyncGenerator[bytes, None]:
    """Errors: NotFound below it."""
    if names:
        raise NotFound("a node has no single checks: /healthz is the one there is")
    return _text("ok")


async def _text(text: str) -> AsyncGenerator[bytes, None]:
    yield text.encode()


HANDLERS = {"metrics": metrics, "healthz": healthz}
