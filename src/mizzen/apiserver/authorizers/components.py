"""Allows Mizzen's components what their table says."""

from __future__ import annotations

from collections.abc import Iterable

from mizzen.apiserver.context import Context
from mizzen.apiserver.core.access import Access
from mizzen.apiserver.core.authorizer import Authorizer
from mizzen.apiserver.core.permissions import COMPONENTS, DISCOVERY_PATHS, Permissions, Rule, parse
from mizzen.apiserver.core.policy_rules import PolicyRule
from mizzen.apiserver.core.user import User
from mizzen.base.names import IDENTITY_PREFIX


class _Allowed:
    """One component's rules, as sets."""

    def __init__(self, permissions: Permissions) -> None:
        rules = list(parse((*permissions.everywhere, *permissions.own)))
        self._rules = {(v, r.group, r.resource) for r in rules for v in r.verbs}
        self._any = {v for r in rules if r.resource == "*" for v in r.verbs}
        self._groups = {(v, r.group) for r in rules if r.resource == "*/*" for v in r.verbs}
        self._anywhere = {  # subresources of whatever
            (v, r.resource[2:])
            for r in rules
            if r.resource.startswith("*/") and r.resource != "*/*"
            for v in r.verbs
        }
        self._paths = _Paths(permissions.paths)

    def __call__(self, access: Access) -> bool:
        if access.path:
            return access.verb == "get" and access.path in self._paths
        if (access.verb, access.group, access.what) in self._rules:
            return True
        if access.subresource:
            return (access.verb, access.subresource) in self._anywhere or (
                (access.verb, access.group) in self._groups
            )
        return access.verb in self._any


class _Paths:
    def __init__(self, patterns: Iterable[str]) -> None:
        self._whole = frozenset(patterns)
        self._prefixes = tuple(p.removesuffix("*") for p in self._whole if p.endswith("*"))

    def __contains__(self, path: str) -> bool:
        return path in self._whole or path.startswith(self._prefixes)


def components(context: Context) -> Authorizer:
    allowed = {IDENTITY_PREFIX + name: _Allowed(table) for name, table in COMPONENTS.items()}
    discovery = _Paths(DISCOVERY_PATHS)

    def authorize(access: Access) -> bool:
        component = allowed.get(access.user.name)
        if component is None:
            return False
        if access.path:
            return access.verb == "get" and (access.path in discovery or component(access))
        return component(access)

    def rules(user: User, namespace: str) -> tuple[list[PolicyRule], list[str]]:
        table = COMPONENTS.get(user.name.removeprefix(IDENTITY_PREFIX))
        if table is None or user.name not in allowed:
            return [], []
        found = [
            _of_group(rule)
            if rule.resource == "*/*"
            else PolicyRule(
                rule.verbs, ("*" if rule.resource[0] == "*" else rule.group,), (rule.resource,)
            )
            for rule in parse((*table.everywhere, *table.own))
        ]
        return [*found, PolicyRule(("get",), urls=(*DISCOVERY_PATHS, *table.paths))], []

    return Authorizer(authorize, rules=rules)


def _of_group(rule: Rule) -> PolicyRule:
    return PolicyRule(rule.verbs, (rule.group,), ("*",))


AUTHORIZER = components
