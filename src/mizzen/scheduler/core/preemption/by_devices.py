"""Victims in a large cluster: the domains that are cheapest to free are found from totals.

Only these are spelled out, node by node and pod by pod, for the solver; its answer is verified by
placing. Units: chips are devices held; pods without devices have nothing to give here.
"""

from __future__ import annotations

from collections.abc import Sequence

from mizzen.scheduler.core.cluster.signature import Shape, Signature
from mizzen.scheduler.core.cluster.signatures import Signatures
from mizzen.scheduler.core.cluster.tree import Tree
from mizzen.scheduler.core.dra.model import ClaimRequest
from mizzen.scheduler.core.placing.attempt import Placer
from mizzen.scheduler.core.preemption.candidates import Candidate, Member
from mizzen.scheduler.core.preemption.eviction import Eviction, Preemption
from mizzen.scheduler.core.preemption.policy import PreemptionPolicy
from mizzen.scheduler.core.preemption.solver.objective import cell_of
from mizzen.scheduler.core.preemption.solver.problem import Demand, Kind, Problem
from mizzen.scheduler.core.preemption.solver.ranking import (
    Columns,
    choose_ranked,
    gather,
    rank_domains,
)
from mizzen.scheduler.core.units import Unit

Wanted = tuple[tuple[Shape, int, int], ...]  # (shape, chips of a pod, how many such pods)


def is_by_devices(placer: Placer, unit: Unit) -> bool:
    """True if `preempt_by_devices` can answer: chips say what the unit lacks."""
    return bool(_shapes(placer, unit))


def preempt_by_devices(
    placer: Placer, unit: Unit, policy: PreemptionPolicy, now_ns: int
) -> Eviction | None:
    """The victims; None when no set is enough. What already leaves must have been released."""
    search = _Search(placer, unit, policy, now_ns)
    if not search.shapes or not search.priorities:
        return None
    tree = search.what_if.tree_for(unit.constraints(()))
    leaves, domains = _domains(placer, unit, tree)
    columns = search.columns(tree, leaves)
    want = sum(chips * count for _, chips, count in search.shapes)
    if len(domains) > 1:
        search.domains = [[n for leaf in some for n in leaves[leaf]] for some in domains]
        return search.run(columns, domains, want)
    for slack in search.limits.device_slacks:
        picked = [gather(columns, domains[0], want, slack, search.limits)] if domains else []
        search.domains = [[n for leaf in some for n in leaves[leaf]] for some in picked]
        found = search.run(columns, picked, want)
        if found is not None or not picked or len(picked[0]) == len(domains[0]):
            return found
    return None


def _shapes(placer: Placer, unit: Unit) -> Wanted:
    """Chips wanted by shape; () when chips do not describe it."""
    grouped: dict[int, tuple[Shape, int]] = {}
    for pod in unit.pods[: unit.needed]:
        shape = placer.what_if.shape_of(pod)
        if not placer.what_if.is_countable(pod, shape):
            return ()
        grouped[shape.number] = (shape, grouped.get(shape.number, (shape, 0))[1] + 1)
    found = tuple((shape, _chips(shape), count) for shape, count in grouped.values())
    return found if all(chips for _, chips, _ in found) else ()


def _chips(shape: Shape) -> int:
    requests = [c for c in shape.claims if isinstance(c, ClaimRequest)]
    return sum(r.alternatives[0].count for c in requests for r in c.requests if r.alternatives)


def _domains(placer: Placer, unit: Unit, tree: Tree) -> tuple[list[list[int]], list[list[int]]]:
    """Nodes of each leaf, and leaves of each domain that the unit may be freed room in."""
    nodes = placer.what_if.cluster.nodes
    required = (
        tree.level_of(unit.topology.required) if unit.topology and unit.topology.required else -1
    )
    if unit.needed == 1 or required == len(tree.levels):
        live = sorted(nodes.live())
        return [[node] for node in live], [[i] for i in range(len(live))]
    found = [d for d in range(len(tree.paths)) if tree.nodes[d]]
    leaves = [tree.nodes[d] for d in found]
    if required < 0:
        return leaves, [list(range(len(leaves)))]
    grouped: dict[int, list[int]] = {}
    for number, listed in enumerate(leaves):
        domain = tree.domain_of(listed[0], required)
        if domain >= 0:
            grouped.setdefault(domain, []).append(number)
    return leaves, list(grouped.values())


