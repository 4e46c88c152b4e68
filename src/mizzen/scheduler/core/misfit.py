"""Why one node does not take a pod, as a value: equal misfits are counted together."""

from __future__ import annotations

from dataclasses import dataclass

from mizzen.scheduler.core.dra.allocate import Shortage
from mizzen.scheduler.core.matching import selects, untolerated
from mizzen.scheduler.core.types import NodeView, PodShape


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why one node does not take the pod; `want` and `have` are in the unit of `what`."""

    word: str
    what: str = ""
    want: int = 0
    have: int = 0
    shortage: Shortage | None = None


def static_misfit(shape: PodShape, node: NodeView) -> Misfit | None:
    """What keeps pods of this shape off the node however empty it is: labels, taints, state."""
    if node.is_unschedulable:
        return Misfit("NodeUnschedulable")
    if not node.is_ready:
        return Misfit("NodeNotReady")
    for key, value in shape.node_selector:
        if node.labels.get(key) != value:
            return Misfit("NodeSelectorMismatch", f"{key}={value}")
    if shape.affinity is not None and not selects(shape.affinity, node):
        return Misfit("NodeAffinityMismatch")
    taint = untolerated(node.taints, shape.tolerations)
    if taint is not None:
        return Misfit("TaintNotTolerated", f"{taint.key}={taint.value}:{taint.effect}")
    return None
