"""Service: a name for a set of pods.

Embedded Mizzen has no virtual IPs: nothing rewrites packets. A Service is therefore headless (it
resolves to its pods, through the gateway under `/services/NAMESPACE/NAME[:PORT]/`) or an external
name; what needs a virtual IP is refused.
"""

from __future__ import annotations

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import SERVICES
from mizzen.kinds.columns import AGE, NAME, NONE
from mizzen.kinds.kind import Column, Kind
from mizzen.kinds.meta import CONDITIONS, root
from mizzen.kinds.names import (
    check_labels,
    dns_label,
    dns_label_1035,
    dns_subdomain,
    invalid_value,
    port_name,
)
from mizzen.kinds.reading import entries, part
from mizzen.kinds.schema import (
    BOOL,
    INT32,
    INT_OR_STR,
    OPEN,
    STR,
    STRING_MAP,
    STRINGS,
    array,
    choice,
    package,
)
from mizzen.kinds.subresource import STATUS_SUBRESOURCE
from mizzen.kinds.treatment import SHOWN, accepted, acted, refused

v1 = package("io.k8s.api.core.v1")
HEADLESS = "None"
_ADVICE = (
    "use a headless Service (`clusterIP: None`), which the gateway resolves under "
    "/services/NAMESPACE/NAME, or a ModelEndpoint"
)

PORT = v1(
    "ServicePort",
    "A port of the Service.",
    name=STR("Its name; required where there are several."),
    port=INT32("Its number.", required=True, minimum=1, maximum=65535),
    targetPort=INT_OR_STR("Number or name of the pods' port; the same number by default."),
    protocol=choice("TCP", "UDP", "SCTP", default="TCP")("Transport."),
    appProtocol=STR("Application protocol."),
    nodePort=INT32("Not available without virtual IPs."),
)
SPEC = v1(
    "ServiceSpec",
    "Which pods, by which name.",
    selector=STRING_MAP("Labels of the pods."),
    ports=array(PORT, key="port", keys=("port", "protocol"))("Ports."),
    type=choice("ClusterIP", "ExternalName", "NodePort", "LoadBalancer", default="ClusterIP")(
        "ClusterIP (headless) or ExternalName; the others need virtual IPs."
    ),
    clusterIP=STR("None: headless, the only choice here."),
    clusterIPs=STRINGS("None: headless, the only choice here."),
    externalName=STR("For type ExternalName: the name it stands for."),
    publishNotReadyAddresses=BOOL("Whether pods count before they are ready."),
    sessionAffinity=choice("None", "ClientIP", default="None")("Not available: no virtual IPs."),
    sessionAffinityConfig=OPEN(),
    externalIPs=STRINGS(),
    loadBalancerIP=STR(),
    loadBalancerClass=STR(),
    loadBalancerSourceRanges=STRINGS(),
    allocateLoadBalancerNodePorts=BOOL(),
    externalTrafficPolicy=STR(),
    internalTrafficPolicy=STR(),
    healthCheckNodePort=INT32(),
    ipFamilies=STRINGS(),
    ipFamilyPolicy=STR(),
    trafficDistribution=STR(),
)


def _default(service: Obj) -> None:
    """No address asked for means headless, and the target port is the port."""
    spec = part(service, "spec")
    for port in entries(spec, "ports"):
        port.setdefault("targetPort", port["port"])
    if spec.get("type") == "ClusterIP":
        if not spec.get("clusterIP"):
            spec["clusterIP"] = (spec.get("clusterIPs") or [HEADLESS])[0]
        spec.setdefault("clusterIPs", [spec["clusterIP"]])


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    spec = new["spec"]
    kind = spec["type"]
    causes = check_labels(part(spec, "selector"), "spec.selector")
    if kind in ("NodePort", "LoadBalancer"):
        message = f'Unsupported value: "{kind}": needs virtual IPs, which this server has none of; '
        return [*causes, Cause("spec.type", message + _ADVICE, "FieldValueNotSupported")]
    address = spec.get("clusterIP") or ""
    if kind == "ClusterIP" and address != HEADLESS:
        message = f"this server has no virtual IPs; {_ADVICE}"
        causes.append(invalid_value("spec.clusterIP", address, message))
    for name in ("externalIPs", "loadBalancerIP", "loadBalancerClass"):
        if spec.get(name):
            message = f"Forbidden: this server has no virtual IPs; {_ADVICE}"
            causes.append(Cause(f"spec.{name}", message, "FieldValueForbidden"))
    if kind == "ExternalName":
        target = (spec.get("externalName") or "").rstrip(".")
        if not target:
            causes.append(Cause("spec.externalName", "Required value", "FieldValueRequired"))
        elif dns_subdomain(target):
            causes.append(invalid_value("spec.externalName", target, dns_subdomain(target)))
    return causes + _check_ports(entries(spec, "ports"))


