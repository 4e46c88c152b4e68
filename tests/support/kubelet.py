"""The agent's own API without an agent: real logs of pods that no process writes."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator

from mizzen.base.exposition import MetricsRegistry
from mizzen.base.objects import Key
from mizzen.base.resources import NODES, PODS
from mizzen.client.client import Client
from mizzen.client.informer import Informer
from mizzen.client.kubeconfig import Connection
from mizzen.host import pki
from mizzen.host.clock import RealClock
from mizzen.host.home import Home
from mizzen.node.kubelet.server import NodeServer, NodeView
from support.waiting import until

NODE = "n1"


class Kubelet:
    """The server of the node `n1`, which can go as a killed agent's does, and come back elsewhere."""

    def __init__(self, client: Client, home: Home) -> None:
        self.pods = Informer(client, PODS, fields=f"spec.nodeName={NODE}")
        self.metrics = MetricsRegistry()
        self._client = client
        self._view = NodeView(self.pods.objects, home.node / "pods", RealClock(), self.metrics)
        self._tls = pki.load(home).kubelet

    async def start(self) -> None:
        self._server = NodeServer(self._tls, self._view)
        await tell(self._client, await self._server.open())

    async def stop(self) -> None:
        await self._server.close()

    async def knows(self, name: str, namespace: str = "default") -> None:
        await until(lambda: Key(namespace, name) in self.pods.objects, "the node knows the pod")


@contextlib.asynccontextmanager
async def kubelet(client: Client, home: Home) -> AsyncIterator[Kubelet]:
    """A node, whose server lives as long as the block."""
    made = Kubelet(client, home)
    following = asyncio.create_task(made.pods.run())
    try:
        await made.pods.wait_synced()
        await client.create(NODES, {"metadata": {"name": NODE}})
        await made.start()
        yield made
    finally:
        await made.stop()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def tell(client: Client, port: int) -> None:
    """Where the node's agent listens."""
    status = {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
    }
    await client.patch(NODES, NODE, {"status": status}, subresource="status")


@contextlib.contextmanager
def kubelet_beside(home: Home, url: str, token: str) -> Iterator[Callable[[str, str], bool]]:
    """The same for tests that do not run in a loop: waits until the node knows a pod."""
    connection = Connection(
        url, certificate_authority=(home.pki / "ca.crt").read_text(), token=token
    )
    begun, end = threading.Event(), asyncio.Event()
    found: list[tuple[asyncio.AbstractEventLoop, Kubelet]] = []

    async def serve() -> None:
        async with Client(connection, user_agent="test") as client, kubelet(client, home) as made:
            found.append((asyncio.get_running_loop(), made))
            begun.set()
            await end.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert begun.wait(20), "the node's server did not start"
    loop, node = found[0]

    def waits(namespace: str, name: str) -> bool:
        asyncio.run_coroutine_threadsafe(node.knows(name, namespace), loop).result(30)
        return True

    try:
        yield waits
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join(20)
