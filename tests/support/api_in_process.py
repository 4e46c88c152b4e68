"""A real API server in the test's own process, over a store in memory, and clients to it.

For tests of what talks to the API; tests of the API itself start a process (`api_process`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from mizzen.apiserver.run import ApiServerConfig, serve
from mizzen.base.names import ADMIN
from mizzen.client.client import Client
from mizzen.client.kubeconfig import Connection
from mizzen.host import pki
from mizzen.host.clock import RealClock
from mizzen.host.home import Home
from mizzen.store.memory import MemoryStore
from support.ports import free_port

START_S = 20


@contextlib.asynccontextmanager
async def api_server(folder: Path) -> AsyncIterator[Client]:
    """The admin's client to a server that lives as long as the block."""
    async with api_clients(folder, ADMIN) as (admin,):
        yield admin


@contextlib.asynccontextmanager
async def api_clients(folder: Path, *identities: str) -> AsyncIterator[tuple[Client, ...]]:
    """A client of each identity to a server that lives as long as the block."""
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
    url, authority = f"https://127.0.0.1:{port}", files.ca_file.read_text()
    try:
        await asyncio.wait_for(ready.wait(), START_S)
        async with contextlib.AsyncExitStack() as stack:
            clients: list[Client] = []
            for identity in identities:
                token = files.tokens[identity]
                connection = Connection(url, certificate_authority=authority, token=token)
                client = Client(connection, user_agent="test")
                clients.append(await stack.enter_async_context(client))
            yield tuple(clients)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
