"""The context of the API server's plug-ins: its configuration, store, kinds and clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Network
from pathlib import Path

from mizzen.apiserver.catalog import Catalog
from mizzen.apiserver.core.authorizer import Authorizer
from mizzen.base.clock import Clock
from mizzen.base.versions import EffectiveVersion
from mizzen.host.mutual_tls import MutualTls
from mizzen.host.token_signer import TokenSigner
from mizzen.store.store import ObjectKey, Store

SERVICE_RANGE_DEFAULT = IPv4Network("127.2.0.0/20")
NODE_PORTS = range(30_000, 32_768)


@dataclass(frozen=True)
class ApiServerConfig:
    """The API server's configuration: addresses, certificates, tokens.

    `tokens`: bearer token -> name of the user. `kubelet_client`: what agents of nodes are shown.
    `role_sockets`: the folder where the instance's other roles tell their metrics, if there is one.
    `audit_policy`: what of requests is recorded in `audit_log`; nothing where there is no policy.
    `service_range`: whence Services have their cluster IPs; `node_ports` their ports on nodes.
    """

    host: str
    port: int
    cert_file: Path
    key_file: Path
    tokens: Mapping[str, str]
    kubelet_client: MutualTls
    role_sockets: Path | None = None
    service_range: IPv4Network = SERVICE_RANGE_DEFAULT
    node_ports: range = NODE_PORTS
    audit_policy: Path | None = None
    audit_log: Path | None = None
    ca_file: Path | None = None  # the authority that clients and pods are to trust
    ca_key_file: Path | None = None  # its key, to sign requests for certificates; None: nobody does
    certificate_port: int = 0  # where clients may show a certificate of `ca_file`; 0: nowhere
    certificate_sockets: Path | None = None  # a folder of that port's own
    front_proxy: MutualTls | None = None  # shown to aggregated API servers; None: there are none
    node_name: str = ""  # the node whose agent is the instance's own; "" where there is none
    service_account_key: Path | None = None  # signs service accounts' tokens; None: there are none
    version: EffectiveVersion = field(default_factory=EffectiveVersion)


class Epoch:
    """Counts changes of what was worked out once, so that it is worked out again."""

    __slots__ = ("number",)

    def __init__(self) -> None:
        self.number = 0


@dataclass
class Context:
    """The parts of one API server that are there before any request."""

    config: ApiServerConfig
    store: Store
    catalog: Catalog
    clock: Clock
    admission_epoch: Epoch = field(default_factory=Epoch)  # of webhooks and policies
    on_token_secret_used: Callable[[ObjectKey], None] = lambda _: (
        None
    )  # `token_secrets.py` takes it
    authorizer: Authorizer = field(init=False)  # of admission and reviews, which come later

    @cached_property
    def root_ca(self) -> str:
        """The authority's certificate as PEM; "" where there is none."""
        return "" if self.config.ca_file is None else self.config.ca_file.read_text()

    @cached_property
    def token_signer(self) -> TokenSigner | None:
        """Of service accounts' tokens."""
        key_file = self.config.service_account_key
        return None if key_file is None else TokenSigner(key_file)
