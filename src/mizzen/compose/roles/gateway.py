"""The process of the gateway."""

from __future__ import annotations

from mizzen.base.exposition import MetricsRegistry
from mizzen.compose.connect import client_of, wait_until_listening
from mizzen.compose.role_clock import role_clock
from mizzen.compose.settings import current
from mizzen.compose.shell import OnReady
from mizzen.gateway import run as gateway
from mizzen.host.home import Home
from mizzen.host.pki import load_api_keys
from mizzen.host.process_metrics import collect_process


async def main(home: Home, on_ready: OnReady) -> None:
    settings = current(home)
    config = gateway.GatewayConfig(
        serving=home.serving,
        host=settings.listen,
        port=settings.gateway_port,
        api_keys=frozenset(load_api_keys(home)),
    )
    metrics = MetricsRegistry(collect_process)
    await wait_until_listening(settings)
    async with client_of(home, "gateway") as client:
        await gateway.run(client, config, role_clock(), on_ready, metrics)
