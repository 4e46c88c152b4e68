"""Accelerators that do not exist, only on request and always marked so."""

from __future__ import annotations

from mizzen.base import names
from mizzen.node.config import NodeConfig
from mizzen.node.core.devices import Device


def discover(config: NodeConfig, enforcement: str) -> list[Device]:
    """As many as the instance was asked to pretend."""
    return [
        Device(
            names.SIMULATED_DRIVER,
            f"simulated-{index}",
            {
                "type": {"string": "simulated"},
                "index": {"int": index},
                "simulated": {"bool": True},
            },
            {"memory": "16Gi"},
        )
        for index in range(config.simulated_devices)
    ]