def _rests(placer: Placer, shape: Shape, chips: int) -> dict[Signature | None, int]:
    """Chips left over beside whole pods, at most: of use once others on the node are given back."""
    table = placer.what_if.cluster.signatures
    found: dict[Signature | None, int] = {}
    for signature in placer.what_if.cluster.nodes.groups():
        rest = _free(table, shape, signature, chips) % chips
        if rest and table.static(shape, signature.static) is None:
            found[signature] = rest
    return found


def _free(table: Signatures, shape: Shape, signature: Signature, chips: int) -> int:
    """Free chips: those of whole pods, and what more may be there of use to another one."""
    whole = chips * table.count(shape, signature)
    unheld = len(signature.layout.devices) - signature.held.bit_count()
    return whole + max(0, min(chips - 1, unheld - whole))


def _sums(per_node: Sequence[int], leaves: Sequence[Sequence[int]]) -> list[int]:
    size = len(per_node)
    return [sum([per_node[n] for n in listed if n < size]) for listed in leaves]


class _Search(Preemption):
    """Spells domains out and asks the solver."""

    def __init__(self, placer: Placer, unit: Unit, policy: PreemptionPolicy, now_ns: int) -> None:
        super().__init__(placer, unit, policy, now_ns)
        self.shapes = _shapes(placer, unit)
        may, chips = policy.may_displace_priority, self.cluster.chips
        self.priorities = sorted(p for p in chips if may(self.preemptor, p) and any(chips[p]))
        self.domains: list[list[int]] = []  # nodes of each, as ranked
        self.known: dict[object, Candidate] = {}  # spelled out so far
        self.built: list[Candidate] = []  # those of the last problem

    @property
    def largest(self) -> tuple[Shape, int]:
        shape, chips, _ = max(self.shapes, key=lambda entry: entry[1])
        return shape, chips

    def columns(self, tree: Tree, leaves: Sequence[Sequence[int]]) -> Columns:
        """Chips by leaf: free ones in whole pods of the largest shape, and held ones by priority."""
        cluster = self.cluster
        shape, chips = self.largest
        counts = self.what_if.counts(shape, tree)
        free = [chips * count for count in _sums(counts.per_node, leaves)]
        losses = [_sums(cluster.chips[p], leaves) for p in self.priorities]
        rests = _rests(self.placer, shape, chips)
        held = [list(column) for column in losses] if rests else losses
        for leaf, listed in enumerate(leaves) if rests else ():
            column = next((c for c in held if c[leaf]), None)
            if column is not None:
                column[leaf] += sum([rests.get(cluster.nodes.sigs[n], 0) for n in listed])
        return Columns(free, [cell_of(p, Kind.KILL) for p in self.priorities], held, losses)

    def run(self, columns: Columns, domains: Sequence[Sequence[int]], want: int) -> Eviction | None:
        """Counts chips alone at first; asks placing at every step only where that misled."""
        ranked = rank_domains(columns, domains, want)
        for fits in (None, self._fits):
            choice = choose_ranked(ranked, self._build_problem, fits, self.limits)
            if choice is None:
                return None
            candidates = [self.known[holder.key] for holder in choice.problem.holders]
            found = self.evict(candidates, choice.answer.levels)
            if found is not None:
                return found
        return None

    def _fits(self, domain: int, levels: Sequence[int]) -> bool:
        return self.evict(self.built, levels) is not None

    def _build_problem(self, some: Sequence[int]) -> Problem:
        """Nodes of these domains, numbered from 0, and everything that may leave them."""
        cluster, table = self.cluster, self.cluster.signatures
        index = cluster.nodes.index
        local: dict[int, int] = {}
        free: list[int] = []
        domains: list[tuple[int, ...]] = []
        shape, chips = self.largest
        for number in some:
            inside: list[int] = []
            for node in self.domains[number]:
                signature = cluster.nodes.sigs[node]
                if signature is None or table.static(shape, signature.static) is not None:
                    continue
                if node not in local:
                    local[node] = len(free)
                    free.append(_free(table, shape, signature, chips))
                inside.append(local[node])
            domains.append(tuple(inside))

        def frees(members: Sequence[Member]) -> tuple[tuple[int, int], ...]:
            given: dict[int, int] = {}
            for member in members:
                place = local.get(index.get(member.pod.node, -1), -1)
                if place >= 0:
                    given[place] = given.get(place, 0) + member.devices
            return tuple(given.items())

        candidates = self.candidates
        self.built = candidates.among([pod for node in local for pod in candidates.on(node)])
        self.known |= {candidate.key: candidate for candidate in self.built}
        holders = tuple([candidate.holder(frees) for candidate in self.built])
        demand = Demand(tuple((chips, count) for _, chips, count in self.shapes))
        return Problem(demand, tuple(free), tuple(domains), holders)
