"""A kubelet reaches its own objects and what its pods refer to; nothing of other nodes."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.apiserver.authorizers.node import AgentAuthorizer, NodeAuthorizer
from mizzen.apiserver.core.access import Access
from mizzen.apiserver.core.node_access import AGENT, Reference, references
from mizzen.apiserver.core.user import NODES, User
from mizzen.store.memory import MemoryStore
from mizzen.store.store import ObjectKey, Put, Remove

N1 = User("system:node:n1", groups=(NODES,))
DRA, CSI = "resource.k8s.io", "storage.k8s.io"


def pod(name: str, node: str, **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "a"}
    return {"metadata": metadata, "spec": {"nodeName": node, **spec}}


async def put(store: MemoryStore, resource: str, obj: dict[str, Any]) -> None:
    metadata = obj["metadata"]
    key = ObjectKey(resource, metadata.get("namespace", ""), metadata["name"])
    await store.commit([Put(key, obj, "create")], identity="x", now_ns=0)


SECRETIVE = {
    "serviceAccountName": "robot",
    "imagePullSecrets": [{"name": "pull"}],
    "containers": [{"env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "key"}}}],
                    "envFrom": [{"configMapRef": {"name": "env"}}, {"secretRef": {"name": "all"}}]}],
    "volumes": [
        {"name": "s", "secret": {"secretName": "vol"}},
        {"name": "p", "projected": {"sources": [{"configMap": {"name": "ca"}}, {"secret": {"name": "tls"}}]}},
        {"name": "c", "persistentVolumeClaim": {"claimName": "data"}},
        {"name": "e", "ephemeral": {"volumeClaimTemplate": {}}},
    ],
    "resourceClaims": [{"name": "gpu", "resourceClaimName": "gpu-claim"}],
}  # fmt: skip


def test_everything_that_a_pod_refers_to_is_found() -> None:
    found = references(pod("p", "n1", **SECRETIVE))
    names = {resource: set[str]() for resource, _, _ in found}
    for resource, namespace, name in found:
        assert namespace == "a"
        names[resource].add(name)
    assert names == {
        "pods": {"p"}, "serviceaccounts": {"robot"}, "configmaps": {"env", "ca"},
        "secrets": {"pull", "key", "all", "vol", "tls"},
        "persistentvolumeclaims": {"data", "p-e"}, "resourceclaims.resource.k8s.io": {"gpu-claim"},
    }  # fmt: skip
    assert Reference("serviceaccounts", "a", "default") in references(pod("p", "n1"))


async def world() -> tuple[MemoryStore, NodeAuthorizer]:
    store = MemoryStore()
    authorizer = NodeAuthorizer(store)
    await put(store, "pods", pod("mine", "n1", **SECRETIVE))
    await put(store, "pods", pod("theirs", "n2", imagePullSecrets=[{"name": "foreign"}]))
    volume = {"metadata": {"name": "pv"}, "spec": {"claimRef": {"namespace": "a", "name": "data"}}}
    await put(store, "persistentvolumes", volume)
    for name, node in (("s1", "n1"), ("s2", "n2")):
        made = {"metadata": {"name": name}, "spec": {"nodeName": node}}
        await put(store, f"resourceslices.{DRA}", made)
    return store, authorizer


@pytest.mark.parametrize(
    ("verb", "group", "what", "namespace", "name", "selector", "reason"),
    [
        ("get", "", "secrets", "a", "key", "", None),
        ("watch", "", "configmaps", "a", "ca", "", None),
        ("get", "", "secrets", "a", "foreign", "",
         "no relationship found between node 'n1' and this object"),
        ("list", "", "secrets", "a", "", "", "No Object name found"),
        ("update", "", "secrets", "a", "key", "", "can only read resources of this type"),
        ("get", "", "persistentvolumes", "", "pv", "", None),
        ("get", "", "persistentvolumeclaims", "a", "data", "", None),
        ("patch", "", "persistentvolumeclaims/status", "a", "data", "", None),
        ("list", "", "persistentvolumeclaims", "a", "", "",
         "can only get individual resources of this type"),
        ("create", "", "serviceaccounts/token", "a", "robot", "", None),
        ("create", "", "serviceaccounts/token", "a", "default", "",
         "no relationship found between node 'n1' and this object"),
        ("get", DRA, "resourceclaims", "a", "gpu-claim", "", None),
        ("get", "", "nodes", "", "n1", "", None),
        ("get", "", "nodes", "", "n2", "", "node 'n1' cannot read 'n2', only its own Node object"),
        ("list", "", "nodes", "", "", "", "node 'n1' cannot read all nodes, only its own Node object"),
        ("patch", "", "nodes/status", "", "n1", "", None),
        ("delete", "", "nodes", "", "n1", "", ""),
        ("list", "", "pods", "", "", "spec.nodeName=n1", None),
        ("watch", "", "pods", "", "", "a=b,spec.nodeName==n1", None),
        ("list", "", "pods", "", "", "spec.nodeName=n2",
         "can only list/watch pods with spec.nodeName field selector"),
        ("get", "", "pods", "a", "mine", "", None),
        ("get", "", "pods", "a", "theirs", "",
         "no relationship found between node 'n1' and this object"),
        ("create", "", "pods", "a", "", "", None),
        ("update", "", "pods", "a", "mine", "", ""),
        ("patch", "", "pods/status", "a", "mine", "", None),
        ("create", "", "pods/eviction", "a", "mine", "", None),
        ("create", "", "pods/exec", "a", "mine", "", ""),
        ("update", "coordination.k8s.io", "leases", "kube-node-lease", "n1", "", None),
        ("update", "coordination.k8s.io", "leases", "kube-node-lease", "n2", "",
         "can only access node lease with the same name as the requesting node"),
        ("get", "coordination.k8s.io", "leases", "a", "n1", "",
         'can only access leases in the "kube-node-lease" system namespace'),
        ("get", CSI, "csinodes", "", "n1", "", None),
        ("get", DRA, "resourceslices", "", "s1", "", None),
        ("delete", DRA, "resourceslices", "", "s2", "",
         "no relationship found between node 'n1' and this object"),
        ("deletecollection", DRA, "resourceslices", "", "", "spec.nodeName=n1", None),
        ("list", "", "services", "", "", "", None),
        ("delete", "", "services", "a", "x", "", ""),
    ],
)  # fmt: skip
async def test_decisions_and_reasons(
    verb: str, group: str, what: str, namespace: str, name: str, selector: str, reason: str | None
) -> None:
    _, authorizer = await world()
    resource, _, below = what.partition("/")
    access = Access(N1, verb, group, resource, below, namespace, name, "", selector)
    assert authorizer.allows(access) is (reason is None)
    assert authorizer.reason(access) == (reason or "")


async def test_only_kubelets_are_judged_and_one_without_a_name_gets_nothing() -> None:
    _, authorizer = await world()
    access = Access(N1, "get", "", "secrets", "", "a", "key")
    for user in (User("system:node:n1"), User("n1", groups=(NODES,)), User("jane")):
        assert not authorizer.allows(access._replace(user=user))
        assert authorizer.reason(access._replace(user=user)) == ""
    nameless = access._replace(user=User("system:node:", groups=(NODES,)))
    assert not authorizer.allows(nameless)
    assert authorizer.reason(nameless) == 'unknown node for user "system:node:"'
    assert authorizer.rules(N1, "a")[1] == ["node authorizer does not support user rule resolution"]


async def test_what_pods_stop_to_refer_to_is_out_of_reach() -> None:
    store, authorizer = await world()
    access = Access(N1, "get", "", "secrets", "", "a", "key")
    assert authorizer.allows(access)
    await put(store, "pods", pod("second", "n1", **SECRETIVE))
    mine = ObjectKey("pods", "a", "mine")
    await store.commit([Remove(mine, pod("mine", "n1"))], identity="x", now_ns=0)
    assert authorizer.allows(access), "the second refers to it, too"
    await put(store, "pods", pod("second", "n1"))
    assert not authorizer.allows(access)
    assert authorizer.allows(access._replace(resource="serviceaccounts", name="default"))


async def test_the_agent_has_what_its_own_pods_refer_to_and_nothing_else() -> None:
    store = MemoryStore()
    await put(store, "pods", pod("own", "n1", **SECRETIVE))
    await put(store, "pods", pod("other", "n2", volumes=[{"secret": {"secretName": "far"}}]))
    agent = AgentAuthorizer(store, "n1")
    who = User(AGENT)

    def may(verb: str, resource: str, name: str, subresource: str = "", user: User = who) -> bool:
        return agent.allows(Access(user, verb, "", resource, subresource, "a", name))

    assert may("get", "secrets", "vol") and may("get", "configmaps", "ca")
    assert may("create", "serviceaccounts", "robot", "token")
    assert not may("get", "secrets", "far") and not may("get", "secrets", "none")
    assert not may("list", "secrets", "") and not may("update", "secrets", "vol")
    assert not may("create", "serviceaccounts", "default", "token")
    assert not may("get", "secrets", "vol", user=User("system:mizzen:gateway"))
    why = agent.reason(Access(who, "get", "", "secrets", "", "a", "far"))
    assert why == "no relationship found between node 'n1' and this object"
    await put(store, "pods", pod("new", "n1", volumes=[{"secret": {"secretName": "far"}}]))
    assert may("get", "secrets", "far")
    for name in ("new", "own"):
        await store.commit(
            [Remove(ObjectKey("pods", "a", name), pod(name, "n1"))], identity="x", now_ns=0
        )
    assert not may("get", "secrets", "far") and not may("get", "secrets", "vol")
