"""Requests in somebody else's name: who may, in which of upstream's modes.

Constrained modes ask whether the requester may do this very thing as such a user
(`impersonate-on:MODE:VERB`) and then for each attribute (`impersonate:MODE`); where none allows it,
`impersonate` alone decides, as ever.
Source: apiserver pkg/endpoints/filters/impersonation, Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from urllib.parse import unquote

from mizzen.apiserver.core import refusals
from mizzen.apiserver.core.access import Access
from mizzen.apiserver.core.authorizer import Authorizer
from mizzen.apiserver.core.user import (
    ANONYMOUS,
    AUTHENTICATED,
    MASTERS,
    NODE_PREFIX,
    NODES,
    SERVICE_ACCOUNT_PREFIX,
    UNAUTHENTICATED,
    User,
    service_account_groups,
)
from mizzen.base.errors import BadRequest, Forbidden
from mizzen.kinds.names import dns_label, dns_subdomain

PREFIX = "impersonate-"
_EXTRA = f"{PREFIX}extra-"
_GROUP = "authentication.k8s.io"
_NODE_OF_POD = "authentication.kubernetes.io/node-name"
_WILDCARD_FROM = 4  # values, from which on "*" is asked for first


def requested(headers: Iterable[tuple[str, str]]) -> User | None:
    """The user whom the headers name, as they name it; None where they name none.

    Errors: BadRequest for groups, a uid or extras of nobody.
    """
    name = uid = ""
    groups: list[str] = []
    extra: dict[str, list[str]] = {}
    is_any = False
    for header, value in headers:
        if not header.startswith(PREFIX):
            continue
        is_any = True
        if header == f"{PREFIX}user":
            name = name or value
        elif header == f"{PREFIX}uid":
            uid = uid or value
        elif header == f"{PREFIX}group":
            groups.append(value)
        elif header.startswith(_EXTRA):
            extra.setdefault(unquote(header.removeprefix(_EXTRA)), []).append(value)
    if name:
        return User(name, uid, tuple(groups), extra)
    if is_any and (uid or groups or extra):
        what = f"groups {groups}, uid {uid!r}, extra {extra}"
        raise BadRequest(f"requested {what} without impersonating a user name")
    return None


def impersonated(authorizer: Authorizer, access: Access, wanted: User) -> User:
    """The user that a request is made as. `access` is what is asked for, by who really asks.

    Errors: Forbidden, that of the first mode which applies.
    """
    first: Forbidden | None = None
    for mode, applies in _MODES:
        if not applies(wanted, access.user):
            continue
        try:
            _require(authorizer, access._replace(verb=f"impersonate-on:{mode}:{access.verb}"))
            return _Mode(authorizer, access.user, f"impersonate:{mode}", True).check(wanted)
        except Forbidden as error:
            first = first or error
    try:
        return _Mode(authorizer, access.user, "impersonate", False).check(wanted)
    except Forbidden as error:
        raise first or error from error


class _Mode:
    """The questions for each attribute of the wanted user, by one verb."""

    def __init__(
        self, authorizer: Authorizer, requester: User, verb: str, is_constrained: bool
    ) -> None:
        self._authorizer = authorizer
        self._requester = requester
        self._verb = verb
        self._is_constrained = is_constrained
        self._group = _GROUP if is_constrained else ""  # of users, groups and accounts

    def check(self, wanted: User) -> User:
        user = self._check_name(wanted)
        if wanted.uid:
            self._ask("uids", wanted.uid, group=_GROUP)
        if wanted.groups:
            self._check_groups(wanted.groups)
        if wanted.extra:
            self._check_extra(wanted)
        if user.name == ANONYMOUS.name:
            return _with_group(user, UNAUTHENTICATED)
        return user if UNAUTHENTICATED in user.groups else _with_group(user, AUTHENTICATED)

    def _check_name(self, wanted: User) -> User:
        account = service_account(wanted.name)
        if account is not None:
            namespace, name = account
            self._ask("serviceaccounts", name, namespace)
            groups = wanted.groups or service_account_groups(namespace)
            return replace(wanted, groups=groups)
        node = _node(wanted.name)
        if self._is_constrained and node:
            is_own = self._verb.endswith(":associated-node")
            self._ask("nodes", "*" if is_own else node)
            return replace(wanted, groups=(NODES,))
        self._ask("users", wanted.name)
        return wanted

    def _check_groups(self, groups: Sequence[str]) -> None:
        if self._is_constrained:
            if "" in groups:
                self._refuse("groups", "", "impersonating the empty string group is not allowed")
            if MASTERS in groups:
                why = f"impersonating the {MASTERS} group is not allowed"
                self._refuse("groups", MASTERS, why)
            if len(groups) >= _WILDCARD_FROM and self._may("groups", "*"):
                return
        for name in groups:
            self._ask("groups", name)

    def _check_extra(self, wanted: User) -> None:
        values = [(key, value) for key, each in wanted.extra.items() for value in each]
        if self._is_constrained:
            for key, value in values:
                if not key or key != key.lower() or not value:
                    why = "impersonating an empty or invalid key or value in extra is not allowed"
                    self._refuse("userextras", "", why)
            if len(values) >= _WILDCARD_FROM and self._may("userextras", "*", _GROUP, "*"):
                return
        for key, value in values:
            self._ask("userextras", value, group=_GROUP, subresource=key)

    def _ask(
        self,
        resource: str,
        name: str,
        namespace: str = "",
        group: str | None = None,
        subresource: str = "",
    ) -> None:
        group = self._group if group is None else group
        access = Access(self._requester, self._verb, group, resource, subresource, namespace, name)
        _require(self._authorizer, access)

    def _may(
        self, resource: str, name: str, group: str | None = None, subresource: str = ""
    ) -> bool:
        group = self._group if group is None else group
        access = Access(self._requester, self._verb, group, resource, subresource, "", name)
        return self._authorizer.allows(access)

    def _refuse(self, resource: str, name: str, why: str) -> None:
        access = Access(self._requester, self._verb, self._group, resource, name=name)
        raise refusals.denied(access, why)


def service_account(username: str) -> tuple[str, str] | None:
    """Namespace and name of a service account, None of other users."""
    if not username.startswith(SERVICE_ACCOUNT_PREFIX):
        return None
    namespace, colon, name = username.removeprefix(SERVICE_ACCOUNT_PREFIX).partition(":")
    if not colon or dns_label(namespace) or dns_subdomain(name):
        return None
    return namespace, name


def _node(username: str) -> str:
    name = username.removeprefix(NODE_PREFIX)
    return "" if name == username or dns_subdomain(name) else name


def _require(authorizer: Authorizer, access: Access) -> None:
    if not authorizer.allows(access):
        raise refusals.denied(access, authorizer.reason(access))


def _with_group(user: User, group: str) -> User:
    return user if group in user.groups else replace(user, groups=(*user.groups, group))


def _has_name_alone(wanted: User) -> bool:
    return not (wanted.uid or wanted.groups or wanted.extra)


def _is_own_node(wanted: User, requester: User) -> bool:
    node = _node(wanted.name)
    if not node or not _has_name_alone(wanted) or service_account(requester.name) is None:
        return False
    return list(requester.extra.get(_NODE_OF_POD, ())) == [node]


_MODES: Sequence[tuple[str, Callable[[User, User], bool]]] = (
    ("associated-node", _is_own_node),
    ("arbitrary-node", lambda wanted, _: _has_name_alone(wanted) and bool(_node(wanted.name))),
    ("serviceaccount", lambda wanted, _: (
        _has_name_alone(wanted) and service_account(wanted.name) is not None
    )),
    ("user-info", lambda wanted, _: (
        not _node(wanted.name) and service_account(wanted.name) is None
    )),
)  # fmt: skip
