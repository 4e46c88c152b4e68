"""What every handler works with: the store, the kinds, the clock, the configuration."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mizzen.apiserver.allocations import Allocations
from mizzen.apiserver.catalog import Catalog
from mizzen.apiserver.draft import Draft
from mizzen.base.clock import Clock
from mizzen.kinds.resource.selectors import ALLOWANCE
from mizzen.store.store import Store

# Upstream's alphabet of generated names: no vowels, so that no words appear.
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


@dataclass(frozen=True)
class ApiServerConfig:
    """Where to listen and who may come.

    `tokens`: bearer token -> identity. `pod_logs`: the folder in which the agent keeps
    `<pod uid>/<container>/<restart>.log`.
    """

    host: str
    port: int
    cert_file: Path
    key_file: Path
    tokens: Mapping[str, str]
    pod_logs: Path


@dataclass
class Server:
    """The parts of one API server."""

    config: ApiServerConfig
    store: Store
    catalog: Catalog
    clock: Clock
    closing: asyncio.Event = field(default_factory=asyncio.Event)  # streams end when it is set
    requests: Counter[tuple[str, str, int]] = field(default_factory=Counter[tuple[str, str, int]])
    watch_events: Counter[str] = field(default_factory=Counter[str])
    allocations: Allocations = field(init=False)

    def __post_init__(self) -> None:
        self.allocations = Allocations(self.store)

    def draft(self, identity: str) -> Draft:
        """For the writes of one request."""
        ALLOWANCE.renew()
        return Draft(
            self.store,
            self.allocations,
            identity=identity,
            now_ns=self.clock.now_ns(),
            new_id=_new_id,
            new_suffix=_new_suffix,
        )


def _new_id() -> str:
    return str(uuid.uuid4())


def _new_suffix() -> str:
    return "".join(random.choices(_ALPHABET, k=5))
