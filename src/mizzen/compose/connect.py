"""A component's connection to the API server, made once that listens."""

from __future__ import annotations

import asyncio
import socket

from mizzen.base.names import IDENTITY_PREFIX
from mizzen.client.client import Client
from mizzen.compose.settings import Settings
from mizzen.host.home import Home
from mizzen.host.pki import component_kubeconfig

_POLL_S = 0.02


def client_of(home: Home, role: str) -> Client:
    path = component_kubeconfig(home, IDENTITY_PREFIX + role)
    return Client.from_kubeconfig(path, user_agent=f"mizzen-{role}")


async def wait_until_listening(settings: Settings) -> None:
    """Returns as soon as the API server accepts connections.

    Unbounded on purpose: without an API server a component has nothing to do, and asking the
    kernel costs a few microseconds. It saves the back-off of a first request that comes too soon.
    """
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.listen, settings.listen)
    while True:
        if _accepts(host, settings.port):
            return
        await asyncio.sleep(_POLL_S)


def _accepts(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1.0).close()
    except OSError:
        return False
    return True
