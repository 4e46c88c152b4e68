"""A real API server in this process, over a store in memory, with the scheduler's own identity."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest_asyncio

from mizzen.apiserver.run import ApiServerConfig, serve
from mizzen.base.names import ADMIN, IDENTITY_PREFIX
from mizzen.client.client import Client
from mizzen.client.kubeconfig import Connection
from mizzen.host import pki
from mizzen.host.clock import RealClock
from mizzen.host.home import Home
from mizzen.store.memory import MemoryStore


@dataclass
class Api:
    """`admin` sets the stage; `scheduler` may do only what the scheduler may."""

    admin: Client
    scheduler: Client


@pytest_asyncio.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    home = Home.locate(str(tmp_path), {})
    home.make()
    files = pki.ensure(home, RealClock(), listen="127.0.0.1", port=port)
    tokens: dict[str, str] = json.loads(home.tokens.read_text())
    config = ApiServerConfig(
        "127.0.0.1",
        port,
        files.cert_file,
        files.key_file,
        {token: identity for identity, token in tokens.items()},
        tmp_path,
    )
    ready = asyncio.Event()
    serving = asyncio.create_task(serve(config, MemoryStore(), RealClock(), ready.set))
    async with asyncio.timeout(20):
        await ready.wait()

    def client(identity: str) -> Client:
        connection = Connection(
            f"https://127.0.0.1:{port}",
            certificate_authority=files.ca_file.read_text(),
            token=tokens[identity],
        )
        return Client(connection, user_agent="test")

    async with client(ADMIN) as admin, client(f"{IDENTITY_PREFIX}scheduler") as scheduler:
        yield Api(admin, scheduler)
    serving.cancel()
    await asyncio.wait((serving,))
