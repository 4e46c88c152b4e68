"""The user of a request, made by authenticators; read by authorizers, admission and history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mizzen.base.names import IDENTITY_PREFIX

# Groups, as upstream names them.
AUTHENTICATED = "system:authenticated"  # whoever an authenticator knows
UNAUTHENTICATED = "system:unauthenticated"
MASTERS = "system:masters"  # they may do everything
NODES = "system:nodes"
SERVICE_ACCOUNT_PREFIX = "system:serviceaccount:"  # NAMESPACE:NAME follow
NODE_PREFIX = "system:node:"  # the node's name follows


@dataclass(frozen=True, slots=True)
class User:
    """`name` alone is what history and managedFields record."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])


def service_account_groups(namespace: str) -> tuple[str, ...]:
    """The groups of every service account of a namespace, beside all who are known."""
    return ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")


ANONYMOUS = User("system:anonymous", groups=(UNAUTHENTICATED,))

# What the API server writes by itself: first namespaces and definitions, deletions.
API_SERVER = User(IDENTITY_PREFIX + "apiserver", groups=(MASTERS, AUTHENTICATED))
GARBAGE_COLLECTOR = User(IDENTITY_PREFIX + "garbage-collector")
