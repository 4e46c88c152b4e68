"""The process of the scheduler."""

from __future__ import annotations

from mizzen.compose.connect import client_of, wait_until_listening
from mizzen.compose.monitoring import monitor_of
from mizzen.compose.role_clock import role_clock
from mizzen.compose.settings import current
from mizzen.compose.shell import OnReady
from mizzen.host.home import Home
from mizzen.scheduler import run as scheduler


async def main(home: Home, on_ready: OnReady) -> None:
    async with monitor_of(home, "scheduler", on_ready) as (monitor, ready):
        await wait_until_listening(current(home))
        async with client_of(home, "scheduler") as client:
            await scheduler.run(client, role_clock(), ready, monitor.metrics, on_ready.syncing)
