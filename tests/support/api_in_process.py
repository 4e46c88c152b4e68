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
from mizzen.client.transport import Patience
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
    server = ApiInProcess(folder)
    await server.start()
    try:
        async with contextlib.AsyncExitStack() as stack:
            clients = [
                await stack.enter_async_context(server.client(identity)) for identity in identities
            ]
            yield tuple(clients)
    finally:
        await server.stop()


class ApiInProcess:
    """A server that can be stopped and started again over the same store and port."""

    def __init__(self, folder: Path) -> None:
        home = Home.locate(str(folder), {})
        home.make()
        port = free_port()
        self._files = pki.ensure(home, RealClock(), listen="127.0.0.1", port=port)
        tokens = {token: identity for identity, token in self._files.tokens.items()}
        files = self._files
        self._config = ApiServerConfig(
            "127.0.0.1", port, files.cert_file, files.key_file, tokens, files.kubelet_client,
            ca_file=files.ca_file, service_account_key=files.service_account_key,
            node_name="testnode",
        )  # fmt: skip
        self.url = f"https://127.0.0.1:{port}"
        self._store = MemoryStore()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        ready = asyncio.Event()
        serving = serve(self._config, self._store, RealClock(), ready.set)
        self._task = asyncio.create_task(serving)
        await asyncio.wait_for(ready.wait(), START_S)

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def kubeconfig(self, identity: str) -> dict[str, object]:
        """What other programs reach the server by."""
        authority = {"certificate-authority": str(self._files.ca_file), "server": self.url}
        user = {"token": self._files.tokens[identity]}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "mizzen", "cluster": authority}],
            "users": [{"name": identity, "user": user}],
            "contexts": [{"name": "mizzen", "context": {"cluster": "mizzen", "user": identity}}],
            "current-context": "mizzen",
        }

    def client(self, identity: str, patience: Patience | None = None) -> Client:
        connection = Connection(
            self.url,
            certificate_authority=self._files.ca_file.read_text(),
            token=self._files.tokens[identity],
        )
        return Client(connection, user_agent="test", patience=patience)
