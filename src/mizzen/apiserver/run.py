"""Runs the API server: HTTP, garbage collection and run-time kinds over one store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mizzen.apiserver import flow_defaults, rbac_defaults
from mizzen.apiserver.asgi import Bridge
from mizzen.apiserver.bootstrap import make_namespaces, make_services
from mizzen.apiserver.catalog import Catalog
from mizzen.apiserver.certificate_port import CertificatePort, server_context
from mizzen.apiserver.certificate_signer import CertificateSigner
from mizzen.apiserver.collector import Collector
from mizzen.apiserver.connections import Connections
from mizzen.apiserver.context import ApiServerConfig
from mizzen.apiserver.custom import CustomKinds
from mizzen.apiserver.expiry import EventExpiry
from mizzen.apiserver.granian_server import HttpServer
from mizzen.apiserver.ip_addresses import IpAddresses
from mizzen.apiserver.local_api_services import LocalApiServices
from mizzen.apiserver.namespace_contents import NamespaceContents
from mizzen.apiserver.server import Server
from mizzen.apiserver.token_secrets import TokenSecrets
from mizzen.base.clock import Clock
from mizzen.base.versions import BINARY, EffectiveVersion
from mizzen.host.certificate_authority import CertificateAuthority
from mizzen.kinds.compatibility import introduced_in
from mizzen.kinds.registry import builtin_kinds, converted_kinds, virtual_kinds
from mizzen.store.store import Store

__all__ = ["ApiServerConfig", "catalog_of", "serve"]


def catalog_of(version: EffectiveVersion) -> Catalog:
    """The built-in kinds; while an older version is emulated, as that one had them."""
    if not version.is_emulated:
        return Catalog(builtin_kinds(), virtual_kinds(), converted_kinds())
    new = introduced_in(BINARY)
    stored = {
        place: new.as_before(kind)
        for place, kind in builtin_kinds().items()
        if new.serves_before(kind)
    }
    converted = [kind for kind in converted_kinds() if new.serves_before(kind)]
    return Catalog(stored, virtual_kinds(), converted)


async def serve(
    config: ApiServerConfig, store: Store, clock: Clock, on_ready: Callable[[], None]
) -> None:
    """Serves until cancelled; `on_ready` is called once requests are answered.

    Errors: OSError when the address is taken.
    """
    server = Server(config, store, catalog_of(config.version), clock)
    await make_namespaces(server)
    await rbac_defaults.make_defaults(server)
    await flow_defaults.make_defaults(server)
    await make_services(server)
    custom = CustomKinds(server)
    await custom.load()
    connections = Connections(config.port, config.certificate_port)
    bridge = Bridge(server, connections)
    certificates = _certificate_port(config, bridge)
    http = HttpServer(bridge, config.host, config.port, config.cert_file, config.key_file)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(custom.run())
            if bridge.audit_log is not None:
                group.create_task(bridge.audit_log.run())
            group.create_task(Collector(server).run())
            group.create_task(EventExpiry(server).run())
            group.create_task(server.aggregation.run())
            group.create_task(IpAddresses(server).run())
            group.create_task(LocalApiServices(server).run())
            group.create_task(NamespaceContents(server).run())
            if config.ca_file is not None and config.ca_key_file is not None:
                authority = CertificateAuthority(config.ca_key_file, config.ca_file)
                group.create_task(CertificateSigner(server, authority).run())
            if server.token_signer is not None:
                group.create_task(TokenSecrets(server, server.token_signer).run())

            def on_listening() -> None:
                group.create_task(connections.guard())
                on_ready()

            group.create_task(http.serve(on_listening, bridge.end_streams))
            if certificates is not None:
                group.create_task(certificates.serve(bridge.end_streams))
    finally:
        server.closing.set()
        server.webhooks.close()


def _certificate_port(config: ApiServerConfig, bridge: Bridge) -> CertificatePort | None:
    if not config.certificate_port:
        return None
    assert config.ca_file is not None and config.certificate_sockets is not None, "they go together"
    context = server_context(config.cert_file, config.key_file, config.ca_file)
    address = (config.host, config.certificate_port)
    return CertificatePort(bridge, address, config.certificate_sockets, context)
