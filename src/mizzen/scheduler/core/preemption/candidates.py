"""Who may leave some nodes for whoever asks, in which steps, and what that costs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from mizzen.base.objects import Key
from mizzen.scheduler.core.disruption_cost import DisruptionCost
from mizzen.scheduler.core.placing.what_if import WhatIf
from mizzen.scheduler.core.preemption.holders import Member, gang, single
from mizzen.scheduler.core.preemption.solver.bound import Freeable
from mizzen.scheduler.core.preemption.solver.objective import Cell, cell_of
from mizzen.scheduler.core.preemption.solver.problem import Holder
from mizzen.scheduler.core.types import PodSpecView
from mizzen.scheduler.core.units import Unit, by_rank

Candidate = tuple[Holder, tuple[tuple[PodSpecView, ...], ...]]  # with the pods of each step
HERE = 0  # a holder's steps free one for each pod, wherever it is: who asks counts what matters


@dataclass(slots=True)
class PreemptionCandidates:
    """Pods and gangs of priority lower than `below`, those of the asking unit's gang apart."""

    what_if: WhatIf
    unit: Unit
    below: int
    now_ns: int
    _own: set[Key] = field(init=False)
    _gangs: dict[Key, Candidate | None] = field(default_factory=dict[Key, "Candidate | None"])
    _prices: dict[tuple[int, DisruptionCost], tuple[Cell, int]] = field(
        default_factory=dict[tuple[int, DisruptionCost], tuple[Cell, int]]
    )

    def __post_init__(self) -> None:
        self._own = {pod.gang for pod in self.unit.pods if pod.gang is not None}

    def on(self, node: int) -> list[PodSpecView]:
        """Pods there that may leave, as far as they themselves are concerned."""
        cluster = self.what_if.cluster
        return [
            pod
            for pod in cluster.pods_on(cluster.nodes.names[node])
            if pod.priority < self.below
            and pod.gang not in self._own
            and self._stays(pod)
            and (pod.gang is None or self.of(pod) is not None)
        ]

    def of(self, pod: PodSpecView) -> Candidate | None:
        """The pod or its gang as a holder; None: somebody in it is too important."""
        group = self.what_if.cluster.gangs.get(pod.gang) if pod.gang is not None else None
        if pod.gang is None or group is None or group.min_count == 0:
            return single(pod.key, pod.priority, self._member(pod)), ((pod,),)
        if pod.gang not in self._gangs:
            self._gangs[pod.gang] = self._gang(pod.gang, group.min_count, group.disruption)
        return self._gangs[pod.gang]

    def holders(self, pods: Iterable[PodSpecView]) -> list[Candidate]:
        """Of these pods, the least important first, of equals the newest."""
        found: dict[object, Candidate] = {}
        for pod in pods:
            candidate = self.of(pod)
            if candidate is not None:
                found[candidate[0].key] = candidate
        listed = list(found.values())
        listed.sort(key=lambda f: f[1][0][0].key, reverse=True)  # names that count up
        listed.sort(key=lambda f: (f[0].priority, -max(p.created_ns for s in f[1] for p in s)))
        return listed

    def freeable(self, pods: Iterable[PodSpecView]) -> list[Freeable]:
        """What the pods of one node free there: never dearer than it turns out to be."""
        found: list[Freeable] = []
        whole: dict[Key, dict[int, int]] = {}
        charged = self.what_if.cluster.holdings.charged
        for pod in pods:
            taken = charged.get(pod.uid)
            if taken is None:
                continue
            if pod.gang is None and not pod.claims:
                cell, loss = self._alone(pod)
                found.append(Freeable(cell, loss, dict(taken[1])))
                continue
            candidate = self.of(pod)
            if candidate is None:
                continue
            holder = candidate[0]
            first = holder.steps[0]
            if pod.gang is not None and len(holder.steps) == 1 and first.pods > 1:
                if pod.gang not in whole:
                    whole[pod.gang] = {}
                    offer = Freeable(
                        cell_of(holder.priority, first.kind), first.loss, whole[pod.gang]
                    )
                    found.append(offer)
                amounts = whole[pod.gang]
                for resource, amount in taken[1]:
                    amounts[resource] = amounts.get(resource, 0) + amount
            else:
                loss = min(step.loss for step in holder.steps)
                found.append(Freeable(cell_of(holder.priority, first.kind), loss, dict(taken[1])))
        return found

    # -- parts ---------------------------------------------------------------------------------

    def _alone(self, pod: PodSpecView) -> tuple[Cell, int]:
        """What a pod without gang and claims costs: many are alike."""
        key = (pod.priority, pod.disruption_cost)
        if key not in self._prices:
            step = single(pod.key, pod.priority, self._member(pod)).steps[0]
            self._prices[key] = (cell_of(pod.priority, step.kind), step.loss)
        return self._prices[key]

    def _gang(self, key: Key, least: int, disruption: str) -> Candidate | None:
        cluster = self.what_if.cluster
        pods = [p for p in cluster.members.get(key, {}).values() if self._stays(p)]
        priority = max((pod.priority for pod in pods), default=self.below)
        if priority >= self.below:
            return None
        pods.sort(key=by_rank)
        is_whole = disruption == "PodGroup"
        kept = len(pods) if is_whole else min(max(1, least), len(pods))
        steps = [(pod,) for pod in reversed(pods[kept:])] + [tuple(pods[:kept][::-1])]
        members = [self._member(pod) for pod in pods]
        return gang(key, priority, members, max(1, least), is_whole), tuple(steps)

    def _member(self, pod: PodSpecView) -> Member:
        devices = 0
        if pod.claims:
            devices = sum(len(a.results) for a in self.what_if.cluster.allocations_of(pod))
        return Member(HERE, max(1, devices), pod.disruption_cost.at(self.now_ns))

    def _stays(self, pod: PodSpecView) -> bool:
        return pod.stays and pod.key not in self.what_if.cluster.leaving
