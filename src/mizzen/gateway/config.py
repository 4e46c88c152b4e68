"""How a gateway is set up."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """Where to listen, and the API keys that open it; without keys everything is refused.

    `serving` is the folder of the replicas' sockets.
    """

    serving: Path
    host: str = "127.0.0.1"
    port: int = 8080
    api_keys: frozenset[str] = field(default_factory=frozenset[str])

    @property
    def url(self) -> str:
        """What clients on this machine use as base URL."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"http://[{host}]:{self.port}/v1" if ":" in host else f"http://{host}:{self.port}/v1"
