"""Why one node does not take a pod, as a value: equal misfits are counted together."""

from __future__ import annotations

from dataclasses import dataclass

from mizzen.scheduler.core.dra.allocate import Shortage
from mizzen.scheduler.core.dra.model import Taint
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


# What Kubernetes says of such nodes by taints, which the scheduler here reads off the node itself.
UNSCHEDULABLE = Taint("node.kubernetes.io/unschedulable", "", "NoSchedule")
NOT_READY = Taint("node.kubernetes.io/not-ready", "", "NoSchedule")


def implied_taints(node: NodeView) -> tuple[Taint, ...]:
    """What a controller of Kubernetes would taint a cordoned or unready node with."""
    if node.is_ready and not node.is_unschedulable:
        return ()
    return ((UNSCHEDULABLE,) if node.is_unschedulable else ()) + (
        () if node.is_ready else (NOT_READY,)
    )


def accepts(shape: PodShape, node: NodeView) -> bool:
    """Whether node selector and required node affinity admit the node."""
    labels = node.labels
    if any(labels.get(key) != value for key, value in shape.node_selector):
        return False
    return shape.affinity is None or selects(shape.affinity, node)


def static_misfit(shape: PodShape, node: NodeView) -> Misfit | None:
    """What keeps pods of this shape off the node however empty it is: labels, taints, state."""
    for taint, word in ((UNSCHEDULABLE, "NodeUnschedulable"), (NOT_READY, "NodeNotReady")):
        if taint in implied_taints(node) and untolerated((taint,), shape.tolerations):
            return Misfit(word)
    for key, value in shape.node_selector:
        if node.labels.get(key) != value:
            return Misfit("NodeSelectorMismatch", f"{key}={value}")
    if shape.affinity is not None and not selects(shape.affinity, node):
        return Misfit("NodeAffinityMismatch")
    taint = untolerated(node.taints, shape.tolerations)
    if taint is not None:
        return Misfit("TaintNotTolerated", f"{taint.key}={taint.value}:{taint.effect}")
    return None
