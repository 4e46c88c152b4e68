"""Serves the kinds of CustomResourceDefinitions from the moment they are created."""

from __future__ import annotations

from mizzen.apiserver.server import Server


class CustomKinds:
    def __init__(self, server: Server) -> None:
        self._server = server

    async def load(self) -> None:
        pass

    async def run(self) -> None:
        await self._server.closing.wait()
