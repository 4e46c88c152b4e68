"""Creates the objects needed before the first request: the built-in namespaces, and the Service
by which pods find the API server."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from ipaddress import AddressValueError, IPv4Address, IPv4Network

from mizzen.apiserver import ip_addresses, operations
from mizzen.apiserver.admission.permanent_namespaces import PERMANENT_NAMESPACES
from mizzen.apiserver.core.user import API_SERVER
from mizzen.apiserver.draft import Draft
from mizzen.apiserver.server import Server
from mizzen.base.clock import rfc3339
from mizzen.base.objects import Obj
from mizzen.base.resources import ENDPOINT_SLICES, ENDPOINTS, NAMESPACES, SERVICE_CIDRS, SERVICES
from mizzen.host.ports import may_listen_on
from mizzen.kinds.core.service_spec import HEADLESS
from mizzen.store.store import ObjectKey

KUBERNETES = "kubernetes"
_HTTPS_PORT = 443
_log = logging.getLogger(__name__)


async def make_namespaces(server: Server) -> None:
    """Creates the permanent namespaces that are missing, in one transaction."""
    served = server.catalog.by_place((NAMESPACES.group, NAMESPACES.plural))
    assert served is not None, "namespaces are built in"
    draft = server.draft(API_SERVER)
    for name in PERMANENT_NAMESPACES:
        if not draft.exists(ObjectKey(served.key, "", name)):
            operations.create(draft, served, "", {"metadata": {"name": name}})
    done = draft.commit()
    if done is not None:
        await done


async def make_services(server: Server) -> None:
    """Makes or mends the Service `kubernetes`, and gives Services whose address is of a range that
    this instance had before one of the present range."""
    served = server.catalog.by_place((SERVICES.group, SERVICES.plural))
    assert served is not None, "services are built in"
    draft = server.draft(API_SERVER)
    network = server.config.service_range
    key = ObjectKey(served.key, "default", KUBERNETES)
    own = str(network[1])
    found = draft.get(key)
    port = _HTTPS_PORT if may_listen_on(_HTTPS_PORT) else server.config.port
    ports: list[Obj] = [
        {"name": "https", "protocol": "TCP", "port": port, "targetPort": server.config.port}
    ]
    if found is None:
        labels = {"component": "apiserver", "provider": KUBERNETES}
        spec: Obj = {"clusterIP": own, "clusterIPs": [own], "ports": ports}
        body = {"metadata": {"name": KUBERNETES, "labels": labels}, "spec": spec}
        operations.create(draft, served, "default", body)
    else:
        spec = {**found["spec"], "clusterIP": own, "clusterIPs": [own], "ports": ports}
        if spec != found["spec"]:
            draft.put(key, {**found, "metadata": dict(found["metadata"]), "spec": spec}, "update")
    _make_endpoints(server, draft)
    _make_range(server, draft)
    strangers = [s for s in draft.list(served.key) if _is_stranger(s, network)]
    _move(draft, served.key, strangers, network)
    ip_addresses.mend(draft, server.catalog)
    done = draft.commit()
    if done is not None:
        await done


def _make_endpoints(server: Server, draft: Draft) -> None:
    """Where the API server itself is to be found."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(server.config.host, server.config.host)
    port: Obj = {"name": "https", "port": server.config.port, "protocol": "TCP"}
    skip = {"endpointslice.kubernetes.io/skip-mirror": "true"}
    subset: Obj = {"addresses": [{"ip": host}], "ports": [port]}
    endpoints: Obj = {"metadata": {"name": KUBERNETES, "labels": skip}, "subsets": [subset]}
    slice_: Obj = {
        "metadata": {"name": KUBERNETES, "labels": {"kubernetes.io/service-name": KUBERNETES}},
        "addressType": "IPv6" if ":" in host else "IPv4",
        "ports": [port],
        "endpoints": [{"addresses": [host], "conditions": {"ready": True}}],
    }
    for resource, body, own in (
        (ENDPOINTS, endpoints, ("subsets",)),
        (ENDPOINT_SLICES, slice_, ("ports", "endpoints")),
    ):
        served = server.catalog.by_place((resource.group, resource.plural))
        assert served is not None, "both are built in"
        key = ObjectKey(served.key, "default", KUBERNETES)
        found = draft.get(key)
        if found is not None and found.get("addressType") == body.get("addressType"):
            fields = {name: body[name] for name in own}
            if {name: found.get(name) for name in own} != fields:
                draft.put(key, {**found, "metadata": dict(found["metadata"]), **fields}, "update")
            continue
        if found is not None:
            draft.remove(key, found)  # an address of another family: made anew at the next start
            continue
        operations.create(draft, served, "default", body)


def _make_range(server: Server, draft: Draft) -> None:
    """The ServiceCIDR that says whence cluster IPs are; one of a former range goes first."""
    served = server.catalog.by_place((SERVICE_CIDRS.group, SERVICE_CIDRS.plural))
    assert served is not None, "it is built in"
    key = ObjectKey(served.key, "", KUBERNETES)
    ranges = [str(server.config.service_range)]
    found = draft.get(key)
    if found is not None and found["spec"]["cidrs"] != ranges:
        new = {**found, "metadata": dict(found["metadata"]), "spec": {"cidrs": ranges}}
        draft.put(key, new, "update")
    elif found is None:
        body: Obj = {"metadata": {"name": KUBERNETES}, "spec": {"cidrs": ranges}}
        made = operations.create(draft, served, "", body)
        told: Obj = {"type": "Ready", "status": "True", "reason": "", "message":
                     "Kubernetes Service CIDR is ready",
                     "lastTransitionTime": rfc3339(draft.now_ns)}  # fmt: skip
        draft.put(key, {**made, "status": {"conditions": [told]}}, "create")


def _is_stranger(service: Obj, network: IPv4Network) -> bool:
    address = service["spec"].get("clusterIP") or HEADLESS
    try:
        return address != HEADLESS and IPv4Address(address) not in network
    except AddressValueError:
        return False


def _move(draft: Draft, resource: str, services: Iterable[Obj], network: IPv4Network) -> None:
    """Another instance holds the range that these had: upstream says so and waits for people; on
    one machine it would be another's Service that their clients reach."""
    taken = {service["spec"].get("clusterIP") for service in draft.list(resource)}
    free = (str(network[i]) for i in range(2, network.num_addresses - 1))
    for service in services:
        address = next((each for each in free if each not in taken), None)
        metadata = service["metadata"]
        if address is None:
            _log.error("the range %s has no address for %s", network, metadata["name"])
            return
        spec = {**service["spec"], "clusterIP": address, "clusterIPs": [address]}
        key = ObjectKey(resource, metadata["namespace"], metadata["name"])
        draft.put(key, {**service, "metadata": dict(metadata), "spec": spec}, "update")
        _log.warning("Service %s/%s is at %s from now on", *key[1:], address)
