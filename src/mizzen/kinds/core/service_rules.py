"""Rules of Services.

Source: kubernetes `pkg/apis/core/validation` ValidateService*.
"""

from __future__ import annotations

from collections.abc import Sequence

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj, annotations_of
from mizzen.kinds import ip_addresses
from mizzen.kinds.causes import (
    duplicate,
    forbidden,
    invalid,
    port_number,
    required,
    unsupported,
)
from mizzen.kinds.core.service_spec import (
    HEADLESS,
    TOPOLOGY_HINTS,
    TOPOLOGY_MODE,
    has_node_ports,
    is_headless,
    is_published,
    needs_address,
    needs_health_port,
)
from mizzen.kinds.names import (
    check_labels,
    dns_label,
    dns_subdomain,
    port_name_problems,
    qualified_name,
)
from mizzen.kinds.reading import entries, part

_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_AFFINITY_S_MAX = 86_400
_DISTRIBUTIONS = ("PreferClose", "PreferSameZone", "PreferSameNode")
_SOURCE_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"


def validate(new: Obj, old: Obj | None) -> list[Cause]:
    """Every cause against the whole Service, as `old` becomes `new`."""
    causes = _check_update(new, old) if old is not None else []
    spec: Obj = new["spec"]
    causes += _check_topology(new)
    kind: str = spec["type"]
    if not spec.get("ports") and not is_headless(new) and kind != "ExternalName":
        causes.append(required("spec.ports"))
    if has_node_ports(new) and is_headless(new):
        message = f"may not be set to 'None' for {kind} services"
        causes.append(invalid("spec.clusterIPs[0]", HEADLESS, message))
    if kind == "ExternalName":
        causes += _check_external_name(spec)
    causes += _check_ports(new)
    causes += check_labels(part(spec, "selector"), "spec.selector")
    causes += _check_affinity(spec)
    causes += check_cluster_ips(new, old)
    before: list[str] = (old["spec"].get("externalIPs") or []) if old is not None else []
    for index, address in enumerate(spec.get("externalIPs") or ()):
        path = f"spec.externalIPs[{index}]"
        wrong = ip_addresses.check_address(path, address, before)
        causes += wrong or _not_loopback(path, address) + ip_addresses.check_endpoint(path, address)
    if kind not in _TYPES:
        causes.append(unsupported("spec.type", kind, _TYPES))
    causes += _check_port_pairs(new)
    causes += _check_source_ranges(new, old)
    if kind != "LoadBalancer":
        for name in ("allocateLoadBalancerNodePorts", "loadBalancerClass"):
            if spec.get(name) is not None:
                causes.append(
                    forbidden(f"spec.{name}", "may only be used when `type` is 'LoadBalancer'")
                )
    elif spec.get("loadBalancerClass") is not None and (
        problem := qualified_name(spec["loadBalancerClass"])
    ):
        causes.append(invalid("spec.loadBalancerClass", spec["loadBalancerClass"], problem))
    return causes + _check_policies(new)


def validate_status(new: Obj, old: Obj | None) -> list[Cause]:
    path = "status.loadBalancer.ingress"
    ingress = entries(new, path)
    if ingress and new["spec"].get("type") != "LoadBalancer":
        return [forbidden(path, "may only be used when `spec.type` is 'LoadBalancer'")]
    known = [each["ip"] for each in entries(old, path) if each.get("ip")]
    causes: list[Cause] = []
    for index, each in enumerate(ingress):
        at = f"{path}[{index}]"
        address, mode, host = each.get("ip"), each.get("ipMode"), each.get("hostname")
        if address:
            causes += ip_addresses.check_address(f"{at}.ip", address, known)
        if mode is None and address:
            causes.append(required(f"{at}.ipMode", "must be specified when `ip` is set"))
        elif mode is not None and not address:
            causes.append(forbidden(f"{at}.ipMode", "may not be specified when `ip` is not set"))
        elif mode is not None and mode not in ("VIP", "Proxy"):
            causes.append(unsupported(f"{at}.ipMode", mode, ("Proxy", "VIP")))
        if host:
            if problem := dns_subdomain(host):
                causes.append(invalid(f"{at}.hostname", host, problem))
            if ip_addresses.parsed(host) is not None:
                message = "must be a DNS name, not an IP address"
                causes.append(invalid(f"{at}.hostname", host, message))
    return causes


