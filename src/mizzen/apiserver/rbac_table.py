"""The default roles and bindings: upstream's, by a table, and those of Mizzen's own kinds.

The table is derived from Kubernetes 1.36 by scripts/derive_rbac_defaults.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from typing import Any

import orjson

from mizzen.apiserver.core.rbac_index import GROUP
from mizzen.apiserver.core.rbac_reconcile import AUTOUPDATE
from mizzen.apiserver.core.user import NODES
from mizzen.base.names import KUBELET_CLIENT
from mizzen.base.objects import Obj
from mizzen.store.store import ObjectKey

_TABLE = "tables/rbac_defaults.json"
_AGGREGATE = f"{GROUP}/aggregate-to-"
_READ, _WRITE = "get,list,watch", "create,delete,deletecollection,patch,update"
_TRAINER = "trainer.kubeflow.org"
# What upstream's edit and view say of its own kinds, said of those that users of Mizzen write.
_OF_MIZZEN: tuple[list[Any], ...] = (
    ["ClusterRole", "", "mizzen:aggregate-to-edit", [f"{_AGGREGATE}edit"], [], [
        [_WRITE, _TRAINER, "trainjobs,trainingruntimes"],
        [_WRITE, "mizzen.dev", "modelendpoints,modelendpoints/scale"],
        [_WRITE, "scheduling.k8s.io", "podgroups"],
    ]],
    ["ClusterRole", "", "mizzen:aggregate-to-view", [f"{_AGGREGATE}view"], [], [
        [_READ, _TRAINER, "trainjobs,trainjobs/status,trainingruntimes"],
        [_READ, "mizzen.dev", "modelendpoints,modelendpoints/scale,modelendpoints/status"],
        [_READ, "scheduling.k8s.io", "podgroups,podgroups/status"],
    ]],
    ["ClusterRole", "", "mizzen:metrics-reader", [], [], [["get", "/metrics,/metrics/*"]]],
    ["ClusterRoleBinding", "", "mizzen:metrics-reader", "ClusterRole", "mizzen:metrics-reader", [
        ["Group", "system:monitoring", ""],
    ]],
    # The API server, by its certificate, at kubelets that ask it what it may.
    ["ClusterRoleBinding", "", "mizzen:kubelet-client", "ClusterRole", "system:kubelet-api-admin", [
        ["User", KUBELET_CLIENT, ""],
    ]],
    # A kubelet's certificate is renewed before it ends, by whoever shows it.
    ["ClusterRoleBinding", "", "mizzen:node-certificates", "ClusterRole",
     "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient", [
        ["Group", NODES, ""],
    ]],
)  # fmt: skip


def default_objects() -> Iterator[tuple[ObjectKey, Obj]]:
    """Each default with its place in the store, in the form of their kinds' v1."""
    text = resources.files("mizzen.apiserver").joinpath(_TABLE).read_bytes()
    for kind, namespace, name, *rest in (*orjson.loads(text), *_OF_MIZZEN):
        metadata: Obj = {
            "name": name,
            "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
            "annotations": {AUTOUPDATE: "true"},
        }
        if namespace:
            metadata["namespace"] = namespace
        obj: Obj = {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": metadata}
        obj.update(_binding(*rest) if kind.endswith("Binding") else _role(metadata, *rest))
        yield ObjectKey(f"{kind.lower()}s.{GROUP}", namespace, name), obj


def _role(metadata: Obj, labels: list[str], selected: list[str], rules: list[list[str]]) -> Obj:
    metadata["labels"].update(dict.fromkeys(labels, "true"))
    role: Obj = {"rules": [_rule(*(part.split(",") for part in rule)) for rule in rules]}
    if selected:
        selectors = [{"matchLabels": {label: "true"}} for label in selected]
        role["aggregationRule"] = {"clusterRoleSelectors": selectors}
    return role


def _rule(verbs: list[str], where: list[str], *rest: list[str]) -> Obj:
    if not rest:
        return {"nonResourceURLs": where, "verbs": verbs}
    rule: Obj = {"apiGroups": where, "resources": rest[0], "verbs": verbs}
    if len(rest) > 1:
        rule["resourceNames"] = rest[1]
    return rule


def _binding(role_kind: str, role_name: str, subjects: list[list[str]]) -> Obj:
    made: Obj = {"roleRef": {"apiGroup": GROUP, "kind": role_kind, "name": role_name}}
    if subjects:
        made["subjects"] = [
            {"kind": kind, "name": name, "namespace": namespace}
            if kind == "ServiceAccount"
            else {"apiGroup": GROUP, "kind": kind, "name": name}
            for kind, name, namespace in subjects
        ]
    return made
