"""Victims in a large cluster: the domains that are cheapest to free are found from totals.

Only these are spelled out, node by node and pod by pod, for the solver; its answer is verified by
placing. Units: chips are devices held; pods without devices have nothing to give here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from mizzen.scheduler.core.cluster.signature import Shape, Signature
from mizzen.scheduler.core.cluster.tree import HOSTNAME, Tree
from mizzen.scheduler.core.dra.model import ClaimRequest
from mizzen.scheduler.core.preemption.candidates import Candidate
from mizzen.scheduler.core.preemption.eviction import Eviction, Preemption, freeing
from mizzen.scheduler.core.preemption.solver.objective import cell_of
from mizzen.scheduler.core.preemption.solver.problem import Demand, Kind, Problem
from mizzen.scheduler.core.preemption.solver.ranking import (
    Columns,
    choose_ranked,
    gather,
    rank_domains,
)

Groups = Sequence[Sequence[int]]


class ByDevices(Preemption):
    """Searches where chips say what the unit lacks: where there are `shapes`."""

    @cached_property
    def shapes(self) -> tuple[tuple[Shape, int, int], ...]:
        """(shape, chips of a pod, how many such pods); () when chips do not describe the unit."""
        grouped: dict[int, tuple[Shape, int]] = {}
        for pod in self.pods:
            shape = self.what_if.shape_of(pod)
            if not self.what_if.is_countable(pod, shape):
                return ()
            grouped[shape.number] = (shape, grouped.get(shape.number, (shape, 0))[1] + 1)
        found = tuple([(shape, _chips(shape), count) for shape, count in grouped.values()])
        return found if all(chips for _, chips, _ in found) else ()

    @cached_property
    def largest(self) -> tuple[Shape, int]:
        shape, chips, _ = max(self.shapes, key=lambda entry: entry[1])
        return shape, chips

    def victims(self) -> Eviction | None:
        """The cheapest found; None when no set is enough."""
        may, held = self.policy.may_displace_priority, self.cluster.chips
        priorities = sorted(p for p in held if may(self.preemptor, p) and any(held[p]))
        if not priorities:
            return None
        tree = self.what_if.tree_for(self.constraints)
        leaves, domains = self._domains(tree)
        columns = self._columns(tree, leaves, priorities)
        want = sum(chips * count for _, chips, count in self.shapes)
        if len(domains) != 1:
            return self._free_one(columns, leaves, domains, want)
        for slack in self.limits.device_slacks:
            picked = gather(columns, domains[0], want, slack, self.limits)
            found = self._free_one(columns, leaves, [picked], want)
            if found is not None or len(picked) == len(domains[0]):
                return found
        return None

    def _domains(self, tree: Tree) -> tuple[Groups, Groups]:
        """Nodes of each leaf, and leaves of each domain that the unit may be freed room in."""
        required = self.constraints.topology.required
        if self.unit.needed == 1 or required == HOSTNAME:
            leaves = [[node] for node in sorted(self.cluster.nodes.live())]
            required = HOSTNAME
        else:
            leaves = [nodes for nodes in tree.nodes if nodes]
        number = {nodes[0]: leaf for leaf, nodes in enumerate(leaves)}
        return leaves, [[number[n] for n in some] for some in tree.grouped(number, required)]

    def _columns(self, tree: Tree, leaves: Groups, priorities: Sequence[int]) -> Columns:
        """Chips by leaf: free ones in whole pods of the largest shape, and held ones by priority."""
        cluster = self.cluster
        shape, chips = self.largest
        counts = self.what_if.counts(shape, tree)
        free = [chips * count for count in _sums(counts.per_node, leaves)]
        losses = [_sums(cluster.chips[p], leaves) for p in priorities]
        rests = self._rests(shape, chips)
        held = [list(column) for column in losses] if rests else losses
        for leaf, listed in enumerate(leaves) if rests else ():
            column = next((c for c in held if c[leaf]), None)
            if column is not None:
                column[leaf] += sum([rests.get(cluster.nodes.sigs[n], 0) for n in listed])
        return Columns(free, [cell_of(p, Kind.KILL) for p in priorities], held, losses)

    def _rests(self, shape: Shape, chips: int) -> dict[Signature | None, int]:
        """Chips left over beside whole pods, at most: of use once others on the node are given back."""
        table = self.cluster.signatures
        found: dict[Signature | None, int] = {}
        for signature in self.cluster.nodes.groups():
            rest = self._free(shape, signature, chips) % chips
            if rest and table.static(shape, signature.static) is None:
                found[signature] = rest
        return found

    def _free(self, shape: Shape, signature: Signature, chips: int) -> int:
        """Free chips: those of whole pods, and what more may be there of use to another one."""
        whole = chips * self.cluster.signatures.count(shape, signature)
        unheld = len(signature.layout.devices) - signature.held.bit_count()
        return whole + max(0, min(chips - 1, unheld - whole))

    def _free_one(
        self, columns: Columns, leaves: Groups, domains: Groups, want: int
    ) -> Eviction | None:
        """Counts chips alone at first; asks placing at every step only where that misled."""
        nodes, table, candidates = self.cluster.nodes, self.cluster.signatures, self.candidates
        shape, size = self.largest
        demand = Demand(tuple([(chips, count) for _, chips, count in self.shapes]))
        known: dict[object, Candidate] = {}  # spelled out so far
        built: list[Candidate] = []  # those of the last problem

        def build(some: Sequence[int]) -> Problem:
            """Nodes of these domains, numbered from 0, and everything that may leave them."""
            local: dict[str, int] = {}
            free: list[int] = []
            numbered: list[tuple[int, ...]] = []
            for domain in some:
                inside: list[int] = []
                for node in (n for leaf in domains[domain] for n in leaves[leaf]):
                    signature = nodes.sigs[node]
                    if signature is None or table.static(shape, signature.static) is not None:
                        continue
                    inside.append(local.setdefault(nodes.names[node], len(free)))
                    free.append(self._free(shape, signature, size))
                numbered.append(tuple(inside))
            leaving = [pod for name in local for pod in candidates.on(nodes.index[name])]
            built[:] = candidates.among(leaving)
            known.update({candidate.key: candidate for candidate in built})
            frees = freeing(lambda pod: local.get(pod.node, -1), lambda member: member.devices)
            holders = tuple([candidate.holder(frees) for candidate in built])
            return Problem(demand, tuple(free), tuple(numbered), holders)

        ranked = rank_domains(columns, domains, want)
        for fits in (None, self.placing(built)):
            choice = choose_ranked(ranked, build, fits, self.limits)
            if choice is None:
                return None
            leaving = [known[holder.key] for holder in choice.problem.holders]
            found = self.evict(leaving, choice.answer.levels)
            if found is not None:
                return found
        return None


def _chips(shape: Shape) -> int:
    requests = [c for c in shape.claims if isinstance(c, ClaimRequest)]
    return sum(r.alternatives[0].count for c in requests for r in c.requests if r.alternatives)


def _sums(per_node: Sequence[int], leaves: Groups) -> list[int]:
    size = len(per_node)
    return [sum([per_node[n] for n in listed if n < size]) for listed in leaves]
