"""Node selectors matched against nodes, with the errors upstream reports for senseless ones.

Source: k8s.io/component-helpers scheduling/corev1/nodeaffinity, k8s.io/apimachinery labels and
validation, v0.36.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Protocol

from mizzen.base.selectors import int64
from mizzen.scheduler.core.dra.model import (
    AllocationError,
    NodeRequirement,
    NodeScope,
    NodeSelector,
)

_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]\Z")
_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*\Z")


class Node(Protocol):
    """A node as far as the placement of devices sees it."""

    @property
    def name(self) -> str: ...
    @property
    def labels(self) -> Mapping[str, str]: ...


def reaches(scope: NodeScope, node: Node) -> bool:
    """True if the node is in scope. Errors: AllocationError when the selector is not valid."""
    if scope.node:
        return scope.node == node.name
    if scope.all_nodes:
        return True
    if scope.selector is None:
        return False
    problem = selector_problem(scope.selector)
    if problem:
        raise AllocationError(f"node selector is invalid: {problem}")
    return any(_term_matches(term, node) for term in scope.selector if term)


def _term_matches(term: tuple[NodeRequirement, ...], node: Node) -> bool:
    """A field of a node without a name is met; an unknown field reads as empty."""
    for requirement in term:
        if not requirement.is_field:
            value = node.labels.get(requirement.key)
        elif node.name:
            value = node.name if requirement.key == "metadata.name" else ""
        else:
            continue
        if not meets(requirement, value):
            return False
    return True


def meets(requirement: NodeRequirement, value: str | None) -> bool:
    """True if a label or field with this value (None: absent) is what is required."""
    match requirement.operator:
        case "In":
            return value is not None and value in requirement.values
        case "NotIn":
            return value is None or value not in requirement.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt" if value is not None and len(requirement.values) == 1:
            seen, bound = int64(value), int64(requirement.values[0])
            if seen is None or bound is None:
                return False
            return seen > bound if requirement.operator == "Gt" else seen < bound
        case _:
            return False


# -- validity ---------------------------------------------------------------------------


@lru_cache(1024)
def selector_problem(selector: NodeSelector) -> str:
    """The first thing that is wrong with it, or ""."""
    for requirement in (r for term in selector for r in term):
        problem = _field_problem(requirement) if requirement.is_field else _problem(requirement)
        if problem:
            return f"{requirement.key} {requirement.operator}: {problem}"
    return ""


def _field_problem(requirement: NodeRequirement) -> str:
    if requirement.operator not in ("In", "NotIn"):
        return "a field takes In or NotIn only"
    return "" if len(requirement.values) == 1 else "a field takes exactly one value"


def _problem(requirement: NodeRequirement) -> str:
    count = len(requirement.values)
    match requirement.operator:
        case "In" | "NotIn":
            if not count:
                return "needs at least one value"
        case "Exists" | "DoesNotExist":
            if count:
                return "takes no values"
        case "Gt" | "Lt":
            if count != 1 or int64(requirement.values[0]) is None:
                return "needs exactly one integer"
        case _:
            return "is no operator; there are In, NotIn, Exists, DoesNotExist, Gt, Lt"
    if not _is_qualified_name(requirement.key):
        return "the key is not a label name"
    for value in requirement.values:
        if len(value) > 63 or (value and not _NAME.match(value)):
            return f"{value!r} is not a label value"
    return ""


def _is_qualified_name(key: str) -> bool:
    prefix, slash, name = key.rpartition("/")
    if slash and (len(prefix) > 253 or not _SUBDOMAIN.match(prefix)):
        return False
    return 0 < len(name) <= 63 and _NAME.match(name) is not None
