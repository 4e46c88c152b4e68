"""A real API server over a store in memory, and clients to it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

from mizzen.apiserver.run import ApiServerConfig, serve
from mizzen.client.client import Client
from mizzen.host import pki
from mizzen.host.clock import RealClock
from mizzen.host.home import Home
from mizzen.store.memory import MemoryStore


@contextlib.asynccontextmanager
async def api_server(folder: Path) -> AsyncIterator[Client]:
    """The admin's client to a server that lives as long as the block."""
    home = Home.locate(str(folder), {})
    home.make()
    port = free_port()
    files = pki.ensure(home, RealClock(), listen="127.0.0.1", port=port)
    tokens = {token: identity for identity, token in files.tokens.items()}
    config = ApiServerConfig(
        "127.0.0.1", port, files.cert_file, files.key_file, tokens, home.node / "pods"
    )
    ready = asyncio.Event()
    task = asyncio.create_task(serve(config, MemoryStore(), RealClock(), ready.set))
    try:
        await asyncio.wait_for(ready.wait(), 10)
        async with Client.from_kubeconfig(home.kubeconfig, user_agent="test") as client:
            yield client
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
