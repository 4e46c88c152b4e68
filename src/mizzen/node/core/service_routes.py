"""Where the addresses of Services lead, from their EndpointSlices.

Source: kubernetes `pkg/proxy` (serviceport.go, endpoints.go, topology.go): ready endpoints, and
where there are none those that still serve while they end; policy Local means this node's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mizzen.base.objects import Obj
from mizzen.base.reading import entries, field, part

FORWARDED = ("TCP", "UDP")
LOOPBACK = "127."


class Route(NamedTuple):
    """An address and port of a Service, and the endpoints that it leads to."""

    address: str
    port: int
    protocol: str
    endpoints: tuple[tuple[str, int], ...]
    affinity_s: int

    @property
    def key(self) -> str:
        return f"{self.address}:{self.port}/{self.protocol}"


def routes(
    service: Obj, slices: Iterable[Obj], node: str, node_port_address: str
) -> Iterator[Route]:
    """A route for each port of the Service on its address and, if it has one, on the node's.

    None where the address is no loopback address: kube-proxy carries those, with their node ports.
    """
    spec: Obj = service["spec"]
    address: str = spec.get("clusterIP") or "None"
    if not address.startswith(LOOPBACK) or spec.get("type") == "ExternalName":
        return
    affinity_s = 0
    if spec.get("sessionAffinity") == "ClientIP":
        affinity_s = int(field(spec, "sessionAffinityConfig", "clientIP", "timeoutSeconds") or 0)
    slices = list(slices)
    for port in entries(spec, "ports"):
        protocol = port.get("protocol") or "TCP"
        inner = _endpoints(port, slices, node if _is_local(spec, "internal") else "")
        yield Route(address, port["port"], protocol, inner, affinity_s)
        if port.get("nodePort"):
            outer = _endpoints(port, slices, node if _is_local(spec, "external") else "")
            yield Route(node_port_address, port["nodePort"], protocol, outer, affinity_s)


def _is_local(spec: Obj, side: str) -> bool:
    return spec.get(f"{side}TrafficPolicy") == "Local"


def _endpoints(port: Obj, slices: list[Obj], node: str) -> tuple[tuple[str, int], ...]:
    """Of this port, in order of address; only those on `node` where that is said."""
    ready: set[tuple[str, int]] = set()
    ending: set[tuple[str, int]] = set()
    for slice_ in slices:
        number = _number(port, slice_)
        if number is None or slice_.get("addressType") == "FQDN":
            continue
        for endpoint in slice_.get("endpoints") or ():
            if node and endpoint.get("nodeName") != node:
                continue
            conditions = part(endpoint, "conditions")
            place = (str(endpoint["addresses"][0]), number)
            if conditions.get("ready") is not False:
                ready.add(place)
            elif conditions.get("serving") and conditions.get("terminating"):
                ending.add(place)
    return tuple(sorted(ready or ending))


def _number(port: Obj, slice_: Obj) -> int | None:
    """The endpoints' number of a Service's port, which is found by its name."""
    for each in slice_.get("ports") or ():
        same = (each.get("name") or "") == (port.get("name") or "")
        if same and (each.get("protocol") or "TCP") == (port.get("protocol") or "TCP"):
            return each.get("port")
    return None
