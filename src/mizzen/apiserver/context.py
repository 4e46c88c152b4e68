"""The context of the API server's plug-ins: its configuration, store, kinds and clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mizzen.apiserver.catalog import Catalog
from mizzen.base.clock import Clock
from mizzen.host.mutual_tls import MutualTls
from mizzen.store.store import Store


@dataclass(frozen=True)
class ApiServerConfig:
    """The API server's configuration: addresses, certificates, tokens.

    `tokens`: bearer token -> name of the user. `kubelet_client`: what agents of nodes are shown.
    `role_sockets`: the folder where the instance's other roles tell their metrics, if there is one.
    """

    host: str
    port: int
    cert_file: Path
    key_file: Path
    tokens: Mapping[str, str]
    kubelet_client: MutualTls
    role_sockets: Path | None = None


@dataclass
class Context:
    """The parts of one API server that are there before any request."""

    config: ApiServerConfig
    store: Store
    catalog: Catalog
    clock: Clock
