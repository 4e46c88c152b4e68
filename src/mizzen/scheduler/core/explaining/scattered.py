"""How much is free, and where most of it is, for what would fit were it in one place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mizzen.scheduler.core.claiming.extended import Extended
from mizzen.scheduler.core.cluster.signature import Shape, Signature
from mizzen.scheduler.core.cluster.tree import ROOT
from mizzen.scheduler.core.dra.model import AllocationError, SubRequest
from mizzen.scheduler.core.placing.what_if import WhatIf
from mizzen.scheduler.core.types import CPU, MEMORY, PODS, PodSpecView
from mizzen.scheduler.core.units import Unit


@dataclass(frozen=True, slots=True)
class Scattered:
    """Free `what` of the nodes that may be used, in all and in the domain with most room.

    `room` is how many of the members `best` takes, `anywhere` how many all nodes together do.
    `want` is what all members need; 0 where they ask for nothing that is counted in devices.
    """

    level: str
    domains: int
    best: str
    room: int
    anywhere: int
    what: str = ""
    want: int = 0
    free_best: int = 0
    free: int = 0

    @property
    def sentence(self) -> str:
        if not self.best:
            return f"no node has the label {self.level}"
        text = f"no domain of {self.level} has room for all its members: "
        lead = f"{self.best}, the best of {self.domains}, takes {self.room}"
        everywhere = f"all nodes together take {self.anywhere}"
        if self.want:
            short = self.want - self.free_best
            lack = f" and lacks {short} of {self.want}" if short > 0 else ""
            lead = f"{lead}{lack} ({self.free_best} {self.what} free there)"
            everywhere = f"{everywhere} ({self.free} free, but scattered)"
        return f"{text}{lead}; {everywhere}".replace("; ", ", ")


def scattered(what_if: WhatIf, unit: Unit, pods: Sequence[PodSpecView]) -> Scattered | None:
    """The figures for a unit that requires a level; None where they cannot be counted."""
    constraints = unit.constraints(unit.member_nodes)
    shape = what_if.shape_of(pods[0])
    if not constraints.topology.required or not what_if.is_countable(pods[0], shape):
        return None
    nodes = what_if.cluster.nodes
    tree = what_if.tree_for(constraints)
    counts = what_if.counts(shape, tree)
    level = tree.level_of(constraints.topology.required)
    free_of = _Free(what_if, shape)
    sigs = nodes.sigs

    def free_on(numbers: Sequence[int]) -> int:
        return sum(free_of.on(s) for n in numbers if (s := sigs[n]) is not None)

    is_node = level >= len(tree.levels)
    listed = sorted(nodes.live()) if is_node else tree.by_level[level]
    if constraints.member_nodes and not is_node:
        around = [nodes.index[name] for name in constraints.member_nodes if name in nodes.index]
        here = {tree.domain_of(node, level) for node in around}
        listed = [d for d in listed if d in here] or listed
    if not listed:
        return Scattered(constraints.topology.required, 0, "", 0, counts.totals[ROOT])
    takes = counts.per_node if is_node else counts.totals
    top = max(takes[d] for d in listed)
    ties = [d for d in listed if takes[d] == top][: what_if.cluster.limits.domains_compared_max]
    free_in = {d: free_on([d] if is_node else tree.nodes_in(d)) for d in ties}
    best = max(ties, key=lambda d: (free_in[d], -d))
    want = sum(_Free(what_if, what_if.shape_of(pod)).want for pod in pods)
    return Scattered(
        constraints.topology.required,
        len(listed),
        nodes.names[best] if is_node else tree.name(best),
        top,
        counts.totals[ROOT],
        free_of.what,
        want,
        free_in[best],
        free_of.everywhere(),
    )


def free_devices(what_if: WhatIf, pod: PodSpecView, request: SubRequest | None) -> int:
    """Free devices that would match one of the pod's requests, on all nodes that admit the pod."""
    return _Free(what_if, what_if.shape_of(pod), request).everywhere()


class _Free:
    """Free devices that match a request, the first of the shape if none is said, or free amounts."""

    def __init__(self, what_if: WhatIf, shape: Shape, request: SubRequest | None = None) -> None:
        self._what_if = what_if
        self._shape = shape
        self._masks: dict[int, int] = {}
        self._known: dict[int, int] = {}
        claims = [c for c in shape.claims if not isinstance(c, Extended)]
        first = claims[0].requests[0].alternatives[0] if claims and claims[0].requests else None
        self._sub = request or first
        counted = [d for d in shape.demand if d[1] not in (MEMORY, PODS, CPU) and "/" in d[1]]
        self._counted = counted[0] if counted and self._sub is None else None
        self.what = "devices" if self._sub is not None else ""
        self.want = self._sub.count if self._sub is not None and not self._sub.all_devices else 0
        if self._counted is not None:
            self.what, self.want = self._counted[1], self._counted[2]

    def everywhere(self) -> int:
        groups = self._what_if.cluster.nodes.groups()
        return sum(self.on(signature) * signature.nodes for signature in groups)

    def on(self, signature: Signature) -> int:
        known = self._known.get(id(signature))
        if known is None:
            known = self._known[id(signature)] = self._count(signature)
        return known

    def _count(self, signature: Signature) -> int:
        table = self._what_if.cluster.signatures
        if table.static(self._shape, signature.static) is not None:
            return 0
        if self._counted is not None:
            index = self._counted[0]
            return max(0, signature.free[index]) if index < len(signature.free) else 0
        if self._sub is None:
            return 0
        mask = self._masks.get(id(signature.layout))
        if mask is None:
            mask = self._masks[id(signature.layout)] = self._mask(signature)
        return (mask & ~signature.held).bit_count()

    def _mask(self, signature: Signature) -> int:
        """A bit for each device of the layout that class, selectors and taints admit."""
        terms, sub = self._what_if.cluster.terms, self._sub
        known = terms.classes.get(sub.device_class) if sub is not None else None
        if sub is None or known is None:
            return 0
        mask = 0
        for index, device in enumerate(signature.layout.devices):
            try:
                if device.shape.consumes or terms.matching.repels(device, sub):
                    continue  # what it draws on may be used up, or nobody may have it
                if terms.matching.matches(known, sub, device):
                    mask |= 1 << index
            except AllocationError:
                continue
        return mask
