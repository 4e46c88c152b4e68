"""Service: a name, an address and ports for a set of pods.

What the API server allocates to it is in `apiserver/admission/service_addresses.py`.
"""

from __future__ import annotations

from mizzen.base.objects import Obj
from mizzen.base.resources import SERVICES
from mizzen.kinds.columns import AGE, NAME, NONE
from mizzen.kinds.core import service_rules, service_spec
from mizzen.kinds.kind import Column, Kind
from mizzen.kinds.meta import CONDITIONS, root
from mizzen.kinds.names import dns_label
from mizzen.kinds.reading import entries, part
from mizzen.kinds.schema import (
    BOOL,
    INT32,
    INT_OR_STR,
    STR,
    STRING_MAP,
    STRINGS,
    array,
    package,
)
from mizzen.kinds.subresource import STATUS_SUBRESOURCE
from mizzen.kinds.treatment import SHOWN, accepted, acted, holding

v1 = package("io.k8s.api.core.v1")
PORT = v1(
    "ServicePort",
    "A port of the Service.",
    name=STR("Its name; required where there are several."),
    port=INT32("Its number.", required=True),
    targetPort=INT_OR_STR("Number or name of the pods' port; the same number by default."),
    protocol=STR("Transport: TCP, UDP or SCTP.", default="TCP"),
    appProtocol=STR("Application protocol."),
    nodePort=INT32("For types NodePort and LoadBalancer: the port on the node."),
)
AFFINITY_CONFIG = v1(
    "SessionAffinityConfig",
    "How long a client stays with a pod.",
    clientIP=v1(
        "ClientIPConfig",
        "By the client's address.",
        timeoutSeconds=INT32("For so long after its last connection; 10800 by default."),
    )("By the client's address."),
)
INGRESS = v1(
    "LoadBalancerIngress",
    "An address of a load balancer.",
    ip=STR("Its IP."),
    ipMode=STR("VIP or Proxy."),
    hostname=STR("Its DNS name."),
    ports=array(
        v1(
            "PortStatus",
            "What became of a port.",
            port=INT32("Its number.", required=True),
            protocol=STR("Transport.", required=True),
            error=STR("What is wrong with it."),
        )
    )("Its ports."),
)
SPEC = v1(
    "ServiceSpec",
    "Which pods, by which name.",
    selector=STRING_MAP("Labels of the pods."),
    ports=array(PORT, key="port", keys=("port", "protocol"))("Ports."),
    type=STR("ClusterIP, NodePort, LoadBalancer or ExternalName.", default="ClusterIP"),
    clusterIP=STR('Its address, or "None": headless.'),
    clusterIPs=STRINGS("The same as a list."),
    externalName=STR("For type ExternalName: the name it stands for."),
    publishNotReadyAddresses=BOOL("Whether pods count before they are ready."),
    sessionAffinity=STR("None, or ClientIP.", default="None"),
    sessionAffinityConfig=AFFINITY_CONFIG("How long a client stays with a pod."),
    externalIPs=STRINGS("Addresses that others route to nodes."),
    loadBalancerIP=STR("A wish of type LoadBalancer."),
    loadBalancerClass=STR("Which load balancer is meant."),
    loadBalancerSourceRanges=STRINGS("Who may come through the load balancer."),
    allocateLoadBalancerNodePorts=BOOL("Whether type LoadBalancer has node ports, too."),
    externalTrafficPolicy=STR("Cluster or Local."),
    internalTrafficPolicy=STR("Cluster or Local."),
    healthCheckNodePort=INT32("Port for the health checks of load balancers."),
    ipFamilies=STRINGS("IPv4, IPv6."),
    ipFamilyPolicy=STR("SingleStack, PreferDualStack or RequireDualStack."),
    trafficDistribution=STR("A preference among endpoints."),
)


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


KIND = Kind(
    resource=SERVICES,
    short_names=("svc",),
    categories=("all",),
    generation=False,
    name_rule=dns_label,
    protobuf={
        "spec": (
            2,
            {
                "ports": (
                    1,
                    {"name": 1, "protocol": 2, "port": 3, "targetPort": 4, "nodePort": 5},
                ),
                "selector": 2,
                "clusterIP": 3,
                "type": 4,
                "externalName": 10,
            },
        )
    },
    schema=root(
        SERVICES,
        "A name for a set of pods.",
        "io.k8s.api.core.v1.Service",
        spec=SPEC("Which pods, by which name.", required=True),
        status=v1(
            "ServiceStatus",
            "What became of it.",
            conditions=CONDITIONS(),
            loadBalancer=v1(
                "LoadBalancerStatus", "Its load balancer.", ingress=array(INGRESS)("Addresses.")
            )("Its load balancer."),
        )("What became of it."),
    ),
    default=service_spec.default,
    on_create=service_spec.on_create,
    on_update=service_spec.on_update,
    validate=service_rules.validate,
    validate_status=service_rules.validate_status,
    warn=service_spec.warn,
    subresources=(STATUS_SUBRESOURCE,),
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
