"""Victims in a large cluster for pods that chips do not describe: plain ones, or not countable.

Nodes are ranked by what freeing the amounts a pod lacks there costs at least; sets are searched on
the best ones, until the next bound is no better than the best set. Who cannot be counted is found
room by evicting everybody by ascending priority until it fits, and then reprieving whoever may stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from mizzen.base.objects import Key
from mizzen.scheduler.core.cluster.signature import CPU_INDEX, Shape
from mizzen.scheduler.core.fit import static_misfit
from mizzen.scheduler.core.matching import selects
from mizzen.scheduler.core.placing.attempt import Placer
from mizzen.scheduler.core.preemption.candidates import Candidate, evicted
from mizzen.scheduler.core.preemption.eviction import (
    UNCOUNTED,
    Eviction,
    Preemption,
    Priced,
    freeing,
)
from mizzen.scheduler.core.preemption.policy import PreemptionPolicy
from mizzen.scheduler.core.preemption.solver.bound import lower_bound
from mizzen.scheduler.core.preemption.solver.objective import NOTHING, Cost
from mizzen.scheduler.core.preemption.solver.problem import Demand
from mizzen.scheduler.core.types import MEMORY, PODS, PodSpecView
from mizzen.scheduler.core.units import Unit

PART = 1000  # of a resource that is missing, where several are
Amounts = dict[int, int]  # by resource index
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Node:
    """A node that can be freed as far as amounts tell, and how many pods it takes then."""

    bound: Cost
    number: int
    places: int
    pods: tuple[PodSpecView, ...]  # that may leave
    missing: Amounts


class ByAmounts(Preemption):
    """Searches where CPU, memory and the like say what the unit lacks, or where nothing can."""

    def __init__(self, placer: Placer, unit: Unit, policy: PreemptionPolicy, now_ns: int) -> None:
        super().__init__(placer, unit, policy, now_ns)
        self.is_plain = not any(pod.claims for pod in self.pods) and all(
            self.what_if.is_countable(pod, self.what_if.shape_of(pod)) for pod in self.pods
        )
        self.far = () if self.is_plain else self._far()

    def victims(self) -> Eviction | None:
        """The cheapest found; None when no set is enough."""
        if self.unit.needed == 1:  # node by node, the lowest bound first
            ranked = [(node.bound, node) for node in self._ranked(self.pods[0])]
            return _cheapest(ranked, self._on, self.limits.freed_nodes_max)
        found = self._gang() if self.is_plain else None
        return found if found is not None else self._by_priority()

    # -- one pod ---------------------------------------------------------------------------------

    def _on(self, node: _Node) -> Priced | None:
        """The cheapest set on one node: by amounts where these decide, else by placing."""
        name = self.cluster.nodes.names[node.number]
        pods = (*node.pods, *self.far)
        candidates, here = self.candidates.among(pods), {pod.key for pod in pods}
        found = None
        if self.is_plain and node.missing and not self.constraints.keys:
            demand, share = _measure(node.missing)

            def enough(_: int, levels: Sequence[int]) -> bool:
                given: Amounts = {}
                for pod in evicted(candidates, levels):
                    for resource, amount in self._amounts(pod).items() if pod.key in here else ():
                        given[resource] = given.get(resource, 0) + amount
                return all(given.get(r, 0) >= amount for r, amount in node.missing.items())

            frees = freeing(_one_place(here), lambda m: share(self._amounts(m.pod)))
            found = self.cheapest(candidates, frees, demand, fits=enough, nodes=(name,))
        return found or self._by_placing(candidates, here, name)

    def _by_placing(
        self, candidates: Sequence[Candidate], here: set[Key] | None = None, only: str = ""
    ) -> Priced | None:
        """The cheapest set of which placing says that it is enough; `here`: whose leaving counts."""
        nodes = (only,) if only else ()
        frees, fits = freeing(_one_place(here), lambda _: 1), self.placing(candidates, nodes)
        return self.cheapest(candidates, frees, UNCOUNTED, fits=fits, nodes=nodes)

    # -- plain gangs -----------------------------------------------------------------------------

    def _gang(self) -> Eviction | None:
        """The domain that is cheapest by its cheapest nodes; None where amounts alone mislead."""
        largest = max(
            self.pods, key=lambda p: self._wanted(self.what_if.shape_of(p)).get(CPU_INDEX, 0)
        )
        ranked = {node.number: node for node in self._ranked(largest)}
        tree, required = self.what_if.tree_for(self.constraints), self.constraints.topology.required
        listed: list[tuple[Cost, list[_Node]]] = []
        for numbers in tree.grouped(ranked, required):
            nodes = [ranked[number] for number in numbers]
            places, worst = 0, NOTHING
            for node in nodes:
                if places >= len(self.pods):
                    break
                places += node.places
                worst = max(worst, node.bound)
            if places >= len(self.pods):
                listed.append((worst, nodes))
        listed.sort(key=lambda entry: entry[0])
        return _cheapest(
            listed, lambda nodes: self._among(largest, nodes), self.limits.freed_domains_max
        )

    def _among(self, largest: PodSpecView, nodes: Sequence[_Node]) -> Priced | None:
        """The cheapest set on the first of these nodes, on more of them where that fails."""
        taken = 0
        for slack in self.limits.place_slacks:
            places = count = 0
            while count < len(nodes) and (
                places < slack * len(self.pods) or count < len(self.pods) + slack
            ):
                places += nodes[count].places
                count += 1
            if count == taken:
                return None
            taken = count
            found = self._on_some(largest, nodes[:count])
            if found is not None:
                return found
        return None

    def _on_some(self, largest: PodSpecView, nodes: Sequence[_Node]) -> Priced | None:
        """By the scarcest resource alone, and where that misled by placing at every step."""
        local = {self.cluster.nodes.names[node.number]: at for at, node in enumerate(nodes)}
        resource = self._scarce(largest, nodes)
        candidates = self.candidates.among([pod for node in nodes for pod in node.pods])
        frees = freeing(
            lambda pod: local.get(pod.node, -1),
            lambda member: self._amounts(member.pod).get(resource, 0),
        )
        wanted = [self._wanted(self.what_if.shape_of(pod)).get(resource, 0) for pod in self.pods]
        demand = Demand(tuple((size, wanted.count(size)) for size in sorted(set(wanted))))
        free = [self._free(node.number).get(resource, 0) for node in nodes]
        found = self.cheapest(candidates, frees, demand, free)
        return found or self.cheapest(
            candidates, frees, demand, free, fits=self.placing(candidates)
        )

    def _scarce(self, pod: PodSpecView, nodes: Sequence[_Node]) -> int:
        """The resource that is missing on most of the nodes."""
        short: Amounts = {}
        for node in nodes:
            for resource in node.missing:
                short[resource] = short.get(resource, 0) + 1
        wanted = self._wanted(self.what_if.shape_of(pod))
        return max(wanted, key=lambda r: (short.get(r, 0), -r))

    # -- what nobody can count ---------------------------------------------------------------------

    def _by_priority(self) -> Eviction | None:
        """By ascending priority until the unit fits; then everybody not in its way is reprieved."""
        candidates = self.candidates.everybody()
        for priority in sorted({candidate.priority for candidate in candidates}):
            some = [candidate for candidate in candidates if candidate.priority <= priority]
            eviction = self.evict(some)
            if eviction is None:
                continue
            used = {placement.node for placement in eviction.attempt.placements}
            far = {pod.key for pod in self.far}
            near = [c for c in some if any(p.node in used or p.key in far for p in c.pods)]
            if len(some) <= self.limits.candidates_together_max or self.evict(near) is None:
                near = some
            found = self._by_placing(near)
            return found[1] if found is not None else None
        return None

    def _far(self) -> tuple[PodSpecView, ...]:
        """Pods that hold devices which several nodes reach: their leaving helps anywhere."""
        cluster = self.cluster
        if not cluster.pools.shared:
            return ()
        found: list[PodSpecView] = []
        for pod in cluster.pods.values():
            if pod.claims and self.candidates.may_displace(pod):
                devices = [r.id for a in cluster.allocations_of(pod) for r in a.results]
                if any(cluster.holdings.locate(device) is None for device in devices):
                    found.append(pod)
        return tuple(found)

    # -- amounts -----------------------------------------------------------------------------------

    def _ranked(self, pod: PodSpecView) -> list[_Node]:
        """Nodes that the pod may use once those leave who may, the cheapest bound first."""
        shape = self.what_if.shape_of(pod)
        wanted = self._wanted(shape)
        found: list[_Node] = []
        for number in sorted(self.cluster.nodes.live()):
            if not self._admits(pod, shape, number):
                continue
            leaving = tuple(self.candidates.on(number))
            if not leaving and not self.far and self.unit.needed == 1:
                continue
            free = self._free(number)
            missing = {r: w - free.get(r, 0) for r, w in wanted.items() if w > free.get(r, 0)}
            signature = self.cluster.nodes.sigs[number]
            assert signature is not None
            if signature.layout.takes_cpu or signature.layout.takes_more:
                missing = {}  # devices that are given back bring amounts, too: only placing tells
            bound = lower_bound(missing, self.candidates.freeable(leaving))
            if bound is None:
                continue
            places = self._places(wanted, free, leaving)
            found.append(_Node(bound, number, places, leaving, missing))
        found.sort(key=lambda node: (node.bound, node.number))
        return found

    def _admits(self, pod: PodSpecView, shape: Shape, number: int) -> bool:
        """Labels, taints, and where claims are allocated already."""
        signature, view = self.cluster.nodes.sigs[number], self.cluster.nodes.views[number]
        assert signature is not None
        if shape.is_exact:
            if static_misfit(pod.shape, view) is not None:
                return False
        elif self.cluster.signatures.static(shape, signature.static) is not None:
            return False
        found = self.cluster.allocations_of(pod) if pod.claims else ()
        return all(a.selector is None or selects(a.selector, view) for a in found)

    def _wanted(self, shape: Shape) -> Amounts:
        """Amounts that nothing but the node's own can serve."""
        wanted = {i: n for i, name, n in shape.demand if not shape.has_claims or _is_core(name)}
        if not shape.has_claims and shape.cpu:
            wanted[CPU_INDEX] = shape.cpu
        return wanted

    def _free(self, number: int) -> Amounts:
        signature = self.cluster.nodes.sigs[number]
        assert signature is not None
        return dict(enumerate(signature.free))

    def _amounts(self, pod: PodSpecView) -> Amounts:
        found = self.cluster.holdings.charged.get(pod.uid)
        return dict(found[1]) if found is not None else {}

    def _places(self, wanted: Amounts, free: Amounts, leaving: Sequence[PodSpecView]) -> int:
        if self.unit.needed == 1:
            return 1
        total = dict(free)
        for pod in leaving:
            for resource, amount in self._amounts(pod).items():
                total[resource] = total.get(resource, 0) + amount
        return max(0, min((total.get(r, 0) // w for r, w in wanted.items() if w), default=1))


def _one_place(here: set[Key] | None) -> Callable[[PodSpecView], int]:
    """Everybody frees the same place; `here`: only these do."""
    return lambda pod: 0 if here is None or pod.key in here else -1


def _is_core(name: str) -> bool:
    return name in (MEMORY, PODS, "ephemeral-storage")


def _measure(missing: Amounts) -> tuple[Demand, Callable[[Amounts], int]]:
    """Reduces all that is missing to one figure: necessary, and sufficient where it is one resource."""
    if len(missing) == 1:
        ((resource, want),) = missing.items()
        return Demand(((want, 1),)), lambda amounts: amounts.get(resource, 0)

    def share(amounts: Amounts) -> int:
        parts = (min(PART, -(-amounts.get(r, 0) * PART // want)) for r, want in missing.items())
        return sum(parts)

    return Demand(((PART * len(missing), 1),)), share


def _cheapest(
    ranked: Iterable[tuple[Cost, T]], search: Callable[[T], Priced | None], looks_max: int
) -> Eviction | None:
    """The best answer of those ranked by their bounds: until the next is no better than it, or so
    many were searched once there was an answer."""
    best: Priced | None = None
    looks = 0
    for bound, what in ranked:
        if best is not None and (looks >= looks_max or bound >= best[0]):
            break
        looks += best is not None
        found = search(what)
        if found is not None and (best is None or found[0] < best[0]):
            best = found
    return best[1] if best is not None else None
