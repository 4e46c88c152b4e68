"""Runs a component of Mizzen on an existing API server: a kubeconfig's, or that of its pod.

Of several copies one leads, by a Lease; a copy that lost it writes nothing more and ends, so that
whoever supervises it starts it anew, with caches that know what happened meanwhile.
"""

from __future__ import annotations

import logging
import os
import socket
import ssl
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
from mizzen.client.reviews import Reviewer
from mizzen.compose.secure_port import SecurePort
from mizzen.compose.shell import OnReady
from mizzen.controllers import run as controllers
from mizzen.host.clock import RealClock
from mizzen.host.monitor import Monitor
from mizzen.scheduler import run as scheduler
from mizzen.scheduler.node_partition import Overlapping

ROLES = ("scheduler", "controllers")
LEASE_S = 15.0
_log = logging.getLogger(__name__)
Work = Callable[[Client, Clock, Callable[[], None], MetricsRegistry], Awaitable[None]]
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


async def main(
    role: str, cluster: Cluster, on_ready: OnReady, secure_port: SecurePort | None = None
) -> None:
    """Leads when it may, until cancelled; tells metrics and health at `secure_port`.

    A copy that waits for the lead is ready, one that leads is once its caches are filled.
    Errors: SystemExit with the reason.
    """
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
        monitor = Monitor(Reviewer(elections).admit)
        monitor.is_ready = True

        def ready() -> None:
            monitor.is_ready = True
            on_ready()

        async def work() -> None:
            _log.info("%s leads", identity)
            monitor.is_ready = False
            try:
                await _WORK[role](client, clock, ready, monitor.metrics)
            except* Overlapping as group:
                raise SystemExit(str(group.exceptions[0])) from None

        try:
            await _listen(monitor, agent, secure_port, clock)
            await elector.lead(work)
        finally:
            await monitor.close()
        raise SystemExit(f'Lease "{SYSTEM_NAMESPACE}/{agent}" is lost: ends, to begin anew')


async def _listen(monitor: Monitor, name: str, port: SecurePort | None, clock: Clock) -> None:
    if port is None:
        return
    try:
        await monitor.open(port.listen(), port.context(name, clock))
    except (OSError, ssl.SSLError) as error:
        raise SystemExit(
            f"metrics cannot be served at {port.host}:{port.port}: {error}; choose another "
            "--metrics-bind-address, or look at the --tls-… files"
        ) from error
