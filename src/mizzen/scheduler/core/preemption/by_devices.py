"""Victims in a large cluster: the domains that are cheapest to free are found from totals.

Only these are spelled out, node by node and pod by pod, for the solver; its answer is
verified by placing. Units: chips are devices held; pods without devices are no candidates here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mizzen.base.objects import Key
from mizzen.scheduler.core.cluster.signatures import Shape, Signature, Signatures
from mizzen.scheduler.core.cluster.tree import Tree
from mizzen.scheduler.core.dra.model import ClaimRequest
from mizzen.scheduler.core.placing.attempt import Attempt, Placer
from mizzen.scheduler.core.preemption.holders import Member, gang, single
from mizzen.scheduler.core.preemption.solver.objective import cell_of
from mizzen.scheduler.core.preemption.solver.problem import Demand, Holder, Kind, Problem
from mizzen.scheduler.core.preemption.solver.ranking import (
    Columns,
    choose_ranked,
    gather,
    rank_domains,
)
from mizzen.scheduler.core.types import PodSpecView
from mizzen.scheduler.core.units import Unit, by_rank

SLACKS = (1.25, 4.0, 64.0)  # how many times the chips wanted are gathered from a wide domain
Found = tuple[tuple[PodSpecView, ...], Attempt]


def preempt_by_devices(placer: Placer, unit: Unit, below: int, now_ns: int) -> Found | None:
    """Victims of priority lower than `below`, and the placements once they are gone.

    None when there are none. What is on its way out counts as gone: the caller has released it.
    The cluster is left as it was.
    """
    shapes = _shapes(placer, unit)
    if not shapes or not any(p < below and any(c) for p, c in placer.what_if.cluster.chips.items()):
        return None
    tree = placer.what_if.tree_for(unit.asks(()))
    leaves, domains = _domains(placer, unit, tree)
    columns = _columns(placer, tree, shapes, leaves, below)
    want = sum(chips * count for _, chips, count in shapes)
    search = _Search(placer, unit, below, shapes, now_ns)
    if len(domains) > 1:
        search.domains = [[n for leaf in some for n in leaves[leaf]] for some in domains]
        return search.run(columns, domains, want)
    for slack in SLACKS:
        picked = [gather(columns, domains[0], want, slack)] if domains else []
        search.domains = [[n for leaf in some for n in leaves[leaf]] for some in picked]
        found = search.run(columns, picked, want)
        if found is not None or not picked or len(picked[0]) == len(domains[0]):
            return found
    return None


def is_by_devices(placer: Placer, unit: Unit) -> bool:
    """Whether `preempt_by_devices` can answer: chips say what the unit lacks."""
    return bool(_shapes(placer, unit))


Wanted = tuple[tuple[Shape, int, int], ...]  # (shape, chips of a pod, how many such pods)


def _shapes(placer: Placer, unit: Unit) -> Wanted:
    """What is wanted by shape; () when chips do not describe it."""
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
    required = tree.level_of(unit.wish.required) if unit.wish and unit.wish.required else -1
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


def _columns(
    placer: Placer, tree: Tree, shapes: Wanted, leaves: Sequence[Sequence[int]], below: int
) -> Columns:
    """Chips by leaf: free ones in whole pods of the largest shape, and held ones by priority."""
    cluster = placer.what_if.cluster
    shape, chips, _ = max(shapes, key=lambda entry: entry[1])
    counts = placer.what_if.counts(shape, tree)
    free = [chips * count for count in _sums(counts.per_node, leaves)]
    priorities = sorted(p for p in cluster.chips if p < below)
    losses = [_sums(cluster.chips[p], leaves) for p in priorities]
    rests = _rests(placer, shape, chips)
    held = [list(column) for column in losses] if rests else losses
    for leaf, listed in enumerate(leaves) if rests else ():
        column = next((c for c in held if c[leaf]), None)
        if column is not None:
            column[leaf] += sum([rests.get(cluster.nodes.sigs[n], 0) for n in listed])
    return Columns(free, [cell_of(p, Kind.KILL) for p in priorities], held, losses)


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


@dataclass(slots=True)
class _Search:
    """Spells domains out and asks the solver; the problem built last is remembered."""

    placer: Placer
    unit: Unit
    below: int
    shapes: Wanted
    now_ns: int
    domains: list[list[int]] = field(default_factory=list[list[int]])  # nodes of each, as ranked
    built: list[Key] = field(default_factory=list[Key])  # holders of the last problem
    steps: dict[Key, list[tuple[PodSpecView, ...]]] = field(
        default_factory=dict[Key, list[tuple[PodSpecView, ...]]]
    )

    def run(self, columns: Columns, domains: Sequence[Sequence[int]], want: int) -> Found | None:
        """Counts chips alone at first; asks placing at every step only where that misled."""
        ranked = rank_domains(columns, domains, want)
        for fits in (None, self._fits):
            choice = choose_ranked(ranked, self._build_problem, fits)
            if choice is None:
                return None
            keys = [_key(holder) for holder in choice.problem.holders]
            victims = self._victims(keys, choice.answer.levels)
            attempt = self._attempt(victims)
            if attempt.fits:
                return victims, attempt
        return None

    def _fits(self, domain: int, levels: Sequence[int]) -> bool:
        return self._attempt(self._victims(self.built, levels)).fits

    def _attempt(self, victims: Sequence[PodSpecView]) -> Attempt:
        pods, ask = self.unit.pods[: self.unit.needed], self.unit.asks(self.unit.beside)
        return self.placer.place_without(victims, pods, ask)

    def _victims(self, keys: Sequence[Key], levels: Sequence[int]) -> tuple[PodSpecView, ...]:
        return tuple(
            pod
            for key, level in zip(keys, levels, strict=True)
            for step in self.steps[key][:level]
            for pod in step
        )

    # -- spelling out ----------------------------------------------------------------------

    def _build_problem(self, some: Sequence[int]) -> Problem:
        """Nodes of these domains, numbered from 0, and everything that may leave them."""
        cluster, table = self.placer.what_if.cluster, self.placer.what_if.cluster.signatures
        local: dict[int, int] = {}
        free: list[int] = []
        domains: list[tuple[int, ...]] = []
        shape, chips, _ = max(self.shapes, key=lambda entry: entry[1])
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
        holders = self._holders(local)
        self.built = [_key(holder) for holder in holders]
        demand = Demand(tuple((chips, count) for _, chips, count in self.shapes))
        return Problem(demand, self.below, tuple(free), tuple(domains), tuple(holders))

    def _holders(self, local: dict[int, int]) -> list[Holder]:
        """Pods and gangs on these nodes that may leave, the newest of one priority first."""
        cluster = self.placer.what_if.cluster
        own = {pod.gang for pod in self.unit.pods if pod.gang is not None}
        units: dict[Key, list[PodSpecView]] = {}
        for node in local:
            for pod in cluster.pods_on(cluster.nodes.names[node]):
                if not self._may_leave(pod) or pod.gang in own:
                    continue
                group = cluster.gangs.get(pod.gang) if pod.gang is not None else None
                if pod.gang is None or group is None or group.min_count == 0:
                    units[pod.key] = [pod]
                elif pod.gang not in units:
                    units[pod.gang] = [
                        p for p in cluster.members[pod.gang].values() if self._stays(p)
                    ]
        found = [self._holder(key, pods, local) for key, pods in units.items()]
        found.sort(
            key=lambda h: self.steps[_key(h)][0][0].key, reverse=True
        )  # as in `PreemptionCandidates`
        found.sort(key=lambda h: -max(p.created_ns for p in units[_key(h)]))
        return [holder for holder in found if holder.priority < self.below]

    def _holder(self, key: Key, pods: list[PodSpecView], local: dict[int, int]) -> Holder:
        cluster = self.placer.what_if.cluster
        group = cluster.gangs.get(key)
        priority = max(pod.priority for pod in pods)
        if group is None or (len(pods) == 1 and group.min_count < 1):
            self.steps[key] = [(pods[0],)]
            return single(key, priority, self._member(pods[0], local))
        pods.sort(key=by_rank)
        whole = group.disruption == "PodGroup"
        least = len(pods) if whole else min(max(1, group.min_count), len(pods))
        self.steps[key] = [(pod,) for pod in reversed(pods[least:])] + [tuple(pods[:least][::-1])]
        members = [self._member(pod, local) for pod in pods]
        return gang(key, priority, members, max(1, group.min_count), whole)

    def _member(self, pod: PodSpecView, local: dict[int, int]) -> Member:
        cluster = self.placer.what_if.cluster
        chips = sum(len(a.results) for a in cluster.allocations_of(pod))
        node = local.get(cluster.nodes.index.get(pod.node, -1), -1)
        return Member(node, chips, pod.disruption_cost.at(self.now_ns))

    def _may_leave(self, pod: PodSpecView) -> bool:
        return pod.priority < self.below and self._stays(pod)

    def _stays(self, pod: PodSpecView) -> bool:
        return pod.stays and pod.key not in self.placer.what_if.cluster.leaving


def _key(holder: Holder) -> Key:
    assert isinstance(holder.key, Key)
    return holder.key
