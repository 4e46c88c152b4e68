"""Endpoints: a Service's endpoints in the form before EndpointSlices.

Source: kubernetes `pkg/apis/core/validation` ValidateEndpoints.
"""

from __future__ import annotations

from typing import Any

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import ENDPOINTS
from mizzen.kinds import causes as words
from mizzen.kinds import ip_addresses
from mizzen.kinds.columns import AGE, NAME, NONE
from mizzen.kinds.kind import Column
from mizzen.kinds.names import dns_label, dns_subdomain, invalid_value, qualified_name
from mizzen.kinds.reading import entries, part
from mizzen.kinds.treatment import SHOWN, accepted, acted
from mizzen.kinds.upstream import upstream_kind

_SHOWN_MAX = 3
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_MANAGED_BY = "endpoints.kubernetes.io/managed-by"
_DEPRECATED = "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"


def _default(endpoints: Obj) -> None:
    for subset in entries(endpoints, "subsets"):
        for port in subset.get("ports") or ():
            port.setdefault("protocol", "TCP")


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    if old is not None and new.get("subsets") == old.get("subsets"):
        return []
    causes: list[Cause] = []
    for index, subset in enumerate(entries(new, "subsets")):
        path = f"subsets[{index}]"
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            message = "must specify `addresses` or `notReadyAddresses`"
            causes.append(words.required(path, message))
        for field in ("addresses", "notReadyAddresses"):
            for place, address in enumerate(subset.get(field) or ()):
                causes += _check_address(f"{path}.{field}[{place}]", address)
        ports: list[Any] = subset.get("ports") or []
        for place, port in enumerate(ports):
            causes += _check_port(f"{path}.ports[{place}]", port, needs_name=len(ports) > 1)
    return causes


def _check_address(path: str, address: Any) -> list[Cause]:
    causes = ip_addresses.check_address(f"{path}.ip", address["ip"])
    for field, rule in (("hostname", dns_label), ("nodeName", dns_subdomain)):
        value = address.get(field)
        if value and (problem := rule(value)):
            causes.append(invalid_value(f"{path}.{field}", value, problem))
    return causes + ip_addresses.check_endpoint(f"{path}.ip", address["ip"])


def _check_port(path: str, port: Any, *, needs_name: bool) -> list[Cause]:
    causes: list[Cause] = []
    name, protocol, scheme = port.get("name") or "", port["protocol"], port.get("appProtocol")
    if needs_name and not name:
        causes.append(words.required(f"{path}.name"))
    elif name and (problem := dns_label(name)):
        causes.append(invalid_value(f"{path}.name", name, problem))
    causes += words.port_number(f"{path}.port", port["port"])
    if protocol not in _PROTOCOLS:
        causes.append(words.unsupported(f"{path}.protocol", protocol, _PROTOCOLS))
    if scheme is not None and (problem := qualified_name(scheme)):
        causes.append(invalid_value(f"{path}.appProtocol", scheme, problem))
    return causes


def _warn(endpoints: Obj) -> list[str]:
    if part(endpoints, "metadata.labels").get(_MANAGED_BY):
        return []
    found: list[str] = []
    for index, subset in enumerate(entries(endpoints, "subsets")):
        for field in ("addresses", "notReadyAddresses"):
            for place, address in enumerate(subset.get(field) or ()):
                path = f"subsets[{index}].{field}[{place}].ip"
                found += ip_addresses.warnings_of(path, address["ip"])
    return found


def _cell(endpoints: Obj, now_ns: int) -> str:
    found: list[str] = []
    for subset in entries(endpoints, "subsets"):
        addresses: list[Any] = subset.get("addresses") or []
        for port in subset.get("ports") or [None]:
            for address in addresses:
                ip = f"[{address['ip']}]" if port and ":" in address["ip"] else address["ip"]
                found.append(f"{ip}:{port['port']}" if port else ip)
    more = f" + {len(found) - _SHOWN_MAX} more..." if len(found) > _SHOWN_MAX else ""
    shown = ",".join(found[:_SHOWN_MAX]) + more
    return shown if entries(endpoints, "subsets") else NONE


KIND = upstream_kind(
    ENDPOINTS,
    "A Service's endpoints.",
    default=_default,
    validate=_validate,
    warn=_warn,
    deprecation=_DEPRECATED,
    columns=(NAME, Column("Endpoints", _cell), AGE),
)
SERVED_FIELDS = {
    "core.v1.Endpoints": acted("controllers", "subsets"),
    "core.v1.EndpointSubset": acted("controllers", "addresses notReadyAddresses ports"),
    "core.v1.EndpointAddress": acted("controllers", "ip hostname nodeName targetRef"),
    "core.v1.EndpointPort": {
        **acted("controllers", "name port protocol"), **accepted("appProtocol", SHOWN),
    },
}  # fmt: skip
