"""Connections to what a pod's processes listen to, and to nothing else of the machine.

All pods share the machine's network: what answers at a pod's address may be a server of another
pod, or of the control plane itself, that listens on every address. Upstream, a pod's network is its
own, and its loopback is tried.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from mizzen.host.listeners import holds, listener_at

LOOPBACK = "127.0.0.1"
CONNECT_S_MAX = 10.0


async def connect(
    pids: Sequence[int], address: str, port: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to a listener of one of these processes, at the pod's address or on loopback.

    Errors: OSError, its message saying what is there instead.
    """
    found = ""
    for host in (address, LOOPBACK):
        try:
            listener = listener_at(host, port)
        except OSError as error:
            raise ConnectionRefusedError(f"it is not known who listens there: {error}") from error
        if listener is None:
            continue
        if any(holds(pid, listener.inode) for pid in pids):
            async with asyncio.timeout(CONNECT_S_MAX):
                return await asyncio.open_connection(host, port)
        found = found or f"{host}:{port} is listened on by another process than the pod's"
    raise ConnectionRefusedError(
        found or f"dial tcp4 {address}:{port}: connect: connection refused"
    )
