"""Defaults, rules and warnings of EndpointSlices.

Source: kubernetes `pkg/apis/discovery/validation`, `pkg/apis/discovery/v1/defaults.go`,
`pkg/registry/discovery/endpointslice/strategy.go`.
"""

from __future__ import annotations

from typing import Any

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.kinds import causes as words
from mizzen.kinds import ip_addresses
from mizzen.kinds.names import (
    check_labels,
    dns_label,
    dns_subdomain,
    invalid_value,
    label_value,
    qualified_name,
)
from mizzen.kinds.reading import entries, get, part

ADDRESSES_MAX = 100
PORTS_MAX = 20_000
ENDPOINTS_MAX = 1000
HINTS_MAX = 8
_ADDRESS_TYPES = ("FQDN", "IPv4", "IPv6")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
_CONTROLLERS = (
    "endpointslice-controller.k8s.io", "endpointslicemirroring-controller.k8s.io",
)  # fmt: skip


def default(slice_: Obj) -> None:
    for port in entries(slice_, "ports"):
        if port.get("name") is None:
            port["name"] = ""
        if port.get("protocol") is None:
            port["protocol"] = "TCP"


def prepare(slice_: Obj) -> None:
    """Drops what only the first version of the API wrote."""
    for endpoint in entries(slice_, "endpoints"):
        endpoint.pop("deprecatedTopology", None)


def validate(new: Obj, old: Obj | None) -> list[Cause]:
    kind: str = new.get("addressType") or ""
    causes: list[Cause] = []
    if not kind:
        causes.append(words.required("addressType"))
    elif kind not in _ADDRESS_TYPES:
        causes.append(words.unsupported("addressType", kind, _ADDRESS_TYPES))
    causes += _check_ports(entries(new, "ports"))
    if old is None or new.get("endpoints") != old.get("endpoints"):
        causes += _check_endpoints(entries(new, "endpoints"), kind)
    if old is not None and kind != old.get("addressType"):
        causes.append(words.invalid("addressType", kind, "field is immutable"))
    return causes


def warn(slice_: Obj) -> list[str]:
    found: list[str] = []
    if slice_.get("addressType") == "FQDN":
        found.append("spec.addressType: FQDN endpoints are deprecated")
    if part(slice_, "metadata.labels").get(_MANAGED_BY) in _CONTROLLERS:
        return found
    for index, endpoint in enumerate(entries(slice_, "endpoints")):
        for place, address in enumerate(endpoint.get("addresses") or ()):
            path = f"endpoints[{index}].addresses[{place}]"
            found += ip_addresses.warnings_of(path, address)
    return found


def _check_ports(ports: list[Any]) -> list[Cause]:
    if len(ports) > PORTS_MAX:
        return [words.too_many("ports", len(ports), PORTS_MAX)]
    causes: list[Cause] = []
    names: set[str] = set()
    for index, port in enumerate(ports):
        path = f"ports[{index}]"
        name, protocol, scheme = port["name"], port["protocol"], port.get("appProtocol")
        if name and (problem := dns_label(name)):
            causes.append(invalid_value(f"{path}.name", name, problem))
        if name in names:
            causes.append(words.duplicate(f"{path}.name", name))
        names.add(name)
        if protocol not in _PROTOCOLS:
            causes.append(words.unsupported(f"{path}.protocol", protocol, _PROTOCOLS))
        if scheme is not None and (problem := qualified_name(scheme)):
            causes.append(invalid_value(f"{path}.appProtocol", scheme, problem))
    return causes


def _check_endpoints(endpoints: list[Any], kind: str) -> list[Cause]:
    if len(endpoints) > ENDPOINTS_MAX:
        return [words.too_many("endpoints", len(endpoints), ENDPOINTS_MAX)]
    causes: list[Cause] = []
    for index, endpoint in enumerate(endpoints):
        path = f"endpoints[{index}]"
        addresses: list[str] = endpoint.get("addresses") or []
        if not addresses:
            message = "must contain at least 1 address"
            causes.append(words.required(f"{path}.addresses", message))
        elif len(addresses) > ADDRESSES_MAX:
            causes.append(words.too_many(f"{path}.addresses", len(addresses), ADDRESSES_MAX))
        for place, address in enumerate(addresses):
            causes += _check_address(f"{path}.addresses", place, address, kind)
        if (name := endpoint.get("nodeName")) and (problem := dns_subdomain(name)):
            causes.append(invalid_value(f"{path}.nodeName", name, problem))
        if (name := endpoint.get("hostname")) and (problem := dns_label(name)):
            causes.append(invalid_value(f"{path}.hostname", name, problem))
        topology = part(endpoint, "deprecatedTopology")
        causes += check_labels(topology, f"{path}.deprecatedTopology")
        causes += _check_hints(endpoint, path)
    return causes


def _check_address(path: str, place: int, address: str, kind: str) -> list[Cause]:
    at = f"{path}[{place}]"
    if kind == "FQDN":
        problem = dns_subdomain(address)
        if not problem and "." not in address:
            problem = "should be a domain with at least two segments separated by dots"
        return [invalid_value(at, address, problem)] if problem else []
    if kind not in ("IPv4", "IPv6"):
        return []
    check = ip_addresses.check_address if kind == "IPv4" else ip_addresses.check_canonical
    if causes := check(at, address):
        return causes
    if ip_addresses.is_ipv6(address) != (kind == "IPv6"):
        causes.append(invalid_value(path, address, f"must be an {kind} address"))
    return causes + ip_addresses.check_endpoint(at, address)


def _check_hints(endpoint: Any, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for field, rule in (("forZones", label_value), ("forNodes", dns_subdomain)):
        at = f"{path}.hints.{field}"
        hints: list[Any] = get(endpoint, f"hints.{field}") or []
        if len(hints) > HINTS_MAX:
            causes.append(words.too_many(at, len(hints), HINTS_MAX))
            continue
        names: set[str] = set()
        for index, hint in enumerate(hints):
            name = hint["name"]
            if name in names:
                causes.append(words.duplicate(f"{at}[{index}].name", name))
            names.add(name)
            if problem := rule(name):
                causes.append(invalid_value(f"{at}[{index}].name", name, problem))
    return causes
