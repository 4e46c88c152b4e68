"""Victims in a large cluster for pods that chips do not describe: plain ones, or not countable.

Nodes are ranked by what freeing the amounts a pod lacks there costs at least; sets are searched on
the best ones, until the next bound is no better than the best set. Who cannot be counted is found
room by letting everybody less important go, priority by priority, and keeping whoever need not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mizzen.scheduler.core.cluster.signatures import CPU_INDEX, Shape
from mizzen.scheduler.core.matching import selects
from mizzen.scheduler.core.misfit import static_misfit
from mizzen.scheduler.core.placing.attempt import Attempt, Placer
from mizzen.scheduler.core.preemption.candidates import Candidate, PreemptionCandidates
from mizzen.scheduler.core.preemption.solver.bound import NOTHING, Cost, cost_of, lower_bound
from mizzen.scheduler.core.preemption.solver.choose import choose
from mizzen.scheduler.core.preemption.solver.problem import Demand, Fits, Holder, Problem, Step
from mizzen.scheduler.core.types import MEMORY, PODS, PodSpecView
from mizzen.scheduler.core.units import Unit

LOOKS_MAX = 256  # nodes searched once there is an answer; bounds rarely leave so many open
DOMAINS_MAX = 16  # of a gang's level, searched likewise
SLACKS = (2, 8, 64)  # how many times the places wanted are looked at in a wide domain
FEW = 64  # holders that are all thought of when nobody can count
PART = 1000  # of a resource that is missing, where several are
Found = tuple[tuple[PodSpecView, ...], Attempt]
Amounts = dict[int, int]  # by resource index


def preempt_by_amounts(placer: Placer, unit: Unit, below: int, now_ns: int) -> Found | None:
    """Victims of priority lower than `below`, and the placements once they are gone.

    None when there are none. What is on its way out counts as gone: the caller has released it.
    The cluster is left as it was.
    """
    search = _Search(placer, unit, PreemptionCandidates(placer.what_if, unit, below, now_ns))
    if unit.needed == 1:
        return search.single()
    found = search.gang() if search.is_plain else None
    return found if found is not None else search.by_priority()


@dataclass(frozen=True, slots=True)
class _Node:
    """A node that can be freed as far as amounts tell, and how many pods it takes then."""

    bound: Cost
    number: int
    places: int
    pods: tuple[PodSpecView, ...]  # that may leave
    missing: Amounts


class _Search:
    def __init__(self, placer: Placer, unit: Unit, candidates: PreemptionCandidates) -> None:
        self.placer, self.unit, self.candidates = placer, unit, candidates
        self.what_if, self.cluster = placer.what_if, placer.what_if.cluster
        self.pods = unit.pods[: unit.needed]
        self.ask = unit.asks(unit.beside)
        self.is_plain = not any(pod.claims for pod in self.pods) and all(
            self.what_if.is_countable(pod, self.what_if.shape_of(pod)) for pod in self.pods
        )
        self.far = () if self.is_plain else self._far()

    # -- one pod ---------------------------------------------------------------------------------

    def single(self) -> Found | None:
        """Node by node, the lowest bound first."""
        best: tuple[Cost, Found] | None = None
        looks = 0
        for node in self._ranked(self.pods[0]):
            if best is not None and (looks >= LOOKS_MAX or node.bound >= best[0]):
                break
            looks += best is not None
            found = self._on(node)
            if found is not None and (best is None or found[0] < best[0]):
                best = found
        return best[1] if best is not None else None

    def _on(self, node: _Node) -> tuple[Cost, Found] | None:
        """The cheapest set on one node: by amounts where these decide, else by placing."""
        name = self.cluster.nodes.names[node.number]
        candidates = self.candidates.holders((*node.pods, *self.far))
        here = {pod.key for pod in (*node.pods, *self.far)}
        by_amounts = self.is_plain and node.missing and not self.ask.keys
        for counts in (True, False) if by_amounts else (False,):
            demand, share = _measure(node.missing) if counts else (Demand(()), None)

            def freed(step: Sequence[PodSpecView], share: _Share | None = share) -> int:
                inside = [pod for pod in step if pod.key in here]
                return sum(share(self._amounts(p)) if share else 1 for p in inside)

            holders = [
                _cut(candidate, lambda step: ((0, freed(step)),)) for candidate in candidates
            ]
            problem = Problem(demand, self.candidates.below, (0,), ((0,),), tuple(holders))

            def enough(_: int, levels: Sequence[int]) -> bool:
                given: Amounts = {}
                for pod in _victims(candidates, levels):
                    for resource, amount in self._amounts(pod).items() if pod.key in here else ():
                        given[resource] = given.get(resource, 0) + amount
                return all(given.get(r, 0) >= amount for r, amount in node.missing.items())

            def fits(_: int, levels: Sequence[int]) -> bool:
                return self._without(_victims(candidates, levels), name).fits

            answer = choose(problem, enough if counts else fits)
            if answer is not None:
                victims = _victims(candidates, answer.levels)
                attempt = self._without(victims, name)
                if attempt.fits:
                    return cost_of(holders, answer.levels), (victims, attempt)
        return None

    # -- plain gangs -----------------------------------------------------------------------------

    def gang(self) -> Found | None:
        """The domain that is cheapest by its cheapest nodes; None where amounts alone mislead."""
        largest = max(
            self.pods, key=lambda p: self._wanted(self.what_if.shape_of(p)).get(CPU_INDEX, 0)
        )
        ranked = self._ranked(largest)
        domains = self._domains(ranked)
        listed: list[tuple[Cost, int, list[_Node]]] = []
        for order, nodes in enumerate(domains):
            places, worst = 0, NOTHING
            for node in nodes:
                if places >= len(self.pods):
                    break
                places += node.places
                worst = max(worst, node.bound)
            if places >= len(self.pods):
                listed.append((worst, order, nodes))
        listed.sort(key=lambda entry: entry[:2])
        best: tuple[Cost, Found] | None = None
        looks = 0
        for bound, _, nodes in listed:
            if best is not None and (looks >= DOMAINS_MAX or bound >= best[0]):
                break
            looks += best is not None
            found = self._among(largest, nodes)
            if found is not None and (best is None or found[0] < best[0]):
                best = found
        return best[1] if best is not None else None

    def _domains(self, ranked: Sequence[_Node]) -> list[list[_Node]]:
        required = self.ask.wish.required
        if not required:
            return [list(ranked)]
        tree = self.what_if.tree_for(self.ask)
        level = tree.level_of(required)
        grouped: dict[int, list[_Node]] = {}
        for node in ranked:
            inner = level >= len(tree.levels)
            domain = node.number if inner else tree.domain_of(node.number, level)
            if domain >= 0:
                grouped.setdefault(domain, []).append(node)
        return list(grouped.values())

    def _among(self, largest: PodSpecView, nodes: Sequence[_Node]) -> tuple[Cost, Found] | None:
        """The cheapest set on the first of these nodes, on more of them where that fails."""
        taken = 0
        for slack in SLACKS:
            places = count = 0
            while count < len(nodes) and (
                places < slack * len(self.pods) or count < len(self.pods) + slack
            ):
                places += nodes[count].places
                count += 1
            if count == taken:
                return None
            taken = count
            found = self._solve(largest, nodes[:count])
            if found is not None:
                return found
        return None

    def _solve(self, largest: PodSpecView, nodes: Sequence[_Node]) -> tuple[Cost, Found] | None:
        local = {node.number: index for index, node in enumerate(nodes)}
        resource = self._scarce(largest, nodes)
        candidates = self.candidates.holders(pod for node in nodes for pod in node.pods)

        def frees(step: Sequence[PodSpecView]) -> tuple[tuple[int, int], ...]:
            given: Amounts = {}
            for pod in step:
                place = local.get(self.cluster.nodes.index.get(pod.node, -1), -1)
                if place >= 0:
                    amount = self._amounts(pod).get(resource, 0)
                    given[place] = given.get(place, 0) + amount
            return tuple(given.items())

        holders = [_cut(candidate, frees) for candidate in candidates]
        wanted = [self._wanted(self.what_if.shape_of(pod)).get(resource, 0) for pod in self.pods]
        sizes = tuple((size, wanted.count(size)) for size in sorted(set(wanted)))
        free = tuple(self._free(node.number).get(resource, 0) for node in nodes)
        everywhere = (tuple(range(len(nodes))),)
        problem = Problem(Demand(sizes), self.candidates.below, free, everywhere, tuple(holders))

        def fits(_: int, levels: Sequence[int]) -> bool:
            return self._without(_victims(candidates, levels)).fits

        asked: tuple[Fits | None, ...] = (None, fits)
        for verdict in asked:
            answer = choose(problem, verdict)
            if answer is None:
                return None
            victims = _victims(candidates, answer.levels)
            attempt = self._without(victims)
            if attempt.fits:
                return cost_of(holders, answer.levels), (victims, attempt)
        return None

    def _scarce(self, pod: PodSpecView, nodes: Sequence[_Node]) -> int:
        """The resource that is missing on most of the nodes."""
        short: Amounts = {}
        for node in nodes:
            for resource in node.missing:
                short[resource] = short.get(resource, 0) + 1
        wanted = self._wanted(self.what_if.shape_of(pod))
        return max(wanted, key=lambda r: (short.get(r, 0), -r))

    # -- what nobody can count ---------------------------------------------------------------------

    def by_priority(self) -> Found | None:
        """The least important go, until there are places; then whoever is not in their way stays."""
        nodes = self.cluster.nodes
        everybody = [pod for node in sorted(nodes.live()) for pod in self.candidates.on(node)]
        candidates = self.candidates.holders(everybody)
        for priority in sorted({holder.priority for holder, _ in candidates}):
            some = [candidate for candidate in candidates if candidate[0].priority <= priority]
            attempt = self._without(_all(some))
            if not attempt.fits:
                continue
            used = {placement.node for placement in attempt.placements}
            far = {pod.key for pod in self.far}
            near = [
                candidate
                for candidate in some
                if any(p.node in used or p.key in far for step in candidate[1] for p in step)
            ]
            if len(some) <= FEW or not self._without(_all(near)).fits:
                near = some
            return self._kept(near)
        return None

    def _kept(self, candidates: Sequence[Candidate]) -> Found | None:
        holders = tuple(_cut(candidate, lambda step: ((0, len(step)),)) for candidate in candidates)
        problem = Problem(Demand(()), self.candidates.below, (0,), ((0,),), holders)
        answer = choose(problem, lambda _, levels: self._without(_victims(candidates, levels)).fits)
        if answer is None:
            return None
        victims = _victims(candidates, answer.levels)
        return victims, self._without(victims)

    def _far(self) -> tuple[PodSpecView, ...]:
        """Pods that hold devices which several nodes reach: their leaving helps anywhere."""
        cluster = self.cluster
        found: dict[object, PodSpecView] = {}
        if not cluster.pools.shared:
            return ()
        for pod in cluster.pods.values():
            if not pod.claims or not pod.stays or pod.priority >= self.candidates.below:
                continue
            devices = [r.id for a in cluster.allocations_of(pod) for r in a.results]
            if any(cluster.holdings.locate(device) is None for device in devices):
                found[pod.key] = pod
        own = {pod.gang for pod in self.pods if pod.gang is not None}
        return tuple(
            pod for pod in found.values() if pod.gang not in own and pod.key not in cluster.leaving
        )

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

    def _without(self, victims: Sequence[PodSpecView], only: str = "") -> Attempt:
        return self.placer.place_without(victims, self.pods, self.ask, only)


_Share = Callable[[Amounts], int]


def _is_core(name: str) -> bool:
    return name in (MEMORY, PODS, "ephemeral-storage")


def _measure(missing: Amounts) -> tuple[Demand, _Share]:
    """One figure for all that is missing: necessary, and sufficient where it is one resource."""
    if len(missing) == 1:
        ((resource, want),) = missing.items()
        return Demand(((want, 1),)), lambda amounts: amounts.get(resource, 0)

    def share(amounts: Amounts) -> int:
        parts = (min(PART, -(-amounts.get(r, 0) * PART // want)) for r, want in missing.items())
        return sum(parts)

    return Demand(((PART * len(missing), 1),)), share


def _cut(
    candidate: Candidate, frees: Callable[[Sequence[PodSpecView]], tuple[tuple[int, int], ...]]
) -> Holder:
    """The holder with what its steps free here."""
    holder, parts = candidate
    steps = tuple(
        Step(step.kind, step.loss, frees(part), step.pods)
        for step, part in zip(holder.steps, parts, strict=True)
    )
    return Holder(holder.key, holder.priority, steps)


def _victims(candidates: Sequence[Candidate], levels: Sequence[int]) -> tuple[PodSpecView, ...]:
    return tuple(
        pod
        for (_, parts), level in zip(candidates, levels, strict=True)
        for part in parts[:level]
        for pod in part
    )


def _all(candidates: Sequence[Candidate]) -> tuple[PodSpecView, ...]:
    return tuple(pod for _, parts in candidates for part in parts for pod in part)
