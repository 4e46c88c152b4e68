"""Reads engines' metrics for the pools whose picker asks for them; for no other anything runs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import aiohttp

from mizzen.base.clock import Clock
from mizzen.gateway.connections import Connections, check_listener
from mizzen.gateway.core.engine_metrics import EngineMetrics, read_metrics
from mizzen.gateway.pool import Pool, Replica

SCRAPE_S = 0.05  # as llm-d's endpoint picker
ANSWER_S_MAX = 1.0
PAGE_BYTES_MAX = 1 << 20


class MetricsScraper:
    """One loop for each pool that wants one, until it does not."""

    def __init__(self, connections: Connections, clock: Clock) -> None:
        self._connections = connections
        self._clock = clock
        self._loops: dict[Pool, asyncio.Task[None]] = {}

    def statistics(self) -> Mapping[str, int]:
        return {"scraped_pools": len(self._loops)}

    def observe(self, pool: Pool) -> None:
        """A pool is new, or its endpoint has changed."""
        if pool.reads_metrics and pool not in self._loops:
            self._loops[pool] = asyncio.create_task(self._scrape_while_wanted(pool), name="scrape")

    async def close(self) -> None:
        loops = list(self._loops.values())
        for each in loops:
            each.cancel()
        await asyncio.gather(*loops, return_exceptions=True)

    async def _scrape_while_wanted(self, pool: Pool) -> None:
        try:
            while pool.reads_metrics:
                replicas = list(pool.replicas.values())
                await asyncio.gather(*(self._scrape(pool, replica) for replica in replicas))
                await asyncio.sleep(SCRAPE_S)
        finally:
            del self._loops[pool]

    async def _scrape(self, pool: Pool, replica: Replica) -> None:
        """A replica that does not answer, or says something else, has no metrics."""
        found: EngineMetrics | None = None
        engine = pool.endpoint.engine
        try:
            async with (
                asyncio.timeout(ANSWER_S_MAX),
                self._connections.to(replica.address) as session,
            ):
                check_listener(replica.address)
                async with session.get(engine.metrics_path) as response:
                    page = await response.content.read(PAGE_BYTES_MAX)
                    while len(page) < PAGE_BYTES_MAX and not response.content.at_eof():
                        page += await response.content.read(PAGE_BYTES_MAX - len(page))
                    if response.status == 200:
                        now_ns = self._clock.monotonic_ns()
                        found = read_metrics(page.decode(errors="replace"), engine.metrics, now_ns)
        except (aiohttp.ClientError, OSError, TimeoutError):
            pass
        pool.set_metrics(replica, found)
