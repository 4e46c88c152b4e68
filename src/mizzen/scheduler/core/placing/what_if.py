"""The cluster as a plan is being made: pods assumed and removed, all of it undone in the end."""

from __future__ import annotations

from mizzen.base.objects import Key
from mizzen.scheduler.core.claiming.extended import Extended
from mizzen.scheduler.core.cluster.holdings import ClaimState, owns_cores
from mizzen.scheduler.core.cluster.signature import Outcome, Request, Shape
from mizzen.scheduler.core.cluster.state import Cluster
from mizzen.scheduler.core.cluster.tree import Tree
from mizzen.scheduler.core.dra.model import (
    Allocation,
    NodeRequirement,
    NodeSelector,
)
from mizzen.scheduler.core.misfit import Misfit
from mizzen.scheduler.core.neighbours.verdict import Verdict
from mizzen.scheduler.core.placing.counts import Counts, Slices
from mizzen.scheduler.core.placing.scheduling_constraints import SchedulingConstraints
from mizzen.scheduler.core.types import Placement, PodSpecView

Misfits = tuple[tuple[Misfit, int], ...]  # with how many nodes each


class WhatIf:
    """Assumes and removes pods in a cluster; `rollback` undoes all since a `mark`."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._counts: dict[tuple[int, Tree, Slices], Counts] = {}
        self._version = cluster.version
        self.packing_steps = 0  # left for the unit at hand
        self.begin_unit()
        self._may_share: dict[int, bool] = {}
        self._verdict: tuple[PodSpecView, tuple[int, int], Verdict] | None = None  # the last one

    # -- undo -----------------------------------------------------------------------------

    def mark(self) -> int:
        return self.cluster.mark()

    def rollback(self, mark: int) -> None:
        self.cluster.rollback(mark)

    def begin_unit(self) -> None:
        """Renews the bound on what is searched for one unit."""
        self.packing_steps = self.cluster.limits.packing_steps_of_unit_max

    # -- questions --------------------------------------------------------------------------

    def shape_of(self, pod: PodSpecView) -> Shape:
        """The pod's shape as its claims stand."""
        if not pod.claims:
            return self.cluster.shapes.of(pod.shape)
        wanted: list[Request] = []
        for entry in pod.claims:
            state = self.cluster.claims.get(entry.claim) if entry.claim is not None else None
            if state is None or state.allocation is not None:
                continue
            is_unmade = state.claim.is_unmade and entry.extended is not None
            wanted.append(entry.extended if is_unmade and entry.extended else state.claim.request)
        return self.cluster.shapes.of(pod.shape, tuple(wanted), has_claims=True)

    def is_countable(self, pod: PodSpecView, shape: Shape) -> bool:
        """True if the pod fits equal nodes equally, so that counting says all."""
        if shape.is_exact or self.minds_neighbours(pod):
            return False
        if not pod.claims:
            return True
        for entry in pod.claims:
            if entry.claim is None:
                continue
            state = self.cluster.claims[entry.claim]
            if state.allocation is not None or self.cluster.is_shared(entry.claim):
                return False
        return not self._wants_shared(shape)

    def minds_neighbours(self, pod: PodSpecView) -> bool:
        """True if other pods have a say in where it goes."""
        index = self.cluster.holdings.index
        return pod.neighbours is not None or (bool(index.repelling) and index.repels(pod))

    def tree_for(self, constraints: SchedulingConstraints) -> Tree:
        """The topology tree that has all levels asked for."""
        nodes = self.cluster.nodes
        return nodes.tree(constraints.tree or nodes.topology_for(constraints.keys))

    def counts(self, shape: Shape, tree: Tree, slices: Slices = ()) -> Counts:
        """The number of pods of the shape that each domain takes, now."""
        if self._version != self.cluster.version:
            self._counts.clear()
            self._may_share.clear()
            self._version = self.cluster.version
        key = (shape.number, tree, slices)
        found = self._counts.pop(key, None)
        if found is None:
            found = Counts(self.cluster.nodes, tree, shape, slices)
            if len(self._counts) >= self.cluster.limits.shapes_counted_max:
                del self._counts[next(iter(self._counts))]
        else:
            found.sync()
        self._counts[key] = found
        return found

    def misfits(self, shape: Shape) -> Misfits:
        """The reasons why nodes refuse one more pod of this shape, each with how many do."""
        table = self.cluster.signatures
        grouped: dict[Misfit, int] = {}
        for signature in self.cluster.nodes.groups():
            found = table.outcome(shape, signature)
            if isinstance(found, Misfit):
                grouped[found] = grouped.get(found, 0) + signature.nodes
        return tuple(grouped.items())

    def _wants_shared(self, shape: Shape) -> bool:
        """True if a device that is not local to a node may serve it."""
        if not shape.claims or not self.cluster.pools.shared:
            return False
        found = self._may_share.get(shape.number)
        if found is None:
            wanted = [c.request_on({}) if isinstance(c, Extended) else c for c in shape.claims]
            found = self.cluster.matches_shared([w for w in wanted if w is not None])
            self._may_share[shape.number] = found
        return found

    def verdict(self, pod: PodSpecView) -> Verdict | None:
        """The neighbours' verdict on the pod as everything stands; None: nobody minds it anywhere."""
        index, nodes = self.cluster.holdings.index, self.cluster.nodes
        if pod.neighbours is None and not index.repelling:
            return None
        now = (index.version, nodes.position())
        known = self._verdict
        if known is None or known[0] is not pod or known[1] != now:
            views = {number: nodes.views[number] for number in nodes.live()}
            known = self._verdict = (pod, now, Verdict(index, views, pod))
        return known[2]

    # -- taking places ----------------------------------------------------------------------

    def assume_on(self, pod: PodSpecView, shape: Shape, node: int) -> Placement | Misfit:
        """The pod, which counting describes, takes a place on this node; or why it has none."""
        cluster = self.cluster
        signature = cluster.nodes.sigs[node]
        assert signature is not None
        cores = cluster.holdings.gang_cores(pod.gang, node) if signature.layout.has_cores else ()
        found = cluster.signatures.outcome(shape, signature, cores)
        return found if isinstance(found, Misfit) else self.assume_outcome(pod, node, found)

    def assume_outcome(self, pod: PodSpecView, node: int, outcome: Outcome) -> Placement:
        """The pod takes a place that counting found; its claims get the devices picked there."""
        cluster = self.cluster
        nodes, holdings = cluster.nodes, cluster.holdings
        name = nodes.names[node]
        before = nodes.sigs[node]
        assert before is not None
        allocations: tuple[tuple[Key, Allocation], ...] = ()
        if outcome.picks:
            allocations = tuple(self._named(pod, node, name, outcome))
            for key, allocation in allocations:
                self._use(cluster.claims[key], allocation, pod.uid)
        nodes.shift(node, outcome.next)
        amounts = holdings.amounts_of(pod.shape)[outcome.owns_cores]
        holdings.note_charge(pod, node, amounts)
        if pod.gang is not None:
            for core, times in outcome.cores:
                holdings.count_core(pod.gang, node, core, times)
        return Placement(pod, name, allocations)

    def _named(
        self, pod: PodSpecView, node: int, name: str, outcome: Outcome
    ) -> list[tuple[Key, Allocation]]:
        nodes = self.cluster.nodes
        signature, pools = nodes.sigs[node], nodes.pool_names.get(node)
        assert signature is not None
        found: list[tuple[Key, Allocation]] = []
        keys = [e.claim for e in pod.claims if e.claim is not None]
        for key, picks, given in zip(keys, outcome.picks, outcome.given, strict=True):
            if picks is None or given is None:
                continue
            results = signature.layout.named(picks, name, pools)
            only = None if given.selector is None else _only(name)
            found.append((key, Allocation(results, only, given.config)))
        return found

    def assume(self, placement: Placement) -> None:
        """The pod takes its place and its claims their devices."""
        cluster, pod = self.cluster, placement.pod
        for key, allocation in placement.allocations:
            cluster.holdings.hold(allocation, 1)
            self._use(cluster.claims[key], allocation, pod.uid)
        for state in self.cluster.states_of(pod):
            if pod.uid not in state.users:
                self._use(state, state.allocation, pod.uid)
        allocations = cluster.allocations_of(pod)
        number = cluster.nodes.index.get(placement.node)
        if number is None:
            return
        cluster.holdings.charge(pod, number, owns_cores(allocations))
        if pod.gang is not None:
            devices = [r.id for a in allocations for r in a.results]
            cluster.holdings.count_cores(pod.gang, devices, 1)

    # -- giving places back ---------------------------------------------------------------------

    def remove(self, pod: PodSpecView) -> None:
        """The pod is gone: its share returns, and devices that nobody else uses."""
        cluster = self.cluster
        allocations = cluster.allocations_of(pod)
        if pod.gang is not None:
            devices = [r.id for a in allocations for r in a.results]
            cluster.holdings.count_cores(pod.gang, devices, -1)
        cluster.holdings.refund(pod.uid)
        for state in self.cluster.states_of(pod):
            if pod.uid in state.users:
                self._set(state, state.allocation, state.users - {pod.uid})
            if not state.users and state.allocation is not None:
                self._release(state)

    def release_idle(self) -> None:
        """Allocations that no live pod uses return their devices (their controller is about to)."""
        for key in self.cluster.idle_claims():
            state = self.cluster.claims[key]
            if state.allocation is not None and not state.users:
                self._release(state)

    def release_leaving(self) -> None:
        """Everything on its way out counts as gone: the cluster as it will be then."""
        for pod in list(self.cluster.leaving.values()):
            self.remove(pod)
        self.release_idle()

    # -- claims -------------------------------------------------------------------------------

    def _use(self, state: ClaimState, allocation: Allocation | None, uid: str) -> None:
        """The claim has this allocation (whose devices are held already) and one more user."""
        self._set(state, allocation, state.users | {uid})

    def _release(self, state: ClaimState) -> None:
        assert state.allocation is not None
        self.cluster.holdings.hold(state.allocation, -1)
        self._set(state, None, state.users)

    def _set(self, state: ClaimState, allocation: Allocation | None, users: frozenset[str]) -> None:
        before = state.allocation, state.users
        state.allocation, state.users = allocation, users

        def undo() -> None:
            state.allocation, state.users = before

        self.cluster.nodes.log.append(undo)


def _only(name: str) -> NodeSelector:
    """This node and no other."""
    return ((NodeRequirement("metadata.name", "In", (name,), is_field=True),),)
