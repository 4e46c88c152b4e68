"""Node selectors, required node affinity and tolerations, matched against nodes and taints.

Source: k8s.io/component-helpers `scheduling/corev1` (nodeaffinity, tolerations), v1.36.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mizzen.scheduler.core.dra.matching import REPELLING, tolerates
from mizzen.scheduler.core.dra.model import (
    NodeRequirement,
    NodeScope,
    NodeSelector,
    Taint,
    Toleration,
)
from mizzen.scheduler.core.dra.nodes import meets
from mizzen.scheduler.core.types import NodeView


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
    if not part.is_field:
        return meets(part, node.labels.get(part.key))
    return meets(part, node.name if part.key == "metadata.name" else None)


def untolerated(taints: Iterable[Taint], tolerations: Sequence[Toleration]) -> Taint | None:
    """The first taint that keeps the pod or request away, if any."""
    for taint in taints:
        if taint.effect in REPELLING and not any(tolerates(t, taint) for t in tolerations):
            return taint
    return None
