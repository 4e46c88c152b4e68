"""Defaults, dependent fields and warnings of Services.

Source: kubernetes `pkg/apis/core/v1/defaults.go` SetDefaults_Service,
`pkg/registry/core/service/strategy.go` dropTypeDependentFields, `pkg/api/service`.
"""

from __future__ import annotations

from mizzen.base.objects import Obj, annotations_of
from mizzen.kinds import ip_addresses
from mizzen.kinds.reading import entries, part

HEADLESS = "None"
AFFINITY_S_DEFAULT = 10_800
_PUBLISHED = ("NodePort", "LoadBalancer")
_WITH_ADDRESS = ("ClusterIP", *_PUBLISHED)
TOPOLOGY_HINTS = "service.kubernetes.io/topology-aware-hints"
TOPOLOGY_MODE = "service.kubernetes.io/topology-mode"


def is_headless(service: Obj) -> bool:
    return service["spec"].get("clusterIPs") == [HEADLESS]


def needs_address(service: Obj) -> bool:
    """True if the type is one that has a cluster IP, of which "None" is one."""
    return service["spec"].get("type") != "ExternalName"


def has_node_ports(service: Obj) -> bool:
    return service["spec"].get("type") in _PUBLISHED


def is_published(service: Obj) -> bool:
    """True if it may be reached from outside of the cluster."""
    spec = service["spec"]
    return spec.get("type") in _PUBLISHED or (
        spec.get("type") == "ClusterIP" and bool(spec.get("externalIPs"))
    )


def needs_health_port(service: Obj) -> bool:
    spec = service["spec"]
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def default(service: Obj) -> None:
    """Sets what is left out, in place."""
    spec: Obj = service["spec"]
    affinity = spec.setdefault("sessionAffinity", "None")
    if affinity == "None":
        spec.pop("sessionAffinityConfig", None)
    elif part(spec, "sessionAffinityConfig.clientIP").get("timeoutSeconds") is None:
        spec["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": AFFINITY_S_DEFAULT}}
    kind = spec.setdefault("type", "ClusterIP")
    for port in entries(spec, "ports"):
        port.setdefault("protocol", "TCP")
        if port.get("targetPort") in (None, 0, ""):
            port["targetPort"] = port["port"]
    if is_published(service) and not spec.get("externalTrafficPolicy"):
        spec["externalTrafficPolicy"] = "Cluster"
    if kind in _WITH_ADDRESS and spec.get("internalTrafficPolicy") is None:
        spec["internalTrafficPolicy"] = "Cluster"
    if kind == "LoadBalancer":
        if spec.get("allocateLoadBalancerNodePorts") is None:
            spec["allocateLoadBalancerNodePorts"] = True
        for ingress in entries(service, "status.loadBalancer.ingress"):
            if ingress.get("ip"):
                ingress.setdefault("ipMode", "VIP")


def on_create(service: Obj) -> None:
    """The first status, in place."""
    service["status"] = {"loadBalancer": {}}


def on_update(new: Obj, old: Obj) -> None:
    """Drops, in place, what its new type has no use for and its author did not change."""
    spec, before = new["spec"], old["spec"]

    def is_same(*names: str) -> bool:
        return all(spec.get(name) == before.get(name) for name in names)

    def drop(*names: str) -> None:
        for name in names:
            spec.pop(name, None)

    if needs_address(old) and not needs_address(new):
        if is_same("clusterIP", "clusterIPs"):
            drop("clusterIP", "clusterIPs")
        if is_same("ipFamilies"):
            drop("ipFamilies")
        if is_same("ipFamilyPolicy"):
            drop("ipFamilyPolicy")
    if has_node_ports(old) and not has_node_ports(new) and node_ports(new) <= node_ports(old):
        for port in entries(spec, "ports"):
            port.pop("nodePort", None)
    if needs_health_port(old) and not needs_health_port(new) and is_same("healthCheckNodePort"):
        drop("healthCheckNodePort")
    if before.get("type") == "LoadBalancer" != spec.get("type"):
        for name in ("allocateLoadBalancerNodePorts", "loadBalancerClass"):
            if is_same(name):
                drop(name)
    if is_published(old) and not is_published(new) and is_same("externalTrafficPolicy"):
        drop("externalTrafficPolicy")
    if spec.get("type") != "LoadBalancer" and part(old, "status").get("loadBalancer"):
        new["status"] = {**old["status"], "loadBalancer": {}}


def node_ports(service: Obj) -> set[int]:
    return {p["nodePort"] for p in entries(service["spec"], "ports") if p.get("nodePort")}


def warn_of_update(new: Obj, old: Obj) -> list[str]:
    """The same, whatever has changed."""
    return warn(new)


def warn(service: Obj) -> list[str]:
    """Warnings of what is allowed and has no effect, or soon will have none."""
    spec: Obj = service["spec"]
    found: list[str] = []
    if TOPOLOGY_HINTS in annotations_of(service):
        found.append(
            f"annotation {TOPOLOGY_HINTS} is deprecated, please use {TOPOLOGY_MODE} instead"
        )
    headless = spec.get("type") == "ClusterIP" and spec.get("clusterIP") == HEADLESS
    if spec.get("clusterIP") not in (None, "", HEADLESS):
        for index, address in enumerate(spec.get("clusterIPs") or ()):
            found += ip_addresses.warnings_of(f"spec.clusterIPs[{index}]", address)
    external: list[str] = spec.get("externalIPs") or []
    if headless:
        if spec.get("loadBalancerIP"):
            found.append("spec.loadBalancerIP is ignored for headless services")
        if external:
            found.append("spec.externalIPs is ignored for headless services")
        if spec.get("sessionAffinity") != "None":
            found.append("spec.SessionAffinity is ignored for headless services")
    for index, address in enumerate(external):
        found += ip_addresses.warnings_of(f"spec.externalIPs[{index}]", address)
    if external and not headless and spec.get("type") != "ExternalName":
        found.append(
            "spec.externalIPs is deprecated and may no longer be implemented in some clusters"
        )
    if spec.get("type") == "ExternalName" and external:
        found.append('spec.externalIPs is ignored when spec.type is "ExternalName"')
    if spec.get("type") != "ExternalName" and spec.get("externalName"):
        found.append('spec.externalName is ignored when spec.type is not "ExternalName"')
    if spec.get("trafficDistribution") == "PreferClose":
        found.append('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"')
    return found