def check_cluster_ips(service: Obj, old: Obj | None) -> list[Cause]:
    """Causes against clusterIP, clusterIPs, ipFamilies and ipFamilyPolicy, also before anything
    is allocated."""
    spec: Obj = service["spec"]
    if spec["type"] == "ExternalName":
        return []
    causes: list[Cause] = []
    ips: list[str] = spec.get("clusterIPs") or []
    families: list[str] = spec.get("ipFamilies") or []
    path = "spec.clusterIPs"
    if spec.get("clusterIP"):
        if not ips:
            causes.append(required(path))
        elif ips[0] != spec["clusterIP"]:
            causes.append(invalid(path, ips, "first value must match `clusterIP`"))
    elif ips:
        causes.append(invalid(path, ips, "must be empty when `clusterIP` is not specified"))
    for index, family in enumerate(families):
        at = f"spec.ipFamilies[{index}]"
        if family not in ("IPv4", "IPv6"):
            causes.append(unsupported(at, family, ("IPv4", "IPv6")))
        if family in families[:index]:
            causes.append(duplicate(at, family))
    policy = spec.get("ipFamilyPolicy")
    policies = ("PreferDualStack", "RequireDualStack", "SingleStack")
    if policy is not None and policy not in policies:
        causes.append(unsupported("spec.ipFamilyPolicy", policy, policies))
    before: list[str] = (old["spec"].get("clusterIPs") or []) if old is not None else []
    wrong: list[Cause] = []
    for index, address in enumerate(ips):
        if index == 0 and address == HEADLESS:
            if len(ips) > 1:
                wrong.append(invalid(path, ips, "'None' must be the first and only value"))
            continue
        wrong += ip_addresses.check_address(f"{path}[{index}]", address, before)
    causes += wrong
    if len(ips) > 2:
        causes.append(invalid(path, ips, "may only hold up to 2 values"))
    if wrong:
        return causes
    if len(ips) > 1 and len({ip_addresses.is_ipv6(ip) for ip in ips}) < len(ips):
        message = "may specify no more than one IP for each IP family"
        causes.append(invalid(path, ips, message))
    if not is_headless(service):
        for index, (address, family) in enumerate(zip(ips, families, strict=False)):
            if ip_addresses.is_ipv6(address) != (family == "IPv6"):
                message = f"expected an {family} value as indicated by `ipFamilies[{index}]`"
                causes.append(invalid(f"{path}[{index}]", address, message))
    return causes


def _check_update(new: Obj, old: Obj) -> list[Cause]:
    spec, before = new["spec"], old["spec"]
    causes: list[Cause] = []
    if needs_address(new) and needs_address(old) and not (is_headless(new) and is_headless(old)):
        causes += _check_kept(spec, before, "clusterIPs", "clusterIP")
        if is_headless(new) == is_headless(old):
            causes += _check_kept(spec, before, "ipFamilies", "ipFamily")
    chosen = spec.get("loadBalancerClass")
    is_balancer = spec["type"] == before.get("type") == "LoadBalancer"
    if is_balancer and chosen != before.get("loadBalancerClass"):
        causes.append(invalid("spec.loadBalancerClass", chosen, "may not change once set"))
    number = spec.get("healthCheckNodePort")
    has_port = needs_health_port(new) and needs_health_port(old)
    if has_port and number != before.get("healthCheckNodePort"):
        causes.append(forbidden("spec.healthCheckNodePort", "field is immutable"))
    return causes


