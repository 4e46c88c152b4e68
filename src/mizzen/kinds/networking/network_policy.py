"""NetworkPolicy: who may talk to pods, and to whom they may; a matter of nodes' networks.

Source: kubernetes `pkg/apis/networking/validation` ValidateNetworkPolicy.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import NETWORK_POLICIES
from mizzen.kinds import causes as words
from mizzen.kinds import ip_addresses
from mizzen.kinds.columns import AGE, NAME, NONE
from mizzen.kinds.core.placement_rules import check_label_selector
from mizzen.kinds.kind import Column
from mizzen.kinds.names import invalid_value, port_name_problems
from mizzen.kinds.reading import entries, part
from mizzen.kinds.upstream import upstream_kind

_PROTOCOLS = ("TCP", "UDP", "SCTP")
_TYPES = ("Ingress", "Egress")
_SIDES = (("ingress", "from"), ("egress", "to"))
_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "", "DoesNotExist": "!"}
_NOT_ENFORCED = (
    "spec: Mizzen's own nodes enforce no NetworkPolicy, their pods share the machine's network; "
    "nodes whose network does may"
)


def _default(policy: Obj) -> None:
    spec = policy.setdefault("spec", {})
    for side, _ in _SIDES:
        for rule in entries(spec, side):
            for port in rule.get("ports") or ():
                if port.get("protocol") is None:
                    port["protocol"] = "TCP"
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    spec = part(new, "spec")
    causes = check_label_selector(part(spec, "podSelector"), "spec.podSelector")
    before = _ranges(old) if old is not None else set[str]()
    for side, peers in _SIDES:
        for index, rule in enumerate(entries(spec, side)):
            path = f"spec.{side}[{index}]"
            for place, port in enumerate(rule.get("ports") or ()):
                causes += _check_port(f"{path}.ports[{place}]", port)
            for place, peer in enumerate(rule.get(peers) or ()):
                causes += _check_peer(f"{path}.{peers}[{place}]", peer, before)
    types: list[str] = spec.get("policyTypes") or []
    if len(types) > len(_TYPES):
        message = "may not specify more than two policyTypes"
        return [*causes, words.invalid("spec.policyTypes", types, message)]
    return causes + [
        words.unsupported(f"spec.policyTypes[{index}]", each, _TYPES)
        for index, each in enumerate(types)
        if each not in _TYPES
    ]


def _ranges(policy: Obj) -> set[str]:
    found: set[str] = set()
    for side, peers in _SIDES:
        for rule in entries(policy, f"spec.{side}"):
            for peer in rule.get(peers) or ():
                block = part(peer, "ipBlock")
                found.update([block.get("cidr") or "", *(block.get("except") or ())])
    return found


def _check_port(path: str, port: Any) -> list[Cause]:
    causes: list[Cause] = []
    protocol, number, end = port.get("protocol"), port.get("port"), port.get("endPort")
    if protocol is not None and protocol not in _PROTOCOLS:
        causes.append(words.unsupported(f"{path}.protocol", protocol, _PROTOCOLS))
    if isinstance(number, int):
        causes += words.port_number(f"{path}.port", number)
        if end is not None:
            if end < number:
                message = "must be greater than or equal to `port`"
                causes.append(words.invalid(f"{path}.endPort", number, message))
            causes += words.port_number(f"{path}.endPort", end)
    elif number is None:
        if end is not None:
            message = "may not be specified when `port` is not specified"
            causes.append(words.invalid(f"{path}.endPort", end, message))
    else:
        if end is not None:
            message = "may not be specified when `port` is non-numeric"
            causes.append(words.invalid(f"{path}.endPort", end, message))
        causes += [
            invalid_value(f"{path}.port", number, each) for each in port_name_problems(number)
        ]
    return causes


def _check_peer(path: str, peer: Any, before: set[str]) -> list[Cause]:
    causes: list[Cause] = []
    named = [name for name in ("podSelector", "namespaceSelector") if peer.get(name) is not None]
    for name in named:
        causes += check_label_selector(peer[name], f"{path}.{name}")
    block = peer.get("ipBlock")
    if block is not None:
        causes += _check_block(f"{path}.ipBlock", block, before)
        if named:
            message = "may not specify both ipBlock and another peer"
            causes.append(words.forbidden(path, message))
    elif not named:
        causes.append(words.required(path, "must specify a peer"))
    return causes


def _check_block(path: str, block: Any, before: set[str]) -> list[Cause]:
    whole: str = block.get("cidr") or ""
    if not whole:
        return [words.required(f"{path}.cidr")]
    causes = ip_addresses.check_range(f"{path}.cidr", whole, before)
    network = _network(whole)
    for index, each in enumerate(block.get("except") or ()):
        at = f"{path}.except[{index}]"
        causes += ip_addresses.check_range(at, each, before)
        inner = _network(each)
        if network is None or inner is None:
            continue
        is_part = inner.version == network.version and (
            network.network_address <= inner.network_address <= network.broadcast_address
        )
        if not is_part or network.prefixlen >= inner.prefixlen:
            causes.append(invalid_value(at, each, "must be a strict subset of `cidr`"))
    return causes


def _network(text: str) -> Any:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _warn(policy: Obj) -> list[str]:
    return [_NOT_ENFORCED]


def _selector(policy: Obj, now_ns: int) -> str:
    selector = part(policy, "spec.podSelector")
    found = [f"{k}={v}" for k, v in sorted(part(selector, "matchLabels").items())]
    for each in entries(selector, "matchExpressions"):
        word = _OPERATORS.get(each["operator"], "")
        values = ",".join(sorted(each.get("values") or ()))
        found.append(f"{each['key']} {word} ({values})" if values else f"{word}{each['key']}")
    return ",".join(found) or NONE


KIND = upstream_kind(
    NETWORK_POLICIES,
    "Who may talk to pods, and to whom they may.",
    default=_default,
    validate=_validate,
    warn=_warn,
    columns=(NAME, Column("Pod-Selector", _selector), AGE),
    is_acted_upon=False,
)
