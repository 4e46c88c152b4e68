"""Which cluster IPs and node ports a Service keeps, is given, or is refused.

Source: kubernetes `pkg/registry/core/service/storage` (alloc.go, storage.go): the rules by which
linked fields follow each other, and the messages. One family of addresses is configured, IPv4.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network
from typing import Any, Protocol

from mizzen.base.errors import Cause, invalid
from mizzen.base.objects import Obj
from mizzen.kinds import causes
from mizzen.kinds.core.service_rules import check_cluster_ips
from mizzen.kinds.core.service_spec import (
    HEADLESS,
    has_node_ports,
    needs_address,
    needs_health_port,
    node_ports,
)
from mizzen.kinds.ip_addresses import is_ipv6
from mizzen.kinds.reading import entries

FAMILY = "IPv4"
_DUAL = ("PreferDualStack", "RequireDualStack")


class Pool(Protocol):
    """The addresses and ports that may be given, and those that other Services have."""

    network: IPv4Network
    ports: range

    def has_address(self, address: str) -> bool: ...
    def has_port(self, port: int) -> bool: ...

    def next_address(self) -> str:
        """A free one. Errors: ApiError."""
        ...

    def next_port(self, taken: set[int]) -> int:
        """A free one that is not `taken` either. Errors: ApiError."""
        ...


def allocate(new: Obj, old: Obj | None, pool: Pool) -> None:
    """Gives a Service its addresses and ports, in place.

    Errors: Invalid for what was asked for and cannot be had; whatever the pool raises.
    """
    if old is None:
        if new["spec"].get("clusterIP") and not new["spec"].get("clusterIPs"):
            new["spec"]["clusterIPs"] = [new["spec"]["clusterIP"]]
    else:
        _keep_allocated(new, old)
        _normalize(new["spec"], old["spec"])
    _settle_families(new, old)
    _allocate_addresses(new, old, pool)
    taken = node_ports(old) if old is not None and has_node_ports(old) else set[int]()
    if has_node_ports(new):
        _allocate_ports(new, taken, pool)
    if needs_health_port(new) and not (old is not None and needs_health_port(old)):
        _allocate_health_port(new, pool)


def _keep_allocated(new: Obj, old: Obj) -> None:
    """What a writer leaves out stays as it was allocated: a manifest may be sent again."""
    spec, before = new["spec"], old["spec"]
    if needs_address(old) and needs_address(new):
        if not spec.get("clusterIP") and before.get("clusterIP"):
            spec["clusterIP"] = before["clusterIP"]
        if not spec.get("clusterIPs") and before.get("clusterIPs"):
            spec["clusterIPs"] = list(before["clusterIPs"])
    if _allocates_ports(old) and _allocates_ports(new):
        used = node_ports(old) & node_ports(new)
        known = {p.get("name") or "": p.get("nodePort") for p in entries(before, "ports")}
        for port in entries(spec, "ports"):
            earlier = known.get(port.get("name") or "")
            if not port.get("nodePort") and earlier and earlier not in used:
                port["nodePort"] = earlier
    if needs_health_port(old) and needs_health_port(new) and not spec.get("healthCheckNodePort"):
        spec["healthCheckNodePort"] = before.get("healthCheckNodePort") or 0


def _normalize(spec: Obj, before: Obj) -> None:
    """Lets clusterIPs follow clusterIP, which is all that old clients know."""
    if spec.get("clusterIP") == before.get("clusterIP"):
        return
    if (spec.get("clusterIPs") or []) != (before.get("clusterIPs") or []):
        return
    if spec.get("clusterIP"):
        spec["clusterIPs"] = [spec["clusterIP"]]
    else:
        spec.pop("clusterIPs", None)


def _settle_families(new: Obj, old: Obj | None) -> None:
    """Sets ipFamilyPolicy and ipFamilies. Errors: Invalid."""
    spec: Obj = new["spec"]
    if not needs_address(new) or (old is not None and _stays_as_preferred(new, old)):
        return
    headless_alone = spec.get("clusterIP") == HEADLESS and not spec.get("selector")
    if spec.get("ipFamilyPolicy") is None:
        earlier = old["spec"].get("ipFamilyPolicy") if old is not None else None
        spec["ipFamilyPolicy"] = earlier or (
            "RequireDualStack" if headless_alone else "SingleStack"
        )
    if found := check_cluster_ips(new, old):
        raise _refused(new, found)
    policy: str = spec["ipFamilyPolicy"]
    ips: list[str] = spec.get("clusterIPs") or []
    families: list[str] = list(spec.get("ipFamilies") or [])
    found = _check_release(spec, old, policy) if old is not None else []
    ips = spec.get("clusterIPs") or []
    families = list(spec.get("ipFamilies") or [])
    if policy == "SingleStack":
        for what, values in (("cluster IPs", ips), ("IP families", families)):
            if len(values) == 2:
                message = (
                    f"must be 'RequireDualStack' or 'PreferDualStack' when multiple {what} are "
                    "specified"
                )
                found.append(causes.invalid("spec.ipFamilyPolicy", policy, message))
    for index, address in enumerate(ips):
        if address == HEADLESS:
            break
        if index < len(families):
            continue
        family = "IPv6" if is_ipv6(address) else "IPv4"
        if family == FAMILY:
            families.append(family)
        else:
            message = f"{family} is not configured on this cluster"
            found.append(causes.invalid(f"spec.clusterIPs[{index}]", ips, message))
    if found:
        raise _refused(new, found)
    if headless_alone:
        families = families or [FAMILY]
        if len(families) < 2 and policy != "SingleStack":
            families.append("IPv6" if families[0] == "IPv4" else "IPv4")
        spec["ipFamilies"] = families
        return
    if policy == "RequireDualStack":
        message = "this cluster is not configured for dual-stack services"
        found.append(causes.invalid("spec.ipFamilyPolicy", policy, message))
    found += [
        causes.invalid(f"spec.ipFamilies[{index}]", family, "not configured on this cluster")
        for index, family in enumerate(families)
        if family != FAMILY
    ]
    if found:
        raise _refused(new, found)
    spec["ipFamilies"] = families or [FAMILY]


def _check_release(spec: Obj, old: Obj, policy: str) -> list[Cause]:
    """Releases the second of two where that is what the policy says, in place."""
    before = old["spec"]
    found: list[Cause] = []
    for name, what in (("clusterIPs", "cluster IP"), ("ipFamilies", "IP family")):
        values: list[str] = spec.get(name) or []
        earlier: list[str] = before.get(name) or []
        if policy == "SingleStack":
            if values == earlier and len(values) > 1:
                spec[name] = values[:1]
        elif values and len(values) < len(earlier):
            message = f"must be 'SingleStack' to release the secondary {what}"
            found.append(causes.invalid("spec.ipFamilyPolicy", policy, message))
    return found


def _stays_as_preferred(new: Obj, old: Obj) -> bool:
    """True for a Service that prefers two stacks and says nothing new about addresses."""
    spec, before = new["spec"], old["spec"]
    same = all(
        (spec.get(name) or []) == (before.get(name) or [])
        for name in ("type", "clusterIPs", "ipFamilies")
    )
    return (
        same
        and spec.get("ipFamilyPolicy") == "PreferDualStack"
        and before.get("ipFamilyPolicy") in (None, "PreferDualStack")
    )


def _allocate_addresses(new: Obj, old: Obj | None, pool: Pool) -> None:
    spec: Obj = new["spec"]
    ips: list[str] = list(spec.get("clusterIPs") or [])
    is_new = old is None or not needs_address(old)
    if not needs_address(new) or ips[:1] == [HEADLESS] or not is_new:
        return
    if not ips:
        address = pool.next_address()
    else:
        address = ips[0]
        if problem := _address_problem(address, pool):
            message = f"failed to allocate IP {address}: {problem}"
            raise _refused(new, [causes.invalid("spec.clusterIPs", ips, message)])
    spec["clusterIP"], spec["clusterIPs"] = address, [address]


def _address_problem(address: str, pool: Pool) -> str:
    """Why the address cannot be had, "" where it can."""
    wanted = IPv4Address(address)
    network = pool.network
    if wanted not in network:
        return "the provided network does not match the current range"
    if wanted in (network.network_address, network.broadcast_address):
        return (
            f"the provided IP ({address}) is not in the valid range. "
            f"The range of valid IPs is {network}"
        )
    return "provided IP is already allocated" if pool.has_address(address) else ""


def _allocate_ports(new: Obj, held: set[int], pool: Pool) -> None:
    """Ports of one number share a node port, as those of TCP and UDP."""
    spec: Obj = new["spec"]
    ports: Sequence[Any] = entries(spec, "ports")
    given: dict[int, int] = {}
    taken = set(held)
    for index, port in enumerate(ports):
        number: int = port.get("nodePort") or 0
        if not number and not _allocates_ports(new):
            continue
        if not number:
            same = [p.get("nodePort") for p in ports if p["port"] == port["port"]]
            number = given.get(port["port"]) or next((n for n in same if n), 0)
        if not number:
            number = pool.next_port(taken | node_ports(new))
        elif number not in taken and (problem := _port_problem(number, pool)):
            path = f"spec.ports[{index}].nodePort"
            raise _refused(new, [causes.invalid(path, number, problem)])
        taken.add(number)
        given[port["port"]] = port["nodePort"] = number


def _port_problem(number: int, pool: Pool) -> str:
    if number not in pool.ports:
        valid = f"{pool.ports[0]}-{pool.ports[-1]}"
        return f"provided port is not in the valid range. The range of valid ports is {valid}"
    return "provided port is already allocated" if pool.has_port(number) else ""


def _allocate_health_port(new: Obj, pool: Pool) -> None:
    spec: Obj = new["spec"]
    number: int = spec.get("healthCheckNodePort") or 0
    if not number:
        spec["healthCheckNodePort"] = pool.next_port(node_ports(new))
    elif problem := _port_problem(number, pool):
        raise _refused(new, [causes.invalid("spec.healthCheckNodePort", number, problem)])


def _allocates_ports(service: Obj) -> bool:
    spec: Obj = service["spec"]
    if spec.get("type") == "LoadBalancer":
        return spec.get("allocateLoadBalancerNodePorts") is not False
    return spec.get("type") == "NodePort"


def _refused(service: Obj, found: Sequence[Cause]) -> Exception:
    return invalid("Service", "", service["metadata"].get("name") or "", found)