def _check_kept(spec: Obj, before: Obj, name: str, one: str) -> list[Cause]:
    """The first value of a pair stays for life; a second may come and go."""
    new: list[str] = spec.get(name) or []
    old: list[str] = before.get(name) or []
    path = f"spec.{name}"
    if len(new) == len(old):
        return [
            invalid(
                f"{path}[{index if name == 'clusterIPs' else 0}]", new, "may not change once set"
            )
            for index, value in enumerate(old)
            if new[index] != value
        ]
    if old and not new:
        return [invalid(f"{path}[0]", new, f"primary {one} can not be unset")]
    causes: list[Cause] = []
    if old and new[0] != old[0]:
        causes.append(invalid(f"{path}[0]", new, "may not change once set"))
    if len(new) == 1 < len(old) and spec.get("ipFamilyPolicy") != "SingleStack":
        message = f"must be set to 'SingleStack' when releasing the secondary {one}"
        causes.append(invalid("spec.ipFamilyPolicy", spec.get("ipFamilyPolicy"), message))
    return causes


def _check_topology(service: Obj) -> list[Cause]:
    annotations = annotations_of(service)
    mode, hints = annotations.get(TOPOLOGY_MODE), annotations.get(TOPOLOGY_HINTS)
    if mode is None or hints is None or mode == hints:
        return []
    message = f"must match annotations[{TOPOLOGY_HINTS}] when both are specified"
    return [invalid(f"metadata.annotations[{TOPOLOGY_MODE}]", mode, message)]


def _check_external_name(spec: Obj) -> list[Cause]:
    causes = [
        forbidden(f"spec.{name}", "may not be set for ExternalName services")
        for name in ("clusterIPs", "ipFamilies", "ipFamilyPolicy")
        if spec.get(name)
    ]
    target = str(spec.get("externalName") or "").removesuffix(".")
    if not target:
        causes.append(required("spec.externalName"))
    elif problem := dns_subdomain(target):
        causes.append(invalid("spec.externalName", target, problem))
    return causes


def _check_ports(service: Obj) -> list[Cause]:
    causes: list[Cause] = []
    ports = entries(service["spec"], "ports")
    names: set[str] = set()
    for index, port in enumerate(ports):
        path = f"spec.ports[{index}]"
        name: str = port.get("name") or ""
        if name:
            if problem := dns_label(name):
                causes.append(invalid(f"{path}.name", name, problem))
            if name in names:
                causes.append(duplicate(f"{path}.name", name))
            names.add(name)
        elif len(ports) > 1:
            causes.append(required(f"{path}.name"))
        causes += port_number(f"{path}.port", port["port"])
        if port["protocol"] not in ("TCP", "UDP", "SCTP"):
            causes.append(unsupported(f"{path}.protocol", port["protocol"], ("SCTP", "TCP", "UDP")))
        target = port["targetPort"]
        if isinstance(target, int):
            causes += port_number(f"{path}.targetPort", target)
        else:
            found = port_name_problems(target)
            causes += [invalid(f"{path}.targetPort", target, each) for each in found]
        scheme = port.get("appProtocol")
        if scheme is not None and (problem := qualified_name(scheme)):
            causes.append(invalid(f"{path}.appProtocol", scheme, problem))
    return causes


def _check_port_pairs(service: Obj) -> list[Cause]:
    """Node ports where there are none; numbers that are there twice."""
    causes: list[Cause] = []
    ports = entries(service["spec"], "ports")
    if service["spec"]["type"] == "ClusterIP":
        causes += [
            forbidden(f"spec.ports[{i}].nodePort", "may not be used when `type` is 'ClusterIP'")
            for i, port in enumerate(ports)
            if port.get("nodePort")
        ]
    seen: set[tuple[str, str, int]] = set()
    for index, port in enumerate(ports):
        node_port = port.get("nodePort")
        mark = ("node", port["protocol"], node_port or 0)
        if node_port and mark in seen:
            causes.append(duplicate(f"spec.ports[{index}].nodePort", node_port))
        seen.add(mark)
    for index, port in enumerate(ports):
        mark = ("", port["protocol"], port["port"])
        if mark in seen:
            value = {"Name": "", "Protocol": port["protocol"], "AppProtocol": None,
                     "Port": port["port"], "TargetPort": 0, "NodePort": 0}  # fmt: skip
            causes.append(duplicate(f"spec.ports[{index}]", value))
        seen.add(mark)
    return causes


