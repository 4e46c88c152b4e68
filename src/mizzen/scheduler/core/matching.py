"""Node selectors, required node affinity and tolerations, matched against nodes and taints.

Source: k8s.io/component-helpers `scheduling/corev1` (nodeaffinity, tolerations), v1.36.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mizzen.base.selectors import int64
from mizzen.scheduler.core.dra.model import (
    NodeRequirement,
    NodeScope,
    NodeSelector,
    Taint,
    Toleration,
)
from mizzen.scheduler.core.types import NodeView

_REPELLING = frozenset({"NoSchedule", "NoExecute"})


def selects(selector: NodeSelector, node: NodeView) -> bool:
    """True if any term matches; neither an empty term nor a selector without terms does."""
    return any(bool(term) and all(_meets(part, node) for part in term) for term in selector)


def reaches(scope: NodeScope, node: NodeView) -> bool:
    """True if a device with this scope can be used on the node."""
    if scope.node:
        return scope.node == node.name
    if scope.selector is not None:
        return selects(scope.selector, node)
    return scope.all_nodes


def _meets(part: NodeRequirement, node: NodeView) -> bool:
    if part.is_field:
        value = node.name if part.key == "metadata.name" else None
    else:
        value = node.labels.get(part.key)
    match part.operator:
        case "In":
            return value is not None and value in part.values
        case "NotIn":
            return value is None or value not in part.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt":
            return _compares(part, value)
        case _:
            return False


def _compares(part: NodeRequirement, value: str | None) -> bool:
    """Both sides must be integers, else the requirement is not met."""
    if value is None or len(part.values) != 1:
        return False
    seen, bound = int64(value), int64(part.values[0])
    if seen is None or bound is None:
        return False
    return seen > bound if part.operator == "Gt" else seen < bound


def untolerated(taints: Iterable[Taint], tolerations: Sequence[Toleration]) -> Taint | None:
    """The first taint that keeps the pod or request away, if any."""
    for taint in taints:
        if taint.effect in _REPELLING and not any(_tolerates(t, taint) for t in tolerations):
            return taint
    return None


def _tolerates(toleration: Toleration, taint: Taint) -> bool:
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    if toleration.operator == "Exists":
        return True
    return bool(toleration.key) and toleration.value == taint.value
