"""Node fit: every predicate once, for all who ask.

Asked of a signature for all nodes that have it (`cluster/signatures.py`), or of one node as it
stands (`placing/exact.py`); only how devices are found differs between them. A new predicate is
written here. If it reads labels, `label_keys` names them, so that nodes are told apart by them; if it
rests on more than a signature has, `WhatIf.is_countable` says so of the pods that it concerns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from mizzen.base.images import differ
from mizzen.scheduler.core.cluster.layouts import Layout, Terms
from mizzen.scheduler.core.cluster.signature import CPU_INDEX, Shape, Signature
from mizzen.scheduler.core.dra.model import DeviceResult, Taint
from mizzen.scheduler.core.matching import selects, untolerated
from mizzen.scheduler.core.misfit import Misfit
from mizzen.scheduler.core.types import CPU, MEMORY, PODS, NodeView, PodShape

Free = tuple[int, ...]  # amounts by resource index
Taken = Sequence[tuple[DeviceResult, int]]  # devices of the node, with their places in its layout

# -- what no placement changes ------------------------------------------------------------------

# What Kubernetes says of such nodes by taints, which the scheduler here reads off the node itself.
UNSCHEDULABLE = Taint("node.kubernetes.io/unschedulable", "", "NoSchedule")
NOT_READY = Taint("node.kubernetes.io/not-ready", "", "NoSchedule")


def implied_taints(node: NodeView) -> tuple[Taint, ...]:
    """The taints that a controller of Kubernetes would put on a cordoned or unready node."""
    if node.is_ready and not node.is_unschedulable:
        return ()
    return ((UNSCHEDULABLE,) if node.is_unschedulable else ()) + (
        () if node.is_ready else (NOT_READY,)
    )


def accepts(shape: PodShape, node: NodeView) -> bool:
    """True if node selector and required node affinity admit the node."""
    labels = node.labels
    if any(labels.get(key) != value for key, value in shape.node_selector):
        return False
    return shape.affinity is None or selects(shape.affinity, node)


def static_misfit(shape: PodShape, node: NodeView) -> Misfit | None:
    """The thing that keeps this shape off the node however empty it is: labels, taints, state."""
    for taint, word in ((UNSCHEDULABLE, "NodeUnschedulable"), (NOT_READY, "NodeNotReady")):
        if taint in implied_taints(node) and untolerated((taint,), shape.tolerations):
            return Misfit(word)
    if differ(shape.images, node.images):
        return Misfit("ImagesOfOthers", shape.images)
    for key, value in shape.node_selector:
        if node.labels.get(key) != value:
            return Misfit("NodeSelectorMismatch", f"{key}={value}")
    if shape.affinity is not None and not selects(shape.affinity, node):
        return Misfit("NodeAffinityMismatch")
    taint = untolerated(node.taints, shape.tolerations)
    if taint is not None:
        return Misfit("TaintNotTolerated", f"{taint.key}={taint.value}:{taint.effect}")
    return None


def label_keys(shape: PodShape) -> set[str]:
    """Labels of nodes whose values decide whether they take pods of this shape."""
    named = {part.key for term in shape.affinity or () for part in term if not part.is_field}
    return named | {key for key, _ in shape.node_selector}


# -- what changes with every placement ----------------------------------------------------------


class NodeFit:
    """Amounts and devices. Not a value: resources get their places in free amounts here."""

    def __init__(self, terms: Terms, pods_max: int) -> None:
        self._terms = terms
        self._pods_max = pods_max  # of one shape that are counted on one node
        self.resources: dict[str, int] = {CPU: CPU_INDEX, MEMORY: 1, PODS: 2}
        self._extended: dict[str, str] = {}  # resource names that devices serve: their class

    def index_of(self, resource: str) -> int:
        """The place of a resource in free amounts; made when it is new."""
        return self.resources.setdefault(resource, len(self.resources))

    def reread_classes(self) -> None:
        self._extended = {
            c.extended_resource: c.name
            for c in reversed(self._terms.classes.values())
            if c.extended_resource
        }

    def misfit(
        self,
        shape: Shape,
        signature: Signature,
        static: Misfit | None,
        neighbours: Callable[[], Misfit | None] | None = None,
    ) -> Misfit | None:
        """The first thing in the pod's way but devices and CPU, which rests on them.

        `static` is the answer of `static_misfit`; `neighbours` asks who is near, where it matters.
        """
        found = static or self.amounts_misfit(shape, signature)
        if found is None and neighbours is not None:
            found = neighbours()
        return found

    def charged(
        self, shape: Shape, signature: Signature, taken: Taken, *, owns_cores: bool
    ) -> Free | Misfit:
        """Free amounts once the pod has taken these devices, or what there is too little of.

        `owns_cores`: devices are its CPU, and what it requests is not charged.
        """
        layout, free = signature.layout, signature.free
        claimed = sum([layout.cpu_of[i] for result, i in taken if not result.shared])
        want = claimed + (0 if owns_cores else shape.cpu)
        have = max(0, free[CPU_INDEX])
        if want > have:
            return Misfit("InsufficientCPU", CPU, want, have)
        left = list(free)
        for index, _, amount in shape.demand:
            if index >= len(left):
                left += [0] * (index + 1 - len(left))
            left[index] -= amount
        left[CPU_INDEX] -= want
        return self._mapped(layout, taken, left) if layout.takes_more else tuple(left)

    def amounts_misfit(self, shape: Shape, signature: Signature) -> Misfit | None:
        """Everything counted but CPU, which depends on the claims."""
        free = signature.free
        for index, name, want in shape.demand:
            have = free[index] if index < len(free) else 0
            if want <= have:
                continue
            if self._is_claimed(shape, name) and name not in signature.static.node.allocatable:
                continue  # no device plugin offers it here: devices do
            return Misfit("InsufficientResource", name, want, max(0, have))
        return None

    def _is_claimed(self, shape: Shape, name: str) -> bool:
        return name in shape.covered or (shape.has_claims and name in self._extended)

    def count_plain(self, shape: Shape, signature: Signature, static: Misfit | None) -> int:
        """The number of pods without claims that fit there one after another."""
        if self.misfit(shape, signature, static) is not None:
            return 0
        free = signature.free
        count = self._pods_max
        if shape.cpu:
            count = min(count, max(0, free[CPU_INDEX]) // shape.cpu)
        for index, name, want in shape.demand:
            here = name in signature.static.node.allocatable
            if here or not self._is_claimed(shape, name):
                count = min(count, free[index] // want)
        return count

    def _mapped(
        self, layout: Layout, taken: Iterable[tuple[DeviceResult, int]], left: list[int]
    ) -> Free | Misfit:
        """Amounts less what these devices take of the node's own, or what there is too little of."""
        for result, device in taken:
            shared = tuple([(n, a.nano) for n, a in result.consumed]) if result.shared else None
            for name, want in layout.uses(device, shared):
                index = self.index_of(name)
                left += [0] * (index + 1 - len(left))
                if want > left[index]:
                    word = "InsufficientCPU" if name == CPU else "InsufficientResource"
                    return Misfit(word, name, want, max(0, left[index]))
                left[index] -= want
        return tuple(left)
