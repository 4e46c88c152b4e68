"""pods/attach: a websocket to what a container runs."""

from __future__ import annotations

from mizzen.apiserver import streaming
from mizzen.apiserver.catalog import Served
from mizzen.apiserver.core.routing import Target
from mizzen.apiserver.http import Request, Upgrade
from mizzen.apiserver.server import Server


async def get(server: Server, served: Served, target: Target, request: Request) -> Upgrade:
    return await streaming.to_container(server, served, target, request, "attach")


async def create(server: Server, served: Served, target: Target, request: Request) -> Upgrade:
    return await streaming.refuse_spdy(server, served, target, request, of_container=True)


HANDLERS = {"get": get, "create": create}
