"""Allows a kubelet (`system:node:NAME` in `system:nodes`) what belongs to its node, and no more.

The instance's own agent gets Secrets, ConfigMaps and tokens by the same rule: those of its pods.
"""

from __future__ import annotations

from functools import partial

import orjson

from mizzen.apiserver.context import Context
from mizzen.apiserver.core.access import Access
from mizzen.apiserver.core.authorizer import Authorizer, together
from mizzen.apiserver.core.node_access import (
    AGENT,
    NodeReferences,
    Reference,
    judge,
    judge_agent,
    node_of,
)
from mizzen.apiserver.core.policy_rules import PolicyRule, rules_of
from mizzen.apiserver.core.rbac_index import CLUSTER_ROLES
from mizzen.apiserver.core.user import MASTERS, User
from mizzen.apiserver.rbac_table import default_objects
from mizzen.base.objects import Obj
from mizzen.base.reading import text
from mizzen.store.store import Event, ObjectKey, Store

_PODS = "pods"
_CLAIMS, _VOLUMES = "persistentvolumeclaims", "persistentvolumes"
_ATTACHMENTS, _SLICES = "volumeattachments.storage.k8s.io", "resourceslices.resource.k8s.io"


class _Pods:
    """What belongs to which nodes by the pods of a store. It is filled when it is first asked;
    pods whose bytes have no `mark` are none of its."""

    def __init__(self, store: Store, mark: bytes) -> None:
        self._store = store
        self._mark = mark
        self._index: NodeReferences | None = None
        store.listen(_PODS, self._note)

    def relates(self, node: str, reference: Reference) -> bool:
        return (self._index or self._load()).relates(node, reference)

    def _load(self) -> NodeReferences:
        index = self._index = NodeReferences()
        for stored in self._store.list(_PODS).items:
            if self._mark in stored.data:
                index.put(stored.object())
        return index

    def _note(self, event: Event) -> None:
        index = self._index
        if index is None:
            return
        if event.type == "DELETED" or self._mark not in event.stored.data:
            index.remove((event.key.namespace, event.key.name))
        else:
            pod: Obj = event.object()
            index.put(pod)


class NodeAuthorizer:
    """Without a kubelet it costs nothing."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pods = _Pods(store, b'"nodeName"')
        self._rules: tuple[PolicyRule, ...] | None = None

    def allows(self, access: Access) -> bool:
        node = node_of(access.user)
        return node is not None and self._judge(access, node)[0]

    def reason(self, access: Access) -> str:
        node = node_of(access.user)
        return "" if node is None else self._judge(access, node)[1]

    def rules(self, user: User, namespace: str) -> tuple[list[PolicyRule], list[str]]:
        if node_of(user) is None:
            return [], []
        return [], ["node authorizer does not support user rule resolution"]

    def _judge(self, access: Access, node: str) -> tuple[bool, str]:
        if self._rules is None:
            key = ObjectKey(CLUSTER_ROLES, "", "system:node")
            self._rules = rules_of(dict(default_objects())[key])
        return judge(access, node, partial(self._relates, node), self._rules)

    def _relates(self, node: str, reference: Reference) -> bool:
        index = self._pods
        if reference.resource in (_ATTACHMENTS, _SLICES):
            return self._text(reference, "spec", "nodeName") == node
        if reference.resource == _VOLUMES:
            namespace = self._text(reference, "spec", "claimRef", "namespace")
            claim = self._text(reference, "spec", "claimRef", "name")
            return index.relates(node, Reference(_CLAIMS, namespace, claim))
        return index.relates(node, reference)

    def _text(self, reference: Reference, *path: str) -> str:
        resource, namespace, name = reference
        stored = self._store.peek(ObjectKey(resource, namespace, name))
        return "" if stored is None else text(stored.object(), *path)


class AgentAuthorizer:
    """Of the instance's own node, whose pods alone it looks at."""

    def __init__(self, store: Store, node: str) -> None:
        self._node = node
        self._pods = _Pods(store, b'"nodeName":' + orjson.dumps(node))

    def allows(self, access: Access) -> bool:
        return access.user.name == AGENT and self._judge(access)[0]

    def reason(self, access: Access) -> str:
        return self._judge(access)[1] if access.user.name == AGENT else ""

    def _judge(self, access: Access) -> tuple[bool, str]:
        return judge_agent(access, self._node, partial(self._pods.relates, self._node))


def node(context: Context) -> Authorizer:
    authorizer = NodeAuthorizer(context.store)
    kubelets = Authorizer(authorizer.allows, authorizer.reason, authorizer.rules)
    if not context.config.node_name:
        return kubelets
    agent = AgentAuthorizer(context.store, context.config.node_name)
    return together([kubelets, Authorizer(agent.allows, agent.reason)], MASTERS)


AUTHORIZER = node
