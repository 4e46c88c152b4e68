"""Waits for a condition with a deadline, in place of sleeping for a fixed time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

POLL_S = 0.005


async def until(condition: Callable[[], object], what: str, deadline_s: float = 30.0) -> None:
    """Returns once `condition()` is true; fails with `what` after the deadline."""
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline_s} s: {what}")
        await asyncio.sleep(POLL_S)
