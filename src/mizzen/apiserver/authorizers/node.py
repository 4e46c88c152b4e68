"""Allows a kubelet (`system:node:NAME` in `system:nodes`) what belongs to its node, and no more."""

from __future__ import annotations

from functools import partial

from mizzen.apiserver.context import Context
from mizzen.apiserver.core.access import Access
from mizzen.apiserver.core.authorizer import Authorizer
from mizzen.apiserver.core.node_access import NodeReferences, Reference, judge, node_of
from mizzen.apiserver.core.policy_rules import PolicyRule, rules_of
from mizzen.apiserver.core.rbac_index import CLUSTER_ROLES
from mizzen.apiserver.core.user import User
from mizzen.apiserver.rbac_table import default_objects
from mizzen.base.objects import Obj
from mizzen.base.reading import text
from mizzen.store.store import Event, ObjectKey, Store

_PODS = "pods"
_CLAIMS, _VOLUMES = "persistentvolumeclaims", "persistentvolumes"
_ATTACHMENTS, _SLICES = "volumeattachments.storage.k8s.io", "resourceslices.resource.k8s.io"


class NodeAuthorizer:
    """Its index of pods is filled once the first kubelet asks; without one it costs nothing."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._index: NodeReferences | None = None
        self._rules: tuple[PolicyRule, ...] | None = None
        store.listen(_PODS, self._note)

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
        index = self._index or self._load()
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

    def _load(self) -> NodeReferences:
        index = self._index = NodeReferences()
        for stored in self._store.list(_PODS).items:
            if b'"nodeName"' in stored.data:
                index.put(stored.object())
        return index

    def _note(self, event: Event) -> None:
        index = self._index
        if index is None:
            return
        if event.type == "DELETED":
            index.remove((event.key.namespace, event.key.name))
        else:
            pod: Obj = event.object()
            index.put(pod)


def node(context: Context) -> Authorizer:
    authorizer = NodeAuthorizer(context.store)
    return Authorizer(authorizer.allows, authorizer.reason, authorizer.rules)


AUTHORIZER = node
