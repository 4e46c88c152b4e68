"""Reports the progress of informers that have very much to read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from mizzen.base.objects import Key

OBJECTS_MIN = 2000  # fewer are read sooner than anybody would ask
REPORT_S = 0.25


class _Source(Protocol):
    @property
    def objects(self) -> Mapping[Key, Any]: ...


async def report_syncing(sources: Mapping[Any, _Source], report: Callable[[int], None]) -> None:
    """Reports the number of objects again and again until cancelled, once they are many."""
    while True:
        await asyncio.sleep(REPORT_S)
        count = sum(len(source.objects) for source in sources.values())
        if count >= OBJECTS_MIN:
            report(count)
