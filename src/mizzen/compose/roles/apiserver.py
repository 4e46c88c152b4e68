"""The process of the API server, with the store inside."""

from __future__ import annotations

from ipaddress import IPv4Network

from mizzen.apiserver.connections import limit_files
from mizzen.apiserver.context import SERVICE_RANGE_DEFAULT
from mizzen.apiserver.run import ApiServerConfig, serve
from mizzen.compose.role_clock import role_clock
from mizzen.compose.settings import current
from mizzen.compose.shell import OnReady
from mizzen.host import pki
from mizzen.host.home import Home
from mizzen.store.local import LocalStore


async def main(home: Home, on_ready: OnReady) -> None:
    limit_files()
    settings = current(home)
    keys = pki.load(home)
    config = ApiServerConfig(
        host=settings.listen,
        port=settings.port,
        cert_file=keys.cert_file,
        key_file=keys.key_file,
        tokens={token: identity for identity, token in keys.tokens.items()},
        kubelet_client=keys.kubelet_client,
        front_proxy=keys.front_proxy,
        role_sockets=home.monitors,
        ca_file=keys.ca_file,
        ca_key_file=home.pki / "ca.key",
        certificate_port=settings.certificate_port,
        certificate_sockets=home.certificate_sockets,
        node_name=settings.node_name,
        service_account_key=keys.service_account_key,
        audit_policy=home.audit_policy if home.audit_policy.exists() else None,
        audit_log=home.logs / "audit.log",
        service_range=IPv4Network(settings.service_cluster_ip_range or SERVICE_RANGE_DEFAULT),
        version=settings.version,
    )
    store = LocalStore(home.store, mark=home.store_mark, format=settings.version.store_format)
    try:
        await serve(config, store, role_clock(), on_ready)
    finally:
        await store.close()
