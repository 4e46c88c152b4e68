"""Configuration of one agent; made by `compose`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mizzen.base.serving import SERVING_DIR
from mizzen.checkpoints.tier import DEFAULT_TIERS
from mizzen.host.mutual_tls import MutualTls

HOST_IP = "127.0.0.1"  # the node's InternalIP: what its pods call their host, where its API listens


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """Places and names; `pod_network` is the second octet b of the pods' 127.b.0.0/16."""

    node_name: str
    state_dir: Path
    shm: Path
    checkpoints: Path
    outputs: Path
    pod_network: int
    tls: MutualTls  # of the agent's own API
    simulated_devices: int = 0
    node_port_address: str = HOST_IP  # where Services' node ports are listened on
    durable_interval_s: float = 15.0
    checkpoint_tiers: str = DEFAULT_TIERS  # names, which all trainings of this node are told

    @property
    def pods_dir(self) -> Path:
        return self.state_dir / "pods"

    @property
    def serving_dir(self) -> Path:
        return self.state_dir / SERVING_DIR
