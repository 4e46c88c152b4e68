"""Shapes of pods, interned: equal ones are one object, whoever has them."""

from __future__ import annotations

from mizzen.scheduler.core.cluster.nodes import Nodes
from mizzen.scheduler.core.cluster.signature import Request, Shape
from mizzen.scheduler.core.cluster.tree import HOSTNAME
from mizzen.scheduler.core.dra.model import NodeRequirement
from mizzen.scheduler.core.fit import label_keys
from mizzen.scheduler.core.limits import Limits
from mizzen.scheduler.core.types import CPU, PodShape


class Shapes:
    """Interns shapes, and has the nodes told apart by the labels they read.

    Numbers are never used twice, so answers about a forgotten shape are of use to nobody else.
    """

    def __init__(self, nodes: Nodes, limits: Limits) -> None:
        self._nodes = nodes
        self._most = limits.shapes_max
        self._known: dict[tuple[PodShape, tuple[Request, ...], bool], Shape] = {}
        self._made = 0

    def __len__(self) -> int:
        return len(self._known)

    def of(
        self, pod: PodShape, claims: tuple[Request, ...] = (), *, has_claims: bool = False
    ) -> Shape:
        """The shape of pods with these requests; `claims` are those not allocated yet."""
        key = (pod, claims, has_claims)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= self._most:  # all at once, and what is known of them
                self._known.clear()
                self._nodes.signatures.forget_answers()
            found = self._known[key] = self._make(pod, claims, has_claims)
        return found

    def _make(self, pod: PodShape, claims: tuple[Request, ...], has_claims: bool) -> Shape:
        pinned = _pinned(pod)
        exact = pinned is not None or any(_reads_name(p) for t in pod.affinity or () for p in t)
        rest = PodShape(pod.requests, (), None, pod.tolerations) if exact else pod
        self._nodes.reference(label_keys(rest))
        index_of = self._nodes.signatures.index_of
        demand = tuple((index_of(n), n, a) for n, a in pod.requests if n != CPU)
        self._made += 1
        return Shape(self._made, rest, claims, has_claims or bool(claims), demand, pinned, exact)


def _pinned(pod: PodShape) -> frozenset[str] | None:
    """The names or host names of the only nodes a pod accepts, if it lists them."""
    pinned: frozenset[str] | None = None
    for key, value in pod.node_selector:
        if key == HOSTNAME:
            pinned = frozenset((value,))
    affinity = pod.affinity
    if affinity is not None and all(any(_names(p) for p in term) for term in affinity):
        named = {value for term in affinity for p in term if _names(p) for value in p.values}
        pinned = frozenset(named) if pinned is None else pinned & named
    return pinned


def _names(requirement: NodeRequirement) -> bool:
    return requirement.operator == "In" and _reads_name(requirement)


def _reads_name(requirement: NodeRequirement) -> bool:
    return requirement.is_field or requirement.key == HOSTNAME
