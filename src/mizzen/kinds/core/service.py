"""Service: a name, an address and ports for a set of pods.

What the API server allocates to it is in `apiserver/admission/service_addresses.py`.
"""

from __future__ import annotations

from mizzen.base.objects import Obj
from mizzen.base.resources import SERVICES
from mizzen.kinds.columns import AGE, NAME, NONE
from mizzen.kinds.core import service_rules, service_spec
from mizzen.kinds.kind import Column
from mizzen.kinds.names import dns_label
from mizzen.kinds.reading import entries, part
from mizzen.kinds.subresource import STATUS_SUBRESOURCE, proxy_subresource
from mizzen.kinds.treatment import SHOWN, accepted, acted, holding
from mizzen.kinds.upstream import upstream_kind


def _cluster_ip(service: Obj, now_ns: int) -> str:
    return next(iter(service["spec"].get("clusterIPs") or ()), NONE)


def _external_ip(service: Obj, now_ns: int) -> str:
    spec: Obj = service["spec"]
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName") or "")
    found: list[str] = []
    if spec.get("type") == "LoadBalancer":
        ingress = entries(service, "status.loadBalancer.ingress")
        found += sorted({each.get("ip") or each.get("hostname") or "" for each in ingress})
    found += spec.get("externalIPs") or []
    return ",".join(found) or ("<pending>" if spec.get("type") == "LoadBalancer" else NONE)


def _ports(service: Obj, now_ns: int) -> str:
    words = (
        f"{p['port']}{':' + str(p['nodePort']) if p.get('nodePort') else ''}/{p.get('protocol')}"
        for p in entries(service["spec"], "ports")
    )
    return ",".join(words) or NONE


def _selector(service: Obj, now_ns: int) -> str:
    selector = part(service["spec"], "selector")
    return ",".join(f"{k}={v}" for k, v in sorted(selector.items())) or NONE


KIND = upstream_kind(
    SERVICES,
    "A name for a set of pods.",
    name_rule=dns_label,
    default=service_spec.default,
    on_create=service_spec.on_create,
    on_update=service_spec.on_update,
    validate=service_rules.validate,
    validate_status=service_rules.validate_status,
    warn=service_spec.warn,
    warn_of_update=service_spec.warn_of_update,
    subresources=(STATUS_SUBRESOURCE, proxy_subresource("ServiceProxyOptions")),
    selectable_fields=("spec.clusterIP", "spec.type"),
    columns=(
        NAME,
        Column("Type", lambda s, now: s["spec"].get("type", "")),
        Column("Cluster-IP", _cluster_ip),
        Column("External-IP", _external_ip),
        Column("Port(s)", _ports),
        AGE,
        Column("Selector", _selector, priority=1),
    ),
)

_NO_BALANCER = "no load balancer runs here; another may read it"
SERVED_FIELDS = {
    "core.v1.Service": acted("gateway", "spec"),
    "core.v1.ServiceSpec": {
        **acted("gateway", "selector ports type publishNotReadyAddresses"),
        **acted("kinds", "externalName sessionAffinity externalTrafficPolicy internalTrafficPolicy"),
        **acted("apiserver", "clusterIP clusterIPs ipFamilies ipFamilyPolicy"),
        **acted("apiserver", "allocateLoadBalancerNodePorts healthCheckNodePort"),
        **holding("sessionAffinityConfig"),
        **accepted("externalIPs loadBalancerIP loadBalancerClass loadBalancerSourceRanges",
                   _NO_BALANCER),
        **accepted("trafficDistribution", "all pods are on this machine"),
    },
    "core.v1.SessionAffinityConfig": holding("clientIP"),
    "core.v1.ClientIPConfig": acted("kinds", "timeoutSeconds"),
    "core.v1.ServicePort": {
        **acted("gateway", "name port targetPort protocol"),
        **accepted("appProtocol", SHOWN),
        **acted("apiserver", "nodePort"),
    },
}  # fmt: skip