def _check_ports(ports: list[Obj]) -> list[Cause]:
    causes: list[Cause] = []
    names: set[str] = set()
    numbers: set[tuple[int, str]] = set()
    for index, port in enumerate(ports):
        path = f"spec.ports[{index}]"
        name = port.get("name") or ""
        if not name and len(ports) > 1:
            causes.append(Cause(f"{path}.name", "Required value", "FieldValueRequired"))
        if name and dns_label(name):
            causes.append(invalid_value(f"{path}.name", name, dns_label(name)))
        if name and name in names:
            causes.append(
                Cause(f"{path}.name", f'Duplicate value: "{name}"', "FieldValueDuplicate")
            )
        names.add(name)
        mark = (port["port"], port["protocol"])
        if mark in numbers:
            message = f"Duplicate value: {port['port']}/{port['protocol']}"
            causes.append(Cause(path, message, "FieldValueDuplicate"))
        numbers.add(mark)
        target = port.get("targetPort")
        if isinstance(target, str) and port_name(target):
            causes.append(invalid_value(f"{path}.targetPort", target, port_name(target)))
        if isinstance(target, int) and not 1 <= target <= 65535:
            message = f"Invalid value: {target}: must be between 1 and 65535, inclusive"
            causes.append(Cause(f"{path}.targetPort", message))
        if port.get("nodePort"):
            message = f"Forbidden: this server has no node ports; {_ADVICE}"
            causes.append(Cause(f"{path}.nodePort", message, "FieldValueForbidden"))
    return causes


def _ports(service: Obj, now_ns: int) -> str:
    ports = entries(service["spec"], "ports")
    return ",".join(f"{p['port']}/{p.get('protocol', 'TCP')}" for p in ports) or NONE


def _selector(service: Obj, now_ns: int) -> str:
    selector = part(service["spec"], "selector")
    return ",".join(f"{k}={v}" for k, v in sorted(selector.items())) or NONE


def _external(service: Obj, now_ns: int) -> str:
    return service["spec"].get("externalName") or NONE


KIND = Kind(
    resource=SERVICES,
    short_names=("svc",),
    categories=("all",),
    generation=False,
    name_rule=dns_label_1035,
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
            loadBalancer=OPEN("Not used."),
        )("What became of it.", default={"loadBalancer": {}}),
    ),
    default=_default,
    validate=_validate,
    subresources=(STATUS_SUBRESOURCE,),
    selectable_fields=("spec.clusterIP", "spec.type"),
    columns=(
        NAME,
        Column("Type", lambda s, now: s["spec"].get("type", "")),
        Column("Cluster-IP", lambda s, now: s["spec"].get("clusterIP") or NONE),
        Column("External-IP", _external),
        Column("Port(s)", _ports),
        AGE,
        Column("Selector", _selector, priority=1),
    ),
)

_NO_VIRTUAL_IPS = "this server has no virtual IPs and no load balancers"
SERVED_FIELDS = {
    "core.v1.Service": acted("gateway", "spec"),
    "core.v1.ServiceSpec": {
        **acted("gateway", "selector ports type publishNotReadyAddresses"),
        **acted("kinds", "clusterIP clusterIPs externalName externalIPs"),
        **acted("kinds", "loadBalancerIP loadBalancerClass"),
        **refused("sessionAffinity", "each request goes to the next ready pod", "None"),
        **refused("sessionAffinityConfig", "each request goes to the next ready pod"),
        **refused("loadBalancerSourceRanges allocateLoadBalancerNodePorts healthCheckNodePort "
                   "externalTrafficPolicy", _NO_VIRTUAL_IPS),
        **accepted("internalTrafficPolicy trafficDistribution", "all pods are on this machine"),
        **accepted("ipFamilies ipFamilyPolicy", "pods have one address each"),
    },
    "core.v1.ServicePort": {
        **acted("gateway", "name port targetPort protocol"),
        **accepted("appProtocol", SHOWN),
        **acted("kinds", "nodePort"),
    },
}  # fmt: skip
