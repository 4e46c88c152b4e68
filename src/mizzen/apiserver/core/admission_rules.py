"""The writes that rules of webhooks and policies are about, and what their selectors choose.

Source: k8s.io/apiserver/pkg/admission/plugin/webhook/predicates, v0.36.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from mizzen.base.objects import Obj, labels_of
from mizzen.base.selectors import from_object

EXEMPT_GROUP = "admissionregistration.k8s.io"  # or nobody could mend a webhook that refuses all


class Place(NamedTuple):
    """The target of a write, as rules name it; `operation` is CREATE, UPDATE, DELETE, CONNECT."""

    group: str
    version: str
    resource: str
    subresource: str
    operation: str
    is_namespaced: bool


def rule_matches(rule: Obj, place: Place) -> bool:
    """True if a rule is about this write."""
    scope = rule.get("scope") or "*"
    if scope != "*" and (scope == "Namespaced") != place.is_namespaced:
        return False
    return (
        _has(rule.get("operations"), place.operation)
        and _has(rule.get("apiGroups"), place.group)
        and _has(rule.get("apiVersions"), place.version)
        and any(
            _names(each, place.resource, place.subresource) for each in rule.get("resources") or ()
        )
    )


def matched_version(
    rules: Iterable[Obj], place: Place, versions: Sequence[str], *, is_equivalent: bool
) -> str | None:
    """The version in which rules want to see this write; None where they are not about it.

    `versions`: all in which the resource is served, of which `is_equivalent` lets any match.
    """
    rules = list(rules)
    if any(rule_matches(rule, place) for rule in rules):
        return place.version
    if is_equivalent:
        for rule in rules:
            for version in versions:
                if rule_matches(rule, place._replace(version=version)):
                    return version
    return None


def may_match(rules: Iterable[Obj], group: str, resource: str) -> bool:
    """True if rules are about some write of a resource."""
    return any(
        _has(rule.get("apiGroups"), group)
        and any(each.partition("/")[0] in ("*", resource) for each in rule.get("resources") or ())
        for rule in rules
    )


def selects(selector: Obj | None, *objects: Obj | None) -> bool:
    """True if a label selector chooses one of the objects; without a selector all are chosen."""
    if not selector:
        return True
    wanted = from_object(selector)
    there = [obj for obj in objects if obj is not None and "metadata" in obj]
    return wanted is None or any(wanted.matches(labels_of(obj)) for obj in there)


def _has(items: Any, wanted: str) -> bool:
    return any(item in ("*", wanted) for item in items or ())


def _names(written: str, resource: str, subresource: str) -> bool:
    name, _, sub = written.partition("/")
    return name in ("*", resource) and sub in ("*", subresource)


def api_version(group: str, version: str) -> str:
    return f"{group}/{version}" if group else version
