"""An audit policy: how much of which requests is recorded.

Source: audit.k8s.io/v1 Policy; apiserver pkg/audit/policy, Kubernetes 1.36. Beyond that, bodies of
what holds secrets are recorded by a rule that names the resource, and by no wildcard.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from mizzen.apiserver.core.access import Access
from mizzen.base.reading import entries

NONE, METADATA, REQUEST, REQUEST_RESPONSE = range(4)
LEVELS = ("None", "Metadata", "Request", "RequestResponse")
RECEIVED, STARTED, COMPLETE, PANIC = (
    "RequestReceived", "ResponseStarted", "ResponseComplete", "Panic",
)  # fmt: skip
_STAGES = frozenset((RECEIVED, STARTED, COMPLETE, PANIC))
_RULE_FIELDS = frozenset((
    "level", "users", "userGroups", "verbs", "resources", "namespaces", "nonResourceURLs",
    "omitStages", "omitManagedFields",
))  # fmt: skip
_WITH_SECRETS = frozenset((
    ("", "secrets"), ("", "serviceaccounts/token"), ("authentication.k8s.io", "tokenreviews"),
    ("mizzen.dev", "plans"),
))  # fmt: skip


class BadPolicy(ValueError):
    """A policy that says something else than audit policies can; the message says where."""


@dataclass(frozen=True, slots=True)
class Treatment:
    """What is recorded of one request, and at which of its stages nothing."""

    level: int
    omitted: frozenset[str] = frozenset()


_NOTHING = Treatment(NONE)


@dataclass(frozen=True, slots=True)
class _Resources:
    group: str
    resources: tuple[str, ...]
    names: tuple[str, ...]

    def matches(self, access: Access) -> bool:
        if self.group not in (access.group, "*"):
            return False
        if not self.resources:
            return True
        if self.names and access.name not in self.names:
            return False
        wanted = {access.what, "*", f"{access.resource}/*"}
        if access.subresource:
            wanted.add(f"*/{access.subresource}")
        return not wanted.isdisjoint(self.resources)


@dataclass(frozen=True, slots=True)
class _Rule:
    treatment: Treatment
    users: tuple[str, ...]
    groups: tuple[str, ...]
    verbs: tuple[str, ...]
    namespaces: tuple[str, ...]
    resources: tuple[_Resources, ...]
    urls: tuple[str, ...]

    def matches(self, access: Access) -> bool:
        if self.users and access.user.name not in self.users:
            return False
        if self.groups and not set(self.groups) & set(access.user.groups):
            return False
        if self.verbs and access.verb not in self.verbs:
            return False
        if self.namespaces or self.resources:
            if access.path or (self.namespaces and access.namespace not in self.namespaces):
                return False
            return not self.resources or any(each.matches(access) for each in self.resources)
        if self.urls:
            return bool(access.path) and any(_covers(url, access.path) for url in self.urls)
        return True

    def names(self, access: Access) -> bool:
        """True if it says this very resource."""
        return any(
            each.group == access.group and access.what in each.resources for each in self.resources
        )


class AuditPolicy:
    """The first rule that matches a request decides."""

    def __init__(self, policy: Mapping[str, Any]) -> None:
        """Errors: BadPolicy."""
        if policy.get("apiVersion") != "audit.k8s.io/v1" or policy.get("kind") != "Policy":
            raise BadPolicy("apiVersion, kind: must be audit.k8s.io/v1, Policy")
        rules = entries(policy, "rules")
        if not rules:
            raise BadPolicy("rules: at least one is needed; without any, nothing is recorded")
        omitted = _stages(policy, "")
        self._rules = [_rule(rule, f"rules[{i}]", omitted) for i, rule in enumerate(rules)]

    def treatment(self, access: Access) -> Treatment:
        for rule in self._rules:
            if rule.matches(access):
                found = rule.treatment
                what = (access.group, access.what)
                if found.level > METADATA and what in _WITH_SECRETS and not rule.names(access):
                    return Treatment(METADATA, found.omitted)
                return found
        return _NOTHING


def _rule(rule: Mapping[str, Any], path: str, omitted: frozenset[str]) -> _Rule:
    unknown = sorted(rule.keys() - _RULE_FIELDS)
    if unknown:
        raise BadPolicy(f"{path}.{unknown[0]}: there is no such field")
    level = rule.get("level")
    if level not in LEVELS:
        raise BadPolicy(f"{path}.level: {level!r} must be one of {', '.join(LEVELS)}")
    urls = _texts(rule, "nonResourceURLs", path)
    namespaces = _texts(rule, "namespaces", path)
    resources = tuple(
        _Resources(
            str(each.get("group") or ""),
            _texts(each, "resources", f"{path}.resources[{index}]"),
            _texts(each, "resourceNames", f"{path}.resources[{index}]"),
        )
        for index, each in enumerate(entries(rule, "resources"))
    )
    if urls and (resources or namespaces):
        raise BadPolicy(
            f"{path}.nonResourceURLs: rules cannot apply to both regular resources and "
            "non-resource URLs"
        )
    return _Rule(
        Treatment(LEVELS.index(level), omitted | _stages(rule, f"{path}.")),
        _texts(rule, "users", path),
        _texts(rule, "userGroups", path),
        _texts(rule, "verbs", path),
        namespaces,
        resources,
        urls,
    )


def _stages(of: Mapping[str, Any], prefix: str) -> frozenset[str]:
    stages = frozenset(_texts(of, "omitStages", prefix.rstrip(".")))
    if stages - _STAGES:
        unknown = min(stages - _STAGES)
        raise BadPolicy(f"{prefix}omitStages: {unknown!r} must be one of {', '.join(_STAGES)}")
    return stages


def _texts(of: Mapping[str, Any], name: str, path: str) -> tuple[str, ...]:
    values = cast("list[Any]", of.get(name) or [])
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise BadPolicy(f"{path}.{name}: must be a list of texts")
    return tuple(values)


def _covers(url: str, path: str) -> bool:
    return url in ("*", path) or (url.endswith("*") and path.startswith(url.rstrip("*")))
