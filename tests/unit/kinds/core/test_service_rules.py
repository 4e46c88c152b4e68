"""Services are defaulted, checked and warned of as upstream's."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from mizzen.kinds.registry import builtin_kinds

KIND = builtin_kinds()[("", "services")]
PORTS = [{"port": 80}]


def complete(spec: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    """As a create has it once its address is allocated."""
    head = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x", **metadata}}
    decoded = KIND.decode({**head, "spec": copy.deepcopy(spec)})
    assert not decoded.causes and not decoded.unknown, decoded
    KIND.prepare_create(decoded.object)
    KIND.default(decoded.object)
    made = decoded.object["spec"]
    if made["type"] != "ExternalName" and not made.get("clusterIPs"):
        made["clusterIP"] = made.get("clusterIP") or "127.2.0.9"
        made["clusterIPs"] = [made["clusterIP"]]
    return decoded.object


def messages(spec: dict[str, Any], old: dict[str, Any] | None = None) -> list[str]:
    before = complete(old) if old is not None else None
    return [f"{c.field}: {c.message}" for c in KIND.check(complete(spec), before)]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"selector": {"a": "b"}, "ports": PORTS}, ""),
        ({"clusterIP": "None"}, ""),
        ({"type": "ExternalName", "externalName": "example.com."}, ""),
        ({"type": "NodePort", "ports": PORTS}, ""),
        ({"type": "LoadBalancer", "ports": PORTS, "loadBalancerClass": "a.b/c"}, ""),
        ({}, "spec.ports: Required value"),
        ({"type": "ExternalName"}, "spec.externalName: Required value"),
        ({"type": "ExternalName", "externalName": "a", "clusterIPs": ["127.2.0.3"]},
         "spec.clusterIPs: Forbidden: may not be set for ExternalName services"),
        ({"type": "NodePort", "clusterIP": "None", "ports": PORTS},
         'spec.clusterIPs[0]: Invalid value: "None": may not be set to \'None\' for NodePort '
         "services"),
        ({"type": "Other", "ports": PORTS}, 'spec.type: Unsupported value: "Other": supported '
         'values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"'),
        ({"ports": [{"port": 80}, {"name": "b", "port": 81}]},
         "spec.ports[0].name: Required value"),
        ({"ports": [{"name": "b", "port": 80}, {"name": "b", "port": 81}]},
         'spec.ports[1].name: Duplicate value: "b"'),
        ({"ports": [{"port": 0}]},
         "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive"),
        ({"ports": [{"port": 80, "targetPort": "No"}]}, "spec.ports[0].targetPort: Invalid value"),
        ({"ports": [{"port": 80, "nodePort": 30000}]},
         "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"),
        ({"ports": PORTS, "sessionAffinity": "Cookie"},
         'spec.sessionAffinity: Unsupported value: "Cookie": supported values: "ClientIP", "None"'),
        ({"ports": PORTS, "sessionAffinity": "ClientIP",
          "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 90000}}},
         "spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 90000: must be "
         "greater than 0 and less than 86400"),
        ({"ports": PORTS, "externalIPs": ["127.0.0.1"]},
         'spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range '
         "(127.0.0.0/8, ::1/128)"),
        ({"ports": PORTS, "externalTrafficPolicy": "Local"},
         'spec.externalTrafficPolicy: Invalid value: "Local": may only be set for '
         "externally-accessible services"),
        ({"ports": PORTS, "loadBalancerClass": "a/b"},
         "spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'"),
        ({"ports": PORTS, "type": "LoadBalancer", "loadBalancerSourceRanges": ["10.0.0.1/8"]},
         'spec.LoadBalancerSourceRanges[0]: Invalid value: "10.0.0.1/8": must not have bits set '
         "beyond the prefix length"),
        ({"ports": PORTS, "trafficDistribution": "Far"}, "spec.trafficDistribution: Unsupported"),
        ({"ports": PORTS, "internalTrafficPolicy": "x"}, "spec.internalTrafficPolicy: Unsupported"),
    ],
)  # fmt: skip
def test_each_rule_in_upstreams_words(spec: dict[str, Any], said: str) -> None:
    found = messages(spec)
    assert (found == []) if not said else any(text.startswith(said) for text in found), found


def test_ports_of_one_number_and_protocol_are_duplicates_and_of_two_protocols_are_not() -> None:
    twice = [{"name": "a", "port": 53}, {"name": "b", "port": 53}]
    (found,) = messages({"ports": twice})
    assert found.startswith('spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP"')
    assert messages({"ports": [twice[0], {**twice[1], "protocol": "UDP"}]}) == []


def test_the_address_and_the_health_port_stay() -> None:
    old = {"ports": PORTS, "clusterIP": "127.2.0.3"}
    assert messages(old, old=old) == []
    (found,) = messages({"ports": PORTS, "clusterIP": "127.2.0.4"}, old=old)
    assert found == 'spec.clusterIPs[0]: Invalid value: ["127.2.0.4"]: may not change once set'
    local = {"ports": PORTS, "type": "LoadBalancer", "externalTrafficPolicy": "Local"}
    (found,) = messages({**local, "healthCheckNodePort": 2}, {**local, "healthCheckNodePort": 3})
    assert found == "spec.healthCheckNodePort: Forbidden: field is immutable"


def test_affinity_lasts_three_hours_unless_said() -> None:
    made = complete({"ports": PORTS, "sessionAffinity": "ClientIP"})["spec"]
    assert made["sessionAffinityConfig"] == {"clientIP": {"timeoutSeconds": 10800}}
    config = {"clientIP": {"timeoutSeconds": 5}}
    made = complete({"ports": PORTS, "sessionAffinityConfig": config})["spec"]
    assert "sessionAffinityConfig" not in made  # it says nothing without affinity


def test_another_type_drops_what_it_has_no_use_for() -> None:
    old = complete({"type": "LoadBalancer", "ports": [{"port": 80, "nodePort": 30001}],
                    "externalTrafficPolicy": "Local", "healthCheckNodePort": 30002})  # fmt: skip
    old["status"] = {"loadBalancer": {"ingress": [{"ip": "1.2.3.4", "ipMode": "VIP"}]}}
    new = copy.deepcopy(old)
    new["spec"]["type"] = "ClusterIP"
    KIND.prepare_update(new, old)
    gone = ("allocateLoadBalancerNodePorts", "healthCheckNodePort", "externalTrafficPolicy")
    assert not new["spec"].keys() & set(gone)
    assert "nodePort" not in new["spec"]["ports"][0]
    assert new["status"] == {"loadBalancer": {}}


@pytest.mark.parametrize(
    ("ingress", "said"),
    [
        ({"ip": "1.2.3.4"}, ""),
        ({"ip": "1.2.3.400"}, "must be a valid IP address"),
        ({"hostname": "1.2.3.4"}, "must be a DNS name, not an IP address"),
        ({"hostname": "a", "ipMode": "VIP"}, "may not be specified when `ip` is not set"),
        ({"ip": "1.2.3.4", "ipMode": "x"}, "Unsupported value"),
    ],
)
def test_the_status_of_a_load_balancer(ingress: dict[str, Any], said: str) -> None:
    old = complete({"type": "LoadBalancer", "ports": PORTS})
    new = {**old, "status": {"loadBalancer": {"ingress": [ingress]}}}
    KIND.default(new)
    found = [c.message for c in KIND.check_status(new, old)]
    assert (found == []) if not said else any(said in text for text in found), found


def test_only_a_load_balancer_has_one() -> None:
    old = complete({"ports": PORTS})
    new = {**old, "status": {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}}
    (found,) = KIND.check_status(new, old)
    assert found.message == "Forbidden: may only be used when `spec.type` is 'LoadBalancer'"


def test_what_is_ignored_is_warned_of() -> None:
    said = KIND.warn(complete({"ports": PORTS, "externalName": "a", "externalIPs": ["1.2.3.4"],
                               "trafficDistribution": "PreferClose"}))  # fmt: skip
    assert [text.partition(" ")[0] for text in said] == [
        "spec.externalIPs", "spec.externalName", "spec.trafficDistribution:",
    ]  # fmt: skip
    said = KIND.warn(complete({"clusterIP": "None", "sessionAffinity": "ClientIP"}))
    assert said == ["spec.SessionAffinity is ignored for headless services"]


@pytest.mark.parametrize(
    ("spec", "cells"),
    [
        ({"ports": PORTS}, ["x", "ClusterIP", "127.2.0.9", "<none>", "80/TCP"]),
        ({"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]},
         ["x", "NodePort", "127.2.0.9", "<none>", "80:30080/TCP"]),
        ({"type": "LoadBalancer", "ports": PORTS},
         ["x", "LoadBalancer", "127.2.0.9", "<pending>", "80/TCP"]),
        ({"type": "ExternalName", "externalName": "a.b"},
         ["x", "ExternalName", "<none>", "a.b", "<none>"]),
    ],
)  # fmt: skip
def test_the_table_is_kubectls(spec: dict[str, Any], cells: list[str]) -> None:
    service = complete(spec)
    assert [column.cell(service, 0) for column in KIND.columns[:5]] == cells
