"""Proxies to pods, Services and nodes: HTTP and websockets, to the address of the object named and
to nowhere else.

Pods are programs of this machine, so whoever else listens at their port is not asked: only the user
who runs the instance. Source: pkg/registry/core/{pod,service,node}/rest, Kubernetes 1.36.
"""

from __future__ import annotations

import ssl

from mizzen.apiserver import connecting
from mizzen.apiserver.catalog import Served
from mizzen.apiserver.core import proxied, refusals
from mizzen.apiserver.core.proxied import Named
from mizzen.apiserver.core.routing import Target
from mizzen.apiserver.forwarding import Site, forward
from mizzen.apiserver.http import TEXT, Answer, Request, Response
from mizzen.apiserver.server import Server
from mizzen.apiserver.service_lookup import backends_of
from mizzen.base.errors import BadRequest, Unavailable
from mizzen.base.objects import Obj
from mizzen.base.resources import NODES, SERVICES
from mizzen.host.listeners import stranger_at
from mizzen.store.store import ObjectKey


async def proxy(server: Server, served: Served, target: Target, request: Request) -> Answer:
    """Errors: NotFound, BadRequest; Unavailable where nobody answers."""
    await connecting.check(server, served, target, request)
    named = proxied.split(target.name)
    prefix, path = proxied.rest_of(request.path, bool(target.namespace))
    if served.resource == NODES:
        site = await _node(server, named)
    elif served.resource == SERVICES:
        site = _service(server, target, named)
    else:
        pod = _found(server, served, target, named)
        address = proxied.address_of(pod)
        site = _at(named.scheme, address, proxied.port_of(pod, named.port))
    if request.path == prefix and request.method in ("GET", "HEAD") and request.offered is None:
        query = f"?{request.query}" if request.query else ""
        where = ("location", f"{prefix}/{query}")  # or links of the page would lead elsewhere
        return Response(301, b"", TEXT, [where])
    headers = [
        ("X-Forwarded-Host", request.headers.get("host", "")), ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Uri", request.path),
    ]  # fmt: skip
    return await forward(site, request, path, headers=headers, prefix=prefix)


def _found(server: Server, served: Served, target: Target, named: Named) -> Obj:
    key = ObjectKey(served.key, target.namespace, named.name)
    stored = server.store.get(key)
    if stored is None:
        raise refusals.not_found(served.resource, named.name)
    return stored.object()


def _at(scheme: str, address: str, port: int) -> Site:
    """Errors: Unavailable where a stranger listens there."""
    stranger = stranger_at(address, port) if "." in address else ""
    if stranger:
        raise Unavailable(f"error trying to reach service: {stranger}")
    return Site(address, port, _unverified() if scheme == "https" else None)


def _service(server: Server, target: Target, named: Named) -> Site:
    """One of its ready endpoints."""
    service = server.store.get(ObjectKey(SERVICES.plural, target.namespace, named.name))
    if service is None:
        raise refusals.not_found(SERVICES, named.name)
    try:
        port = proxied.service_port(service.object(), named.port)
        found = backends_of(server.store, service, port)
    except LookupError as error:
        raise Unavailable(str(error.args[0])) from error
    if not found:
        raise Unavailable(f'no endpoints available for service "{target.name}"')
    address, number = found[server.clock.monotonic_ns() % len(found)]  # whichever
    proxied.check_address(address)
    return _at(named.scheme, address, number)


async def _node(server: Server, named: Named) -> Site:
    """The agent of the node: of the rest of its machine nothing is reached."""
    if server.store.get(ObjectKey(NODES.plural, "", named.name)) is None:
        raise refusals.not_found(NODES, named.name)
    host, port, context = server.kubelets.site(named.name)
    if named.port not in ("", str(port)):
        raise BadRequest(f"address not allowed: the agent of the node listens on port {port}")
    return Site(host, port, context, host)


def _unverified() -> ssl.SSLContext:
    """Pods certify themselves by nobody that we know, as upstream."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


HANDLERS = dict.fromkeys(("create", "delete", "get", "patch", "update"), proxy)
