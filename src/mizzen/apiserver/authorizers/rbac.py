"""Allows what Roles and ClusterRoles say, by the bindings of the user and of its groups."""

from __future__ import annotations

from collections.abc import Callable

from mizzen.apiserver.context import Context
from mizzen.apiserver.core.access import Access
from mizzen.apiserver.core.authorizer import Authorizer
from mizzen.apiserver.core.policy_rules import PolicyRule
from mizzen.apiserver.core.rbac_index import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    ROLE_BINDINGS,
    ROLES,
    RbacIndex,
)
from mizzen.apiserver.core.user import User
from mizzen.store.store import Event, Store, Stored

_ROLES = (CLUSTER_ROLES, ROLES)
_BINDINGS = (CLUSTER_ROLE_BINDINGS, ROLE_BINDINGS)


class Rbac:
    """The index over a store's objects: filled at the first question, then told of each write
    before its writer hears that it is done."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._index: RbacIndex | None = None
        for resource in (*_ROLES, *_BINDINGS):
            store.listen(resource, self._note)

    def allows(self, access: Access) -> bool:
        return (self._index or self._load()).allows(access)

    def reason(self, access: Access) -> str:
        return (self._index or self._load()).reason(access)

    def rules(self, user: User, namespace: str) -> tuple[list[PolicyRule], list[str]]:
        return (self._index or self._load()).rules(user, namespace)

    def _load(self) -> RbacIndex:
        index = self._index = RbacIndex()
        for resources, put in ((_ROLES, index.put_role), (_BINDINGS, index.put_binding)):
            for resource in resources:
                for stored in self._store.list(resource).items:
                    _put(put, stored)
        return index

    def _note(self, event: Event) -> None:
        index = self._index
        if index is None:
            return
        is_role = event.key.resource in _ROLES
        if event.type == "DELETED":
            remove = index.remove_role if is_role else index.remove_binding
            remove((event.key.namespace, event.key.name))
        else:
            _put(index.put_role if is_role else index.put_binding, event.stored)


def _put(put: Callable[[tuple[str, str], dict[str, object]], None], stored: Stored) -> None:
    put((stored.key.namespace, stored.key.name), stored.object())


def rbac(context: Context) -> Authorizer:
    index = Rbac(context.store)
    return Authorizer(index.allows, index.reason, index.rules)


AUTHORIZER = rbac
