"""Rules of RBAC: what one allows, whether rules cover others, how messages write them.

Source: pkg/apis/rbac/v1/evaluation_helpers.go, component-helpers auth/rbac/validation,
pkg/registry/rbac/validation, Kubernetes 1.36.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mizzen.apiserver.core.access import Access
from mizzen.base.objects import Obj

_ALL = "*"


class PolicyRule(NamedTuple):
    """Verbs on resources (`pods`, `pods/log`, `*/scale`, `*`), or on paths (`urls`).

    `names` () is every object. A path may end in `*`: any rest.
    """

    verbs: tuple[str, ...]
    groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()

    def allows(self, access: Access) -> bool:
        if access.verb not in self.verbs and _ALL not in self.verbs:
            return False
        if access.path:
            return any(_url_covers(url, access.path) for url in self.urls)
        return (
            (access.group in self.groups or _ALL in self.groups)
            and self._has_resource(access)
            and (not self.names or access.name in self.names)
        )

    def to_object(self) -> Obj:
        """The rule in wire form, without empty lists."""
        pairs = zip(_WIRE_NAMES, self, strict=True)
        return {name: list(values) for name, values in pairs if values}

    def _has_resource(self, access: Access) -> bool:
        resources = self.resources
        if _ALL in resources or access.what in resources:
            return True
        return bool(access.subresource) and f"*/{access.subresource}" in resources


_WIRE_NAMES = ("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs")
FULL_AUTHORITY = (
    PolicyRule(("*",), groups=("*",), resources=("*",)),
    PolicyRule(("*",), urls=("*",)),
)


def rules_of(role: Obj) -> tuple[PolicyRule, ...]:
    """The rules of a stored Role or ClusterRole."""
    return tuple(
        PolicyRule(*(tuple(rule.get(name) or ()) for name in _WIRE_NAMES))
        for rule in role.get("rules") or ()
    )


def uncovered(owned: Sequence[PolicyRule], wanted: Iterable[PolicyRule]) -> list[PolicyRule]:
    """The part of `wanted` that `owned` does not include, in pieces of one verb on one thing."""
    pieces = [piece for rule in wanted for piece in _broken_down(rule)]
    return [piece for piece in pieces if not any(_covers(rule, piece) for rule in owned)]


def compacted(pieces: Iterable[PolicyRule]) -> list[PolicyRule]:
    """Pieces of one resource that differ by their verb alone as one rule."""
    simple: dict[PolicyRule, list[str]] = {}
    others: list[PolicyRule] = []
    for piece in pieces:
        if piece.urls or len(piece.names) > 1:
            others.append(piece)
        else:
            simple.setdefault(piece._replace(verbs=()), []).extend(piece.verbs)
    return [*others, *(rule._replace(verbs=tuple(verbs)) for rule, verbs in simple.items())]


def described(rule: PolicyRule) -> str:
    """`{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`, as refusals of escalation say it."""
    parts = (
        ("APIGroups", rule.groups),
        ("Resources", rule.resources),
        ("NonResourceURLs", rule.urls),
        ("ResourceNames", rule.names),
        ("Verbs", rule.verbs),
    )
    return "{" + ", ".join(f"{name}:{listed(values)}" for name, values in parts if values) + "}"


def listed(values: Sequence[str]) -> str:
    """Texts as Go prints a list of them: `["a" "b"]`."""
    return "[" + " ".join(map(quoted, values)) + "]"


def quoted(text: str) -> str:
    """The whole text as Go quotes it, for messages that clients compare."""
    return json.dumps(text, ensure_ascii=False)


def _broken_down(rule: PolicyRule) -> Iterable[PolicyRule]:
    for group in rule.groups:
        for resource in rule.resources:
            for verb in rule.verbs:
                for names in [(name,) for name in rule.names] or [()]:
                    yield PolicyRule((verb,), (group,), (resource,), names)
    for url in rule.urls:
        for verb in rule.verbs:
            yield PolicyRule((verb,), urls=(url,))


def _covers(rule: PolicyRule, piece: PolicyRule) -> bool:
    """True if a rule includes all of a piece, which has one verb on one thing."""
    if _ALL not in rule.verbs and piece.verbs[0] not in rule.verbs:
        return False
    if piece.urls:
        return any(_url_covers(url, piece.urls[0]) for url in rule.urls)
    if _ALL not in rule.groups and piece.groups[0] not in rule.groups:
        return False
    if rule.names and (not piece.names or piece.names[0] not in rule.names):
        return False
    resource = piece.resources[0]
    if _ALL in rule.resources or resource in rule.resources:
        return True
    _, slash, subresource = resource.partition("/")
    return bool(slash) and f"*/{subresource}" in rule.resources


def _url_covers(url: str, path: str) -> bool:
    return url == path or (url.endswith(_ALL) and path.startswith(url.rstrip(_ALL)))
