"""A gateway on real sockets, with the cluster's side played by the test."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from mizzen.base.exposition import MetricsRegistry
from mizzen.base.objects import Key, Obj, key_of
from mizzen.base.operations import Operation, Patch
from mizzen.base.serving import socket_name
from mizzen.gateway.config import GatewayConfig
from mizzen.gateway.connections import Connections
from mizzen.gateway.core.endpoints import Address
from mizzen.gateway.demand import DemandWriter
from mizzen.gateway.directory import Directory
from mizzen.gateway.proxy import Proxy
from mizzen.gateway.scraper import MetricsScraper
from mizzen.gateway.server import GatewayServer, is_of_a_model
from mizzen.gateway.services import ServiceProxy
from mizzen.host.clock import RealClock
from mizzen.host.door import Door, listen
from support.fake_engine import FakeEngine

KEY = "secret-key"


class RecordingClient:
    """Stands where the API server's client does: keeps what would be written."""

    def __init__(self) -> None:
        self.patches: list[Patch] = []
        self.errors: list[Exception] = []

    async def commit(self, operations: Sequence[Operation]) -> list[Obj]:
        if self.errors:
            raise self.errors.pop(0)
        self.patches += [operation for operation in operations if isinstance(operation, Patch)]
        return []

    @property
    def demands(self) -> list[dict[str, Any]]:
        statuses = [patch.patch["status"] for patch in self.patches]
        return [status["demand"] for status in statuses if "demand" in status]


def endpoint_object(name: str = "tiny", namespace: str = "default", **spec: Any) -> Obj:
    return {
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{namespace}-{name}"},
        "spec": {"model": {"path": "/m.gguf"}, "replicas": {"min": 1, "max": 3}, **spec},
    }


@dataclass
class Gateway:
    url: str
    session: aiohttp.ClientSession
    server: GatewayServer
    directory: Directory
    demand: DemandWriter
    client: RecordingClient
    stack: AsyncExitStack
    services: ServiceProxy
    objects: dict[str, dict[Key, Obj]]  # plural -> what the informers hold
    connections: Connections
    serving: Path
    scraper: MetricsScraper
    door: Door
    engines: dict[str, FakeEngine] = field(default_factory=dict)

    def knows(self, plural: str, obj: Obj) -> None:
        """As if an informer of "services" or "pods" had told of `obj`."""
        self.objects[plural][key_of(obj)] = obj
        self.services.on_change("ADDED", None, obj)

    def endpoint(self, name: str = "tiny", namespace: str = "default", **spec: Any) -> None:
        self.directory.on_endpoint("ADDED", None, endpoint_object(name, namespace, **spec))

    async def replica(self, name: str, endpoint: str = "tiny") -> FakeEngine:
        """A ready replica with a running engine behind it."""
        socket = self.serving / socket_name(f"uid-{name}")
        engine = await self.stack.enter_async_context(FakeEngine(name, socket=socket))
        self.engines[name] = engine
        self.directory.find(endpoint).set_replica(name, Address(name, f"uid-{name}"))
        return engine

    async def post(self, **body: Any) -> tuple[int, Any, Any]:
        path = "/v1/completions"
        sent = {"model": "tiny", "prompt": "Hi", **body}
        async with self.session.post(self.url + path, json=sent) as response:
            if response.content_type == "text/event-stream":
                return response.status, await response.read(), response.headers
            return response.status, await response.json(), response.headers


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    client, clock = RecordingClient(), RealClock()
    folder = tempfile.TemporaryDirectory(prefix="mizzen-")  # short: sockets lie in it
    serving = Path(folder.name)
    config = GatewayConfig(serving, api_keys=frozenset({KEY}))
    demand = DemandWriter(client, clock, config.url)  # type: ignore[arg-type]
    connections = Connections(serving)
    scraper = MetricsScraper(connections, clock)
    directory = Directory(
        clock,
        on_scale=demand.submit,
        on_known=demand.announce,
        on_gone=demand.forget,
        on_replica_removed=connections.retire,
        on_pool=scraper.observe,
    )
    proxy = Proxy(connections)
    objects: dict[str, dict[Key, Obj]] = {"services": {}, "pods": {}}

    async def pods_of(service: Obj) -> list[Obj]:
        return list(objects["pods"].values())

    services = ServiceProxy(objects["services"], pods_of)
    server = GatewayServer(config, clock, directory, demand, proxy, services, MetricsRegistry())
    app, door, listener = server.app(), Door(), listen("127.0.0.1", 0)
    door.guard(app, flows=is_of_a_model)
    await door.open(app, listener, shutdown_s=0.1)
    url = "http://{}:{}".format(*listener.getsockname()[:2])
    headers = {"Authorization": f"Bearer {KEY}"}
    async with AsyncExitStack() as stack, aiohttp.ClientSession(headers=headers) as session:
        yield Gateway(
            url,
            session,
            server,
            directory,
            demand,
            client,
            stack,
            services,
            objects,
            connections,
            serving,
            scraper,
            door,
        )
    await door.close()
    await demand.close()
    await scraper.close()
    await connections.close()
    await services.close()
    folder.cleanup()
