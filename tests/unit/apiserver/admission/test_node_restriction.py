"""Kubelets write their own node's objects, and what upstream lets them change of those."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.apiserver import rbac_defaults
from mizzen.apiserver.core import node_restriction as rules
from mizzen.apiserver.core.user import AUTHENTICATED, NODES, User
from mizzen.store.memory import MemoryStore
from support.api_handlers import an_api

NODE: dict[str, Any] = {"metadata": {"name": "n1", "uid": "u1", "labels": {"a": "b"}}}
OWNER = {"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": "u1", "controller": True}


def mirror(owner: dict[str, Any] | None = OWNER, **spec: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": "p", "annotations": {"kubernetes.io/config.mirror": "x"}}
    if owner is not None:
        metadata["ownerReferences"] = [owner]
    return {"metadata": metadata, "spec": {"nodeName": "n1", **spec}}


@pytest.mark.parametrize(
    ("pod", "says"),
    [
        (mirror(), ""),
        ({"metadata": {"name": "p"}}, "can only create mirror pods"),
        (mirror(nodeName="n2"), "spec.nodeName set to itself"),
        (mirror(None), "an owner reference set to itself"),
        (mirror({**OWNER, "name": "n2"}), "an owner reference set to itself"),
        (mirror({**OWNER, "controller": False}), "a controller owner reference"),
        (mirror({**OWNER, "blockOwnerDeletion": True}), "must not set blockOwnerDeletion"),
        (mirror({**OWNER, "uid": "old"}), "UID mismatch: expected old got u1"),
        (mirror(volumes=[{"secret": {"secretName": "x"}}]), "can not create pods that reference secrets"),
    ],
)  # fmt: skip
def test_mirror_pods(pod: dict[str, Any], says: str) -> None:
    found = rules.pod_create("n1", pod, NODE)
    assert (says in found) and bool(found) is bool(says)


def with_labels(**labels: str) -> dict[str, Any]:
    named = {key.replace("__", "/").replace("_", "."): value for key, value in labels.items()}
    return {"metadata": {**NODE["metadata"], "labels": named}}


@pytest.mark.parametrize(
    ("new", "old", "says"),
    [
        (with_labels(a="b", x="y"), NODE, ""),
        (with_labels(a="b", kubernetes_io__arch="x", node_kubernetes_io__x="y"), NODE, ""),
        (with_labels(a="b", x_k8s_io__y="z"), NODE, "is not allowed to modify labels: x.k8s.io/y"),
        (with_labels(kubernetes_io__z="1"), None, "set the following labels: kubernetes.io/z"),
        ({**NODE, "spec": {"taints": [{"key": "a"}]}}, NODE, "is not allowed to modify taints"),
        ({"metadata": {"name": "n2"}}, None, 'is not allowed to modify node "n2"'),
        ({"metadata": {**NODE["metadata"], "ownerReferences": [{}]}}, NODE, "modify ownerReferences"),
    ],
)  # fmt: skip
def test_nodes(new: dict[str, Any], old: dict[str, Any] | None, says: str) -> None:
    found = rules.node_write("n1", new, old)
    assert (says in found) and bool(found) is bool(says)


def test_restricted_labels_are_nobodys_but_the_admins() -> None:
    new = {"metadata": {"name": "n1", "labels": {"node-restriction.kubernetes.io/x": "y"}}}
    assert "node-restriction" in rules.node_write("n1", new, None)


def test_status_of_pods_and_claims() -> None:
    old = {"metadata": {"labels": {"a": "b"}}, "spec": {"nodeName": "n1"}, "status": {}}
    assert rules.pod_status("n1", {**old, "status": {"phase": "Running"}}, old) == ""
    assert "for pods with spec.nodeName" in rules.pod_status("n2", old, old)
    assert "labels" in rules.pod_status("n1", {**old, "metadata": {}}, old)
    claims = {"resourceClaimStatuses": [{"name": "x", "resourceClaimName": "y"}]}
    assert "claim" in rules.pod_status("n1", {**old, "status": claims}, old)
    assert rules.claim_status("n1", {**old, "status": {"capacity": {}}}, old) == ""
    assert "not allowed" in rules.claim_status("n1", {**old, "status": {"phase": "x"}}, old)
    assert rules.pod_delete("n2", old) and not rules.pod_delete("n1", old)


async def test_a_kubelet_registers_itself_and_renews_its_own_lease_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api = await an_api(MemoryStore())
    await rbac_defaults.make_defaults(api.server)
    kubelet = User("system:node:n1", groups=(NODES, AUTHENTICATED))
    monkeypatch.setattr(api.app, "_user_of", lambda _: kubelet)
    nodes = "/api/v1/nodes"
    assert (await api.call("POST", nodes, {"metadata": {"name": "n1"}}))[0] == 201
    code, status = await api.call("POST", nodes, {"metadata": {"name": "n2"}})
    assert (code, status["message"]) == (
        403,
        'nodes "n2" is forbidden: node "n1" is not allowed to modify node "n2"',
    )
    leases = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
    assert (await api.call("POST", leases, {"metadata": {"name": "n1"}}))[0] == 201
    assert (await api.call("POST", leases, {"metadata": {"name": "n2"}}))[0] == 403
    assert (await api.call("GET", nodes))[0] == 403
    assert (await api.call("GET", f"{nodes}/n1"))[0] == 200
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
    assert (await api.call("POST", "/api/v1/namespaces/default/pods", pod))[0] == 403
