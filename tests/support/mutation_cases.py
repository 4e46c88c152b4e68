"""MutatingAdmissionPolicies that cannot be, and what others make of writes, as requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from support.both_servers import Case

Obj = dict[str, Any]
NAMESPACE = "mutated"
HOOKS = "/apis/admissionregistration.k8s.io/v1"
POLICIES, BINDINGS = (
    f"{HOOKS}/mutatingadmissionpolicies",
    f"{HOOKS}/mutatingadmissionpolicybindings",
)
MAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
MAP: Obj = {"metadata": {"name": "m"}, "data": {"a": "x"}}
DEPLOYMENT: Obj = {
    "metadata": {"name": "d"},
    "spec": {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        },
    },
}


def applied(expression: str) -> Obj:
    return {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}


def patched(expression: str) -> Obj:
    return {"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}


def policy(*mutations: Obj, **spec: Any) -> Obj:
    rules = [
        {"apiGroups": [group], "apiVersions": ["v1"], "resources": [resource],
         "operations": ["CREATE", "UPDATE"]}
        for group, resource in (("", "configmaps"), ("apps", "deployments"))
    ]  # fmt: skip
    selector = {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}}
    constraints = {"resourceRules": rules, "namespaceSelector": selector}
    whole = {"matchConstraints": constraints, "reinvocationPolicy": "Never",
             "mutations": list(mutations), **spec}  # fmt: skip
    return {"metadata": {"name": "p"}, "spec": whole}


def binding(**spec: Any) -> Obj:
    return {"metadata": {"name": "b"}, "spec": {"policyName": "p", **spec}}


FINE = applied("Object{}")


def refused() -> Iterator[Case]:
    deleting = [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"],
                 "operations": ["DELETE"]}]  # fmt: skip
    for each in (
        policy(), policy({}), policy({"patchType": "Some"}), policy({"patchType": "JSONPatch"}),
        policy({**FINE, "jsonPatch": {"expression": "[]"}}), policy(applied(" ")),
        policy(FINE, reinvocationPolicy=""), policy(FINE, reinvocationPolicy="Often"),
        policy(FINE, failurePolicy="Some"), policy(FINE, paramKind={"kind": "ConfigMap"}),
        policy(FINE, matchConstraints={"resourceRules": deleting}),
        policy(FINE, variables=[{"name": "no-name", "expression": "1"}]),
    ):  # fmt: skip
        yield Case("POST", POLICIES, each)
    for spec in (
        {"policyName": ""}, {"paramRef": {"name": "x"}},
        {"matchResources": {"resourceRules": deleting}},
    ):  # fmt: skip
        yield Case("POST", BINDINGS, binding(**spec))


def mutated() -> Iterator[Case]:
    """Each policy for itself, and what it makes of a write."""
    yield Case("POST", BINDINGS, binding())
    for target, body, mutations in (
        (MAPS, MAP, [applied('Object{data: {"b": object.data.a + "!"}}')]),
        (MAPS, MAP, [patched('[JSONPatch{op: "add", path: "/data/c", value: "1"}]')]),
        (MAPS, MAP, [patched('[JSONPatch{op: "add", path: "/metadata/labels", value: {}}, '
                             'JSONPatch{op: "add", path: "/metadata/labels/" + '
                             'jsonpatch.escapeKey("a.io/b"), value: object.data.a}]')]),
        (MAPS, MAP, [patched('[JSONPatch{op: "test", path: "/data/a", value: "y"}, '
                             'JSONPatch{op: "remove", path: "/data"}]'),
                     applied('Object{metadata: Object.metadata{labels: {"tested": "yes"}}}')]),
        (MAPS, MAP, [applied('Object{metadata: Object.metadata{annotations: {"x": '
                             'string(size(object.data))}}}'),
                     applied('Object{metadata: Object.metadata{annotations: {"y": '
                             'object.metadata.annotations.x}}}')]),
        (MAPS, MAP, [applied("Object{metadata: Object.wrong{name: 'x'}}")]),
        (MAPS, MAP, [applied("Object{nothing: 1}")]),
        (MAPS, MAP, [applied("Object{data: {'x': object.data.none}}")]),
        (DEPLOYMENTS, DEPLOYMENT, [applied("Object{spec: Object.spec{replicas: 1337}}")]),
        (DEPLOYMENTS, DEPLOYMENT, [applied(
            "Object{spec: Object.spec{template: Object.spec.template{spec: "
            "Object.spec.template.spec{containers: [Object.spec.template.spec.containers{"
            "name: 'side', image: 'other'}]}}}}")]),
        (DEPLOYMENTS, DEPLOYMENT, [applied(
            "Object{spec: Object.spec{selector: Object.spec.selector{matchLabels: {'a': 'c'}}}}")]),
        (DEPLOYMENTS, DEPLOYMENT, [applied(
            "Object{spec: Object.spec{template: Object.spec.template{spec: "
            "Object.spec.template.spec{containers: [Object.spec.template.spec.containers{"
            "name: 'c', command: ['a']}]}}}}")]),
        (DEPLOYMENTS, DEPLOYMENT, [patched(
            "[JSONPatch{op: 'replace', path: '/spec/template/spec/containers/0', "
            "value: Object.spec.template.spec.containers{name: 'z', image: 'z'}}]")]),
        (DEPLOYMENTS, DEPLOYMENT, [patched("[JSONPatch{op: 'add', path: '/spec/replicas', "
                                           "value: 3}, JSONPatch{op: 'copy', from: "
                                           "'/metadata/name', path: '/metadata/generateName'}]")]),
    ):  # fmt: skip
        yield Case("POST", POLICIES, policy(*mutations))
        path = f"{target}/{body['metadata']['name']}"
        yield Case("POST", target, body, settles=True, undo=path)
        yield Case("DELETE", path)
        yield Case("DELETE", f"{POLICIES}/p")
    yield Case("DELETE", f"{BINDINGS}/b")
