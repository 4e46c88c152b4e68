"""Names of objects that something is to be done about: each once, and again a while after it failed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from mizzen.base.errors import ApiError

RETRY_S = 5.0
_log = logging.getLogger(__name__)


class DueNames:
    """One queue with its handler, which is called for one name at a time.

    `handle` may raise ApiError (a quota's, a webhook's), OSError or ValueError: the name is due
    again after RETRY_S, or with the next that is marked. `what` is what the log calls them.
    """

    def __init__(self, what: str, handle: Callable[[str], Awaitable[None]]) -> None:
        self._what = what
        self._handle = handle
        self._due: dict[str, None] = {}  # in order
        self._marked = asyncio.Event()

    def mark(self, name: str) -> None:
        self._due[name] = None
        self._marked.set()

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            refused = await self._handle_all()
            self._marked.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RETRY_S if refused else None):
                    await self._marked.wait()
            self._due.update(dict.fromkeys(refused))

    async def _handle_all(self) -> list[str]:
        """Those that failed."""
        refused: list[str] = []
        while self._due:
            name = next(iter(self._due))
            del self._due[name]
            try:
                await self._handle(name)
            except (ApiError, OSError, ValueError) as error:
                _log.warning("%s %s waits: %s", self._what, name, error)
                refused.append(name)
        return refused
