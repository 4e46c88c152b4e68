"""Wires the gateway: informers in, HTTP out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mizzen.base import names
from mizzen.base.clock import Clock
from mizzen.base.exposition import MetricsRegistry
from mizzen.base.resources import MODEL_ENDPOINTS, PODS, SERVICES
from mizzen.client.client import Client
from mizzen.client.informer import Informer
from mizzen.gateway.config import GatewayConfig
from mizzen.gateway.connections import Connections
from mizzen.gateway.demand import DemandWriter
from mizzen.gateway.directory import Directory
from mizzen.gateway.metrics import collector_of
from mizzen.gateway.proxy import Proxy
from mizzen.gateway.scraper import MetricsScraper
from mizzen.gateway.server import GatewayServer, is_of_a_model
from mizzen.gateway.service_pods import ServicePods
from mizzen.gateway.services import ServiceProxy
from mizzen.host.door import Door, listen

__all__ = ["GatewayConfig", "run"]
CLOSE_S = 1.0  # streams that still run when the gateway ends


async def run(
    client: Client,
    config: GatewayConfig,
    clock: Clock,
    on_ready: Callable[[], None],
    metrics: MetricsRegistry,
) -> None:
    """Serves until cancelled; `on_ready` is called when it listens and knows all there is.

    `metrics` is what it shows at /metrics, its own collectors added.
    Errors: OSError when the address is taken.
    """
    demand = DemandWriter(client, clock, config.url)
    connections = Connections(config.serving)
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
    endpoints = Informer(client, MODEL_ENDPOINTS)
    services = Informer(client, SERVICES)
    replicas = Informer(client, PODS, labels=names.ENDPOINT)
    service_pods = ServicePods(client)
    service_proxy = ServiceProxy(services.objects, service_pods)
    service_pods.add_handler(service_proxy.on_change)
    server = GatewayServer(config, clock, directory, demand, proxy, service_proxy, metrics)
    endpoints.add_handler(directory.on_endpoint)
    replicas.add_handler(directory.on_pod)
    services.add_handler(service_pods.on_service)
    services.add_handler(service_proxy.on_change)
    app, door = server.app(), Door()
    door.guard(app, flows=is_of_a_model)
    parts = (server, directory, service_pods, scraper, door)
    metrics.register(collector_of(*(part.statistics for part in parts)))
    try:
        async with asyncio.TaskGroup() as tasks:
            for informer in (endpoints, services, replicas):
                tasks.create_task(informer.run(), name=informer.resource.plural)
            for informer in (endpoints, services, replicas):
                await informer.wait_synced()
            await door.open(app, listen(config.host, config.port), shutdown_s=CLOSE_S)
            on_ready()
    finally:
        await door.close()
        await demand.close()
        await scraper.close()
        await connections.close()
        await service_pods.close()
        await service_proxy.close()
