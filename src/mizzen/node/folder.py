"""Folds this node's old usage records from time to time; `core/folding.py` says how."""

from __future__ import annotations

import asyncio
import logging

from mizzen.base.clock import Clock
from mizzen.base.errors import ApiError
from mizzen.base.resources import USAGE_RECORDS
from mizzen.client.client import Client
from mizzen.node.core.folding import fold

log = logging.getLogger("mizzen.node")

EVERY_S = 600
KEPT_RAW_NS = 3600 * 1_000_000_000  # step by step for an hour, in sums after that


async def run(client: Client, node: str, clock: Clock) -> None:
    """Until cancelled. What the API refuses now is tried again the next time."""
    while True:
        await asyncio.sleep(EVERY_S)
        try:
            records, _ = await client.list(USAGE_RECORDS, fields=f"spec.node={node}")
            for plan in fold(records, clock.now_ns() - KEPT_RAW_NS):
                await client.commit(plan)
        except ApiError as error:
            log.warning("old usage records stay as they are: %s", error.message)
