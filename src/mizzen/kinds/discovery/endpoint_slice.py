"""EndpointSlice: some of a Service's endpoints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mizzen.base.objects import Obj
from mizzen.base.resources import ENDPOINT_SLICES
from mizzen.kinds.columns import AGE, NAME
from mizzen.kinds.core.references import OBJECT_REFERENCE
from mizzen.kinds.discovery import endpoint_slice_rules as rules
from mizzen.kinds.kind import Column, Kind
from mizzen.kinds.meta import root
from mizzen.kinds.reading import entries
from mizzen.kinds.schema import BOOL, INT32, STR, STRING_MAP, STRINGS, array, package
from mizzen.kinds.treatment import SHOWN, accepted, acted, holding

v1 = package("io.k8s.api.discovery.v1")
_SHOWN_MAX = 3

CONDITIONS = v1(
    "EndpointConditions",
    "Its state.",
    ready=BOOL("Whether it takes requests; true where it is unknown."),
    serving=BOOL("The same, also while it ends."),
    terminating=BOOL("Whether it ends."),
)
HINTS = v1(
    "EndpointHints",
    "Who should prefer it.",
    forZones=array(v1("ForZone", "A zone.", name=STR("Its name.", required=True)))("Zones."),
    forNodes=array(v1("ForNode", "A node.", name=STR("Its name.", required=True)))("Nodes."),
)
ENDPOINT = v1(
    "Endpoint",
    "What answers for the Service.",
    addresses=STRINGS("Its addresses, of which the first is used.", required=True),
    conditions=CONDITIONS("Its state."),
    hostname=STR("Its name within the Service."),
    targetRef=OBJECT_REFERENCE("The object that it is, such as a pod."),
    deprecatedTopology=STRING_MAP("Not used any more."),
    nodeName=STR("Its node."),
    zone=STR("Its zone."),
    hints=HINTS("Who should prefer it."),
)
PORT = v1(
    "EndpointPort",
    "A port of all these endpoints.",
    name=STR("The name of the Service's port."),
    protocol=STR("Transport; TCP by default."),
    port=INT32("Its number; none means all."),
    appProtocol=STR("Application protocol."),
)


def _some(words: Sequence[str]) -> str:
    if not words:
        return "<unset>"
    more = f" + {len(words) - _SHOWN_MAX} more..." if len(words) > _SHOWN_MAX else ""
    return ",".join(words[:_SHOWN_MAX]) + more


def _ports(slice_: Obj, now_ns: int) -> str:
    ports: list[Any] = entries(slice_, "ports")
    return _some([str(p["port"]) if p.get("port") else p.get("name") or "*" for p in ports])


def _endpoints(slice_: Obj, now_ns: int) -> str:
    return _some([a for e in entries(slice_, "endpoints") for a in e.get("addresses") or ()])


KIND = Kind(
    resource=ENDPOINT_SLICES,
    schema=root(
        ENDPOINT_SLICES,
        "Some of a Service's endpoints.",
        "io.k8s.api.discovery.v1.EndpointSlice",
        addressType=STR("IPv4, IPv6 or FQDN.", required=True),
        endpoints=array(ENDPOINT)("The endpoints.", required=True),
        ports=array(PORT)("Their ports."),
    ),
    on_create=rules.prepare,
    default=rules.default,
    validate=rules.validate,
    warn=rules.warn,
    columns=(
        NAME,
        Column("AddressType", lambda s, now: s.get("addressType") or ""),
        Column("Ports", _ports),
        Column("Endpoints", _endpoints),
        AGE,
    ),
)
SERVED_FIELDS = {
    "discovery.v1.EndpointSlice": acted("node", "addressType endpoints ports"),
    "discovery.v1.Endpoint": {
        **acted("node", "addresses nodeName"),
        **holding("conditions"),
        **acted("controllers", "targetRef"),
        **accepted("hostname zone hints deprecatedTopology", SHOWN),
    },
    "discovery.v1.EndpointConditions": acted("node", "ready serving terminating"),
    "discovery.v1.EndpointPort": {
        **acted("node", "name protocol port"), **accepted("appProtocol", SHOWN),
    },
}  # fmt: skip
