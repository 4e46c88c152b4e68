"""EndpointSlice: some of a Service's endpoints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mizzen.base.objects import Obj
from mizzen.base.resources import ENDPOINT_SLICES
from mizzen.kinds.columns import AGE, NAME
from mizzen.kinds.discovery import endpoint_slice_rules as rules
from mizzen.kinds.kind import Column
from mizzen.kinds.reading import entries
from mizzen.kinds.treatment import SHOWN, accepted, acted, holding
from mizzen.kinds.upstream import upstream_kind

_SHOWN_MAX = 3


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


KIND = upstream_kind(
    ENDPOINT_SLICES,
    "Some of a Service's endpoints.",
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
