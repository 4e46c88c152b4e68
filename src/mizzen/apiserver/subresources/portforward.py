"""pods/portforward: a websocket to ports of a pod."""

from __future__ import annotations

from mizzen.apiserver import streaming
from mizzen.apiserver.catalog import Served
from mizzen.apiserver.core.routing import Target
from mizzen.apiserver.http import Request, Upgrade
from mizzen.apiserver.server import Server


async def create(server: Server, served: Served, target: Target, request: Request) -> Upgrade:
    return await streaming.refuse_spdy(server, served, target, request, of_container=False)


HANDLERS = {"get": streaming.to_ports, "create": create}
