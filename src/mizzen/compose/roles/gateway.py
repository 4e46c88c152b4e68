"""The process of the gateway."""

from __future__ import annotations

import os

from mizzen.compose.connect import client_of, wait_until_listening
from mizzen.compose.monitoring import monitor_of
from mizzen.compose.role_clock import role_clock
from mizzen.compose.settings import current
from mizzen.compose.shell import OnReady
from mizzen.host.home import Home
from mizzen.host.pki import load_api_keys


async def main(home: Home, on_ready: OnReady) -> None:
    # aiohttp reads all CA certificates at import (60 ms of CPU and 2 MiB, measured), for TLS
    # connections that the gateway never makes by it.
    os.environ.setdefault("SSL_CERT_FILE", os.devnull)
    from mizzen.gateway import run as gateway

    settings = current(home)
    config = gateway.GatewayConfig(
        serving=home.serving,
        host=settings.listen,
        port=settings.gateway_port,
        api_keys=frozenset(load_api_keys(home)),
    )
    async with monitor_of(home, "gateway", on_ready) as (monitor, ready):
        await wait_until_listening(settings)
        async with client_of(home, "gateway") as client:
            await gateway.run(client, config, role_clock(), ready, monitor.metrics)
