"""Kinds of networking.k8s.io are defaulted, checked and printed as upstream's."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from mizzen.kinds.kind import Kind
from mizzen.kinds.registry import builtin_kinds

GROUP = "networking.k8s.io"
BACKEND = {"service": {"name": "web", "port": {"number": 80}}}


def _kind(plural: str) -> Kind:
    return builtin_kinds()[(GROUP, plural)]


def complete(plural: str, spec: Any, name: str = "x", **metadata: Any) -> dict[str, Any]:
    kind = _kind(plural)
    head = {"apiVersion": kind.resource.api_version, "kind": kind.resource.kind,
            "metadata": {"name": name, **metadata}}  # fmt: skip
    if kind.resource.namespaced:
        head["metadata"]["namespace"] = "default"
    decoded = kind.decode({**head, "spec": copy.deepcopy(spec)})
    assert not decoded.causes and not decoded.unknown, decoded
    kind.prepare_create(decoded.object)
    kind.default(decoded.object)
    return decoded.object


def messages(
    plural: str, spec: Any, old: Any = None, name: str = "x", **metadata: Any
) -> list[str]:
    new = complete(plural, spec, name, **metadata)
    before = complete(plural, old, name) if old is not None else None
    return [f"{c.field}: {c.message}" for c in _kind(plural).check(new, before)]


def expect(found: list[str], said: str) -> None:
    assert (found == []) if not said else any(text.startswith(said) for text in found), found


def _rule(path: str = "/", kind: str = "Prefix", **rule: Any) -> dict[str, Any]:
    entry = {"path": path, "pathType": kind, "backend": rule.pop("backend", BACKEND)}
    return {"rules": [{"http": {"paths": [entry]}, **rule}]}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"defaultBackend": BACKEND}, ""),
        (_rule(host="*.example.com"), ""),
        ({}, "spec: Invalid value: null: either `defaultBackend` or `rules` must be specified"),
        (_rule(host="10.0.0.1"), 'spec.rules[0].host: Invalid value: "10.0.0.1": must be a DNS '
         "name, not an IP address"),
        (_rule(host="a.*.b"), 'spec.rules[0].host: Invalid value: "a.*.b": a wildcard DNS-1123'),
        (_rule("x"), 'spec.rules[0].http.paths[0].path: Invalid value: "x": must be an absolute'),
        (_rule("/a//b"), 'spec.rules[0].http.paths[0].path: Invalid value: "/a//b": must not '
         "contain '//'"),
        (_rule("/a/.."), "spec.rules[0].http.paths[0].path: Invalid value: \"/a/..\": cannot end "
         "with '/..'"),
        (_rule(kind="Regex"), "spec.rules[0].http.paths[0].pathType: Unsupported value"),
        ({"rules": [{"http": {"paths": []}}]}, "spec.rules[0].http.paths: Required value"),
        (_rule(backend={}), "spec.rules[0].http.paths[0].backend: Invalid value: \"\": resource or "
         "service backend is required"),
        (_rule(backend={"service": {"name": "w"}}),
         "spec.rules[0].http.paths[0].backend: Required value: port name or number is required"),
        (_rule(backend={"service": {"name": "w", "port": {"name": "a", "number": 1}}}),
         'spec.rules[0].http.paths[0].backend: Invalid value: "": cannot set both port name'),
        ({"defaultBackend": {"resource": {"kind": "", "name": "x"}}},
         "spec.defaultBackend.resource.kind: Required value"),
        ({"defaultBackend": BACKEND, "ingressClassName": "A"}, "spec.ingressClassName: Invalid"),
        ({"defaultBackend": BACKEND, "tls": [{"hosts": ["A"]}]}, "spec.tls[0].hosts[0]: Invalid"),
    ],
)  # fmt: skip
def test_ingresses(spec: Any, said: str) -> None:
    expect(messages("ingresses", spec), said)


def test_ingresses_are_shown_and_warned_of() -> None:
    hosts = [{"host": f"h{i}"} for i in range(5)]
    made = complete("ingresses", {"rules": hosts, "tls": [{}]},
                    annotations={"kubernetes.io/ingress.class": "old"})  # fmt: skip
    cells = [column.cell(made, 0) for column in _kind("ingresses").columns[:5]]
    assert cells == ["x", "<none>", "h0,h1,h2 + 2 more...", "", "80, 443"]
    assert "is deprecated" in _kind("ingresses").warn(made)[0]
    found = messages("ingresses", {"defaultBackend": BACKEND, "ingressClassName": "new"},
                     annotations={"kubernetes.io/ingress.class": "old"})  # fmt: skip
    assert "must match `ingressClassName`" in found[0]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"controller": "example.com/c"}, ""),
        ({}, "spec.controller: Required value"),
        ({"controller": "c"}, "spec.controller: Invalid value: \"c\": must be a domain-prefixed"),
        ({"controller": "a.b/c", "parameters": {"kind": "K", "name": "n"}}, ""),
        ({"controller": "a.b/c", "parameters": {"kind": "K", "name": "n", "namespace": "d"}},
         "spec.parameters.namespace: Forbidden: `parameters.scope` is set to 'Cluster'"),
        ({"controller": "a.b/c", "parameters": {"kind": "K", "name": "n", "scope": "Namespace"}},
         "spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'"),
    ],
)  # fmt: skip
def test_ingress_classes(spec: Any, said: str) -> None:
    expect(messages("ingressclasses", spec), said)


def test_the_controller_of_a_class_stays() -> None:
    found = messages("ingressclasses", {"controller": "a.b/c"}, old={"controller": "a.b/d"})
    assert found == ['spec.controller: Invalid value: "a.b/c": field is immutable']


def _policy(**ingress: Any) -> dict[str, Any]:
    return {"podSelector": {}, "ingress": [ingress]}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"podSelector": {"matchLabels": {"a": "b"}}}, ""),
        (_policy(ports=[{"port": 1, "endPort": 5}], **{"from": [{"podSelector": {}}]}), ""),
        (_policy(ports=[{"port": 5, "endPort": 1}]), "spec.ingress[0].ports[0].endPort: Invalid "
         "value: 5: must be greater than or equal to `port`"),
        (_policy(ports=[{"port": "a", "endPort": 1}]), "spec.ingress[0].ports[0].endPort: Invalid "
         "value: 1: may not be specified when `port` is non-numeric"),
        (_policy(ports=[{"protocol": "X"}]), "spec.ingress[0].ports[0].protocol: Unsupported"),
        (_policy(**{"from": [{}]}), "spec.ingress[0].from[0]: Required value: must specify a peer"),
        (_policy(**{"from": [{"podSelector": {}, "ipBlock": {"cidr": "10.0.0.0/8"}}]}),
         "spec.ingress[0].from[0]: Forbidden: may not specify both ipBlock and another peer"),
        (_policy(**{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/9"]}}]}),
         'spec.ingress[0].from[0].ipBlock.except[0]: Invalid value: "11.0.0.0/9": must be a strict'),
        ({"podSelector": {}, "policyTypes": ["In"]}, "spec.policyTypes[0]: Unsupported value"),
    ],
)  # fmt: skip
def test_network_policies(spec: Any, said: str) -> None:
    expect(messages("networkpolicies", spec), said)


def test_network_policies_are_defaulted_shown_and_not_enforced() -> None:
    made = complete("networkpolicies", {"podSelector": {"matchLabels": {"a": "b"}},
                    "egress": [{"ports": [{"port": 53}]}]})  # fmt: skip
    assert made["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert made["spec"]["egress"][0]["ports"][0]["protocol"] == "TCP"
    assert _kind("networkpolicies").columns[1].cell(made, 0) == "a=b"
    assert "enforce no NetworkPolicy" in _kind("networkpolicies").warn(made)[0]


def test_ip_addresses() -> None:
    parent = {"parentRef": {"resource": "services", "namespace": "default", "name": "web"}}
    assert messages("ipaddresses", parent, name="10.0.0.1") == []
    expect(messages("ipaddresses", parent, name="FD00::1"), "metadata.name: Invalid value")
    bare = {"parentRef": {"resource": "services", "name": ""}}
    expect(messages("ipaddresses", bare, name="10.0.0.1"), "spec.parentRef.name: Required value")
    expect(messages("ipaddresses", bare, old=parent, name="10.0.0.1"), "spec.parentRef: Invalid")
    made = complete("ipaddresses", parent, "10.0.0.1")
    assert _kind("ipaddresses").columns[1].cell(made, 0) == "services/default/web"


@pytest.mark.parametrize(
    ("ranges", "said"),
    [
        (["10.0.0.0/24"], ""),
        (["10.0.0.0/24", "fd00::/112"], ""),
        ([], "spec.cidrs: Required value: at least one CIDR required"),
        (["10.0.0.1/24"], 'spec.cidrs[0]: Invalid value: "10.0.0.1/24": must not have bits set'),
        (["10.0.0.0/24", "10.1.0.0/24"], "spec.cidrs: Invalid value"),
        (["1.0.0.0/8", "2.0.0.0/8", "3.0.0.0/8"], "spec.cidrs: Invalid value"),
    ],
)
def test_service_ranges(ranges: list[str], said: str) -> None:
    expect(messages("servicecidrs", {"cidrs": ranges}), said)


def test_a_second_family_may_be_added_and_nothing_else_changed() -> None:
    old = {"cidrs": ["10.0.0.0/24"]}
    assert messages("servicecidrs", {"cidrs": ["10.0.0.0/24", "fd00::/112"]}, old) == []
    found = messages("servicecidrs", {"cidrs": ["10.9.0.0/24"]}, old)
    assert found == ['spec.cidrs[0]: Invalid value: "10.9.0.0/24": field is immutable']
