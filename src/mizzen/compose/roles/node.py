"""The process of the node agent."""

from __future__ import annotations

import os
from collections.abc import Mapping

from mizzen.checkpoints.tier import find_tiers
from mizzen.compose.connect import client_of, wait_until_listening
from mizzen.compose.role_clock import role_clock
from mizzen.compose.settings import current
from mizzen.compose.shell import OnReady
from mizzen.host import pki
from mizzen.host.home import Home
from mizzen.node import run as node


async def main(home: Home, on_ready: OnReady) -> None:
    checkpoint_tiers = _checkpoint_tiers(os.environ)
    settings = current(home)
    config = node.NodeConfig(
        node_name=settings.node_name,
        state_dir=home.node,
        shm=home.make_shm(),
        checkpoints=home.checkpoints,
        outputs=home.outputs,
        pod_network=home.pod_network,
        tls=pki.kubelet_tls(home),
        checkpoint_tiers=checkpoint_tiers,
        simulated_devices=settings.simulated_devices,
        node_port_address=settings.node_port_address,
    )
    await wait_until_listening(settings)
    async with client_of(home, "node") as client:
        await node.run(client, config, role_clock(), on_ready)


def _checkpoint_tiers(variables: Mapping[str, str]) -> str:
    """Names of the tiers in force; one that there is not ends the role before it does anything."""
    try:
        return ",".join(find_tiers(variables))
    except ValueError as error:
        raise SystemExit(f"mizzen: {error}") from error