def _check_affinity(spec: Obj) -> list[Cause]:
    affinity = spec["sessionAffinity"]
    path = "spec.sessionAffinityConfig"
    if affinity not in ("ClientIP", "None"):
        return [unsupported("spec.sessionAffinity", affinity, ("ClientIP", "None"))]
    if affinity == "None":
        if spec.get("sessionAffinityConfig") is None:
            return []
        return [forbidden(path, "must not be set when session affinity is None")]
    seconds = part(spec, "sessionAffinityConfig.clientIP").get("timeoutSeconds")
    path += ".clientIP.timeoutSeconds"
    if seconds is None:
        return [required(path, "when session affinity type is ClientIP")]
    if not 0 < seconds <= _AFFINITY_S_MAX:
        message = f"must be greater than 0 and less than {_AFFINITY_S_MAX}"
        return [Cause(path, f"Invalid value: {seconds}: {message}")]
    return []


def _check_source_ranges(service: Obj, old: Obj | None) -> list[Cause]:
    spec: Obj = service["spec"]
    kind = spec["type"]
    only = "may only be used when `type` is 'LoadBalancer'"
    ranges: list[str] = spec.get("loadBalancerSourceRanges") or []
    if ranges:
        path = "spec.LoadBalancerSourceRanges"
        causes = [] if kind == "LoadBalancer" else [forbidden(path, only)]
        known: Sequence[str] = (
            [] if old is None else (old["spec"].get("loadBalancerSourceRanges") or [])
        )
        before = [value.strip() for value in known]
        for index, value in enumerate(ranges):
            causes += ip_addresses.check_range(f"{path}[{index}]", value.strip(), before)
        return causes
    annotation = annotations_of(service).get(_SOURCE_RANGES)
    if annotation is None:
        return []
    path = f"metadata.annotations[{_SOURCE_RANGES}]"
    causes = [] if kind == "LoadBalancer" else [forbidden(path, only)]
    if (
        old is None or annotations_of(old).get(_SOURCE_RANGES) != annotation
    ) and annotation.strip():
        for value in annotation.strip().split(","):
            causes += ip_addresses.check_range(path, value.strip())
    return causes


def _check_policies(service: Obj) -> list[Cause]:
    spec: Obj = service["spec"]
    causes: list[Cause] = []
    external, internal = spec.get("externalTrafficPolicy"), spec.get("internalTrafficPolicy")
    path = "spec.externalTrafficPolicy"
    if not is_published(service):
        if external:
            message = "may only be set for externally-accessible services"
            causes.append(invalid(path, external, message))
    elif external not in ("Cluster", "Local"):
        causes.append(unsupported(path, external, ("Cluster", "Local")))
    path = "spec.healthCheckNodePort"
    number: int = spec.get("healthCheckNodePort") or 0
    if needs_health_port(service):
        causes += port_number(path, number) if number else [required(path)]
    elif number:
        message = (
            "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        )
        causes.append(invalid(path, number, message))
    path = "spec.internalTrafficPolicy"
    if internal is not None and internal not in ("Cluster", "Local"):
        causes.append(unsupported(path, internal, ("Cluster", "Local")))
    distribution = spec.get("trafficDistribution")
    if distribution is not None and distribution not in _DISTRIBUTIONS:
        causes.append(unsupported("spec.trafficDistribution", distribution, _DISTRIBUTIONS))
    return causes


def _not_loopback(path: str, address: str) -> list[Cause]:
    """Of externalIPs alone: what others route here is no loopback address."""
    found = ip_addresses.parsed(address)
    if found is None or not found.is_loopback:
        return []
    message = "may not be in the loopback range (127.0.0.0/8, ::1/128)"
    return [invalid(path, address, message)]
