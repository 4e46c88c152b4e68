"""Members of several sizes packed into a few nodes exactly, where filling them size by size failed.

A search: the member that fewest nodes take goes first, onto the fullest node that takes it; nodes
that are equal are tried once, and what is left of them, once found to be too little, is remembered.
Bounded by steps, those of all searches about one unit together (`WhatIf.packing_steps`), so that a
gang of many sizes on many nodes may still be said not to fit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from mizzen.scheduler.core.cluster.signature import CPU_INDEX, Shape
from mizzen.scheduler.core.placing.what_if import WhatIf
from mizzen.scheduler.core.types import Placement, PodSpecView

Member = tuple[int, PodSpecView, Shape]  # with its place among the unit's pods


def pack(what_if: WhatIf, members: Sequence[Member], nodes: Sequence[int]) -> dict[int, Placement]:
    """Places for all of them, by their places among the pods, now assumed; {}: none found,
    and the cluster is as it was."""
    limits = what_if.cluster.limits
    if len(members) > limits.packing_members_max or len(nodes) > limits.packing_nodes_max:
        return {}
    table, sigs = what_if.cluster.signatures, what_if.cluster.nodes.sigs
    if _is_too_much(what_if, members, nodes):
        return {}

    def room_for(shape: Shape) -> int:
        return sum(table.count(shape, s) for n in nodes if (s := sigs[n]) is not None)

    choice = {shape.number: room_for(shape) for _, _, shape in members}
    order = sorted(members, key=lambda m: (choice[m[2].number], m[2].number, m[0]))
    search = _Search(
        what_if, order, nodes, left=min(limits.packing_steps_max, what_if.packing_steps)
    )
    allowed = search.left
    fits = search.place(0)
    what_if.packing_steps -= allowed - search.left
    return search.found if fits else {}


def _is_too_much(what_if: WhatIf, members: Sequence[Member], nodes: Sequence[int]) -> bool:
    """True if all the nodes together have too little of something that is counted."""
    sigs = what_if.cluster.nodes.sigs
    wanted: dict[int, int] = {}
    for _, _, shape in members:
        if shape.claims or shape.covered:
            continue  # devices may serve what it asks for by name
        wanted[CPU_INDEX] = wanted.get(CPU_INDEX, 0) + shape.cpu
        for index, _, amount in shape.demand:
            wanted[index] = wanted.get(index, 0) + amount
    there = [s.free for n in nodes if (s := sigs[n]) is not None]
    return any(
        amount > sum(max(0, free[index]) for free in there if index < len(free))
        for index, amount in wanted.items()
    )


@dataclass(slots=True)
class _Search:
    what_if: WhatIf
    order: Sequence[Member]
    nodes: Sequence[int]
    left: int
    found: dict[int, Placement] = field(default_factory=dict[int, Placement])
    dead_ends: set[tuple[int, tuple[int, ...]]] = field(
        default_factory=set[tuple[int, tuple[int, ...]]]
    )

    def place(self, at: int) -> bool:
        """True if all members from this one on have got places."""
        if at == len(self.order):
            return True
        known = (at, self._state())
        if known in self.dead_ends:
            return False
        index, pod, shape = self.order[at]
        for node in self._candidates(shape):
            if self.left <= 0:
                return False
            self.left -= 1
            mark = self.what_if.mark()
            placement = self.what_if.assume_on(pod, shape, node)
            if isinstance(placement, Placement):
                self.found[index] = placement
                if self.place(at + 1):
                    return True
            self.what_if.rollback(mark)
        self.dead_ends.add(known)
        return False

    def _candidates(self, shape: Shape) -> Iterator[int]:
        """Nodes that take one more, one of each kind, the fullest first."""
        table, sigs = self.what_if.cluster.signatures, self.what_if.cluster.nodes.sigs
        kinds: dict[int, tuple[int, int]] = {}
        for node in self.nodes:
            signature = sigs[node]
            if signature is not None and id(signature) not in kinds:
                kinds[id(signature)] = (table.count(shape, signature), node)
        return iter([node for count, node in sorted(kinds.values()) if count])

    def _state(self) -> tuple[int, ...]:
        """The nodes' signatures, whichever is which."""
        sigs = self.what_if.cluster.nodes.sigs
        return tuple(sorted(id(sigs[node]) for node in self.nodes))
