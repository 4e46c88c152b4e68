"""Runs a component of Mizzen on an existing API server: a kubeconfig's, or that of its pod.

Of several copies one leads, by a Lease; a copy that lost it writes nothing more and ends, so that
whoever supervises it starts it anew, with caches that know what happened meanwhile.
"""

from __future__ import annotations

import logging
import os
import socket
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from mizzen.base.clock import Clock
from mizzen.base.exposition import MetricsRegistry
from mizzen.base.names import SYSTEM_NAMESPACE
from mizzen.client import kubeconfig
from mizzen.client.client import Client
from mizzen.client.in_cluster import in_cluster
from mizzen.client.kubeconfig import Connection
from mizzen.client.leases import Elector, LeaseConfig
from mizzen.compose.shell import OnReady
from mizzen.controllers import run as controllers
from mizzen.host.clock import RealClock
from mizzen.scheduler import run as scheduler
from mizzen.scheduler.node_partition import Overlapping

ROLES = ("scheduler", "controllers")
LEASE_S = 15.0
_log = logging.getLogger(__name__)
Work = Callable[[Client, Clock, OnReady, MetricsRegistry], Awaitable[None]]
_WORK: dict[str, Work] = {"scheduler": scheduler.run_beside, "controllers": controllers.run_beside}


@dataclass(frozen=True, slots=True)
class Cluster:
    """The API server to connect to (None: the one whose pod this is), and the seconds for which a
    leader may be silent."""

    kubeconfig: Path | None
    context: str = ""
    lease_s: float = LEASE_S

    def connection(self) -> Connection:
        """Errors: BadRequest."""
        if self.kubeconfig is None:
            return in_cluster(os.environ)
        return kubeconfig.load(self.kubeconfig, context=self.context)


async def main(role: str, cluster: Cluster, on_ready: OnReady) -> None:
    """Leads when it may, until cancelled. Errors: SystemExit with the reason."""
    clock = RealClock()
    agent = f"mizzen-{role}"
    identity = f"{socket.gethostname()}_{os.getpid()}_{uuid.uuid4().hex[:8]}"
    config = LeaseConfig(
        agent,
        identity,
        SYSTEM_NAMESPACE,
        duration_s=cluster.lease_s,
        renew_s=cluster.lease_s / 5,
    )
    connection = cluster.connection()
    async with (
        Client(connection, user_agent=agent) as elections,
        Client(connection, user_agent=agent) as client,
    ):
        elector = Elector(elections, clock, config)
        client.write_only_if(elector.check)

        async def work() -> None:
            _log.info("%s leads", identity)
            try:
                await _WORK[role](client, clock, on_ready, MetricsRegistry())
            except* Overlapping as group:
                raise SystemExit(str(group.exceptions[0])) from None

        await elector.lead(work)
        raise SystemExit(f'Lease "{SYSTEM_NAMESPACE}/{agent}" is lost: ends, to begin anew')
