"""pods/echo, which tests register: a websocket that says back what it is told.

A text is an order: "bye" ends, "refuse" and "fail" break, "talk" talks until nobody listens.
"""

from __future__ import annotations

from mizzen.apiserver.catalog import Served
from mizzen.apiserver.core import refusals
from mizzen.apiserver.core.routing import Target
from mizzen.apiserver.http import Channel, Request, Upgrade
from mizzen.apiserver.server import Server
from mizzen.base.errors import Conflict
from mizzen.kinds.subresource import Subresource
from mizzen.store.store import ObjectKey

ECHO = Subresource("echo", ("create", "get"), upgrades=True)
ended: list[str] = []


async def echo(server: Server, served: Served, target: Target, request: Request) -> Upgrade:
    if server.store.get(ObjectKey(served.key, target.namespace, target.name)) is None:
        raise refusals.not_found(served.resource, target.name)
    return Upgrade(("v5.channel.k8s.io", "v4.channel.k8s.io"), _serve)


async def _serve(channel: Channel) -> None:
    try:
        await channel.send(channel.protocol)
        while (message := await channel.receive()) != "bye":
            if message == "refuse":
                raise Conflict("the process has ended")
            if message == "fail":
                raise ValueError("a bug")
            while message == "talk":
                await channel.send(b"x" * 1000)
            await channel.send(message)
    finally:
        ended.append(channel.protocol)


HANDLERS = {"get": echo}
