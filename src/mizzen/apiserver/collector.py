"""Carries out what core/garbage.py decides: dependents, orphans, contents of namespaces."""

from __future__ import annotations

from mizzen.apiserver.server import Server


class Collector:
    def __init__(self, server: Server) -> None:
        self._server = server

    async def run(self) -> None:
        await self._server.closing.wait()
