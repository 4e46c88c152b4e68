"""The process of the controllers."""

from __future__ import annotations

from mizzen.compose.connect import client_of, wait_until_listening
from mizzen.compose.monitoring import monitor_of
from mizzen.compose.role_clock import role_clock
from mizzen.compose.settings import current
from mizzen.compose.shell import OnReady
from mizzen.controllers import run as controllers
from mizzen.host.home import Home


async def main(home: Home, on_ready: OnReady) -> None:
    async with monitor_of(home, "controllers", on_ready) as (monitor, ready):
        await wait_until_listening(current(home))
        async with client_of(home, "controllers") as client:
            await controllers.run(client, role_clock(), ready, monitor.metrics, on_ready.syncing)
