"""bindings: the binding of a pod that the body names."""

from __future__ import annotations

from mizzen.apiserver.catalog import Served
from mizzen.apiserver.core.routing import Target
from mizzen.apiserver.http import Request, Response
from mizzen.apiserver.server import Server
from mizzen.apiserver.subresources import binding
from mizzen.base.resources import PODS


async def create(server: Server, served: Served, target: Target, request: Request) -> Response:
    pods = server.catalog.find(PODS.group, PODS.version, PODS.plural)
    assert pods is not None, "pods are built in"
    return await binding.create(server, pods, target, request)


HANDLERS = {"create": create}
