"""Metrics of the roles beside the API server, passed on: `/metrics/ROLE`.

Roles of the instance answer on sockets in a folder of its own user, agents of nodes through their
own API. Whoever may read a path may read what lies there. A role that hangs is not waited for.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from pathlib import Path

from mizzen.apiserver.core import refusals
from mizzen.apiserver.http import Response
from mizzen.apiserver.kubelet_client import KubeletClient
from mizzen.base.errors import InternalError, NotFound, Timeout, Unavailable
from mizzen.base.exposition import CONTENT_TYPE
from mizzen.base.resources import NODES
from mizzen.host.http1 import BrokenAnswerError, HttpConnection
from mizzen.host.sockets import SocketFolder
from mizzen.store.store import Store

PATH = "/metrics/"
ROLES = ("controllers", "gateway", "scheduler")
NODE = "node"
ANSWER_S_MAX = 5.0  # less than the ten seconds that Prometheus gives a scrape
_REQUEST = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


class RoleMetrics:
    """Asks roles for their pages. `sockets`: their folder; None: no roles run beside this one."""

    def __init__(self, sockets: Path | None, kubelets: KubeletClient, store: Store) -> None:
        self._sockets = sockets
        self._kubelets = kubelets
        self._store = store

    async def get(self, path: str) -> Response:
        """The answer for a path below `PATH`.

        Errors: NotFound; Unavailable for a role that does not run, Timeout for one that hangs.
        """
        role, _, node = path.removeprefix(PATH).partition("/")
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                if role == NODE:
                    body = await self._of_node(node)
                elif role in ROLES and not node and self._sockets is not None:
                    body = await _of_role(role, self._sockets)
                else:
                    raise refusals.unserved()
        except TimeoutError:
            raise Timeout(
                f"{path.removeprefix(PATH)} does not answer within {ANSWER_S_MAX:g} s: it hangs, "
                "or is at one piece of work; look at `mizzen status` and its log"
            ) from None
        return Response(200, body, CONTENT_TYPE)

    async def _of_node(self, name: str) -> bytes:
        """The metrics of the agent of that node; "": of the only node."""
        if not name:
            nodes = self._store.list(NODES.plural, limit=2).items
            if len(nodes) != 1:
                raise NotFound(f"there is not one node alone: ask for {PATH}{NODE}/NAME")
            name = nodes[0].key.name
        try:
            pieces = await self._kubelets.get(name, ("metrics",), {}, math.inf)
        except Unavailable as error:  # no word when to come back: kubectl would, ten times
            raise Unavailable(error.message) from error
        async with contextlib.aclosing(pieces):
            return b"".join([piece async for piece in pieces])


async def _of_role(role: str, sockets: Path) -> bytes:
    loop = asyncio.get_running_loop()
    connection: HttpConnection | None = None
    try:
        folder = SocketFolder(sockets)
        try:
            _, connection = await loop.create_unix_connection(HttpConnection, folder.path(role))
        finally:
            folder.close()
        head, body = await connection.ask(_REQUEST, math.inf)
    except (OSError, BrokenAnswerError) as error:
        raise Unavailable(
            f"{role} does not run, or not yet: nobody answers at its socket ({error}); "
            "look at `mizzen status` and its log"
        ) from error
    finally:
        if connection is not None:
            connection.close()
    if head.status != 200:
        raise InternalError(f"{role} answered {head.status}: {body[:500].decode(errors='replace')}")
    return body
