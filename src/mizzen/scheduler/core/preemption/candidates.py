"""Preemption candidates: the pods and gangs that may be evicted, in which steps, and at what cost.

A pod on its own leaves or stays. A gang gives its surplus over the minimum from the last rank on,
then all the rest at once; one that is disrupted as a whole has a single step. This is the only place
that says so: every search, and every explanation, begins here.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field

from mizzen.base.objects import Key
from mizzen.scheduler.core.cluster.state import Cluster
from mizzen.scheduler.core.conventions.gang import Gang
from mizzen.scheduler.core.disruption_cost import DisruptionCost
from mizzen.scheduler.core.preemption.policy import PreemptionPolicy, Preemptor
from mizzen.scheduler.core.preemption.solver.bound import Freeable
from mizzen.scheduler.core.preemption.solver.objective import Cell, cell_of
from mizzen.scheduler.core.preemption.solver.problem import Holder, Kind, Step
from mizzen.scheduler.core.types import PodSpecView
from mizzen.scheduler.core.units import by_rank

REFORM_MS = 1_000  # in which a gang that shrinks goes over to its new formation


@dataclass(frozen=True, slots=True)
class Member:
    """A running pod: the devices it holds, and what its leaving costs now."""

    pod: PodSpecView
    devices: int
    cost: DisruptionCost

    @property
    def chips(self) -> int:
        """Chips that stand still while it is away: its devices; a pod without any counts as one."""
        return max(1, self.devices)


Frees = Callable[[Sequence[Member]], tuple[tuple[int, int], ...]]
"""(node, amount) that is freed once these members have left; nodes are numbered by the problem."""


@dataclass(frozen=True, slots=True)
class EvictionStep:
    """A step of a candidate: these members leave together, the last rank first."""

    members: tuple[Member, ...]
    kind: Kind
    loss: int  # in chip-milliseconds

    @property
    def pods(self) -> tuple[PodSpecView, ...]:
        return tuple([member.pod for member in self.members])


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pod or gang that may be evicted; its steps are taken in order, see `solver.problem`."""

    key: Hashable
    priority: int
    steps: tuple[EvictionStep, ...]

    @property
    def pods(self) -> tuple[PodSpecView, ...]:
        """Everybody, in the order in which they leave."""
        return tuple([pod for step in self.steps for pod in step.pods])

    def holder(self, frees: Frees) -> Holder:
        """The candidate as the solver sees it."""
        steps = [Step(s.kind, s.loss, frees(s.members), len(s.members)) for s in self.steps]
        return Holder(self.key, self.priority, tuple(steps))


def single(member: Member) -> Candidate:
    """A pod on its own: it leaves or it stays."""
    pod = member.pod
    return Candidate(pod.uid, pod.priority, (_rest([member], [member]),))


def gang(key: Key, members: Sequence[Member], min_count: int, *, is_whole: bool) -> Candidate:
    """A gang, its members in the order they keep their places: lowest rank first.

    `is_whole`: it is disrupted only as a whole (`disruptionMode: PodGroup`).
    """
    kept = len(members) if is_whole else min(max(1, min_count), len(members))
    surplus = [
        EvictionStep((member,), Kind.SHRINK, REFORM_MS * member.chips)
        for member in reversed(members[kept:])
    ]
    priority = max(member.pod.priority for member in members)
    return Candidate(key, priority, (*surplus, _rest(members[:kept], members)))


def _rest(leaving: Sequence[Member], members: Sequence[Member]) -> EvictionStep:
    """The last step loses the unsaved work of all chips, and everyone's reload.

    Members that run on together end together. The gang's unsaved work is that of the member that reports most.
    """
    unsaved_ms = max(member.cost.unsaved_ms for member in members)
    loss = sum((unsaved_ms + member.cost.reload_ms) * member.chips for member in members)
    kind = Kind.SUSPEND if all(member.cost.resumes for member in members) else Kind.KILL
    return EvictionStep(tuple(leaving[::-1]), kind, loss)


def evicted(
    candidates: Sequence[Candidate], levels: Sequence[int] | None = None
) -> tuple[PodSpecView, ...]:
    """The pods that leave when so many steps of each candidate are taken; None: all of them."""
    if levels is None:
        levels = [len(candidate.steps) for candidate in candidates]
    return tuple(
        [
            pod
            for candidate, level in zip(candidates, levels, strict=True)
            for step in candidate.steps[:level]
            for pod in step.pods
        ]
    )


@dataclass(slots=True)
class PreemptionCandidates:
    """Those whom the policy lets a unit displace; its own gang and what leaves already apart.

    Whoever got a place in the plan at hand is none before it has been written, nor is their gang;
    `with_arrived` has them as well.
    """

    cluster: Cluster
    preemptor: Preemptor
    policy: PreemptionPolicy
    now_ns: int
    with_arrived: bool = False
    _own: set[Key] = field(init=False)
    _arrived: dict[str, list[PodSpecView]] = field(init=False)  # by node
    _arrived_pods: set[Key] = field(init=False)
    _arrived_gangs: set[Key] = field(init=False)  # of which a pod arrived
    _gangs: dict[Key, Candidate | None] = field(default_factory=dict[Key, "Candidate | None"])
    _prices: dict[tuple[int, DisruptionCost], tuple[Cell, int]] = field(
        default_factory=dict[tuple[int, DisruptionCost], tuple[Cell, int]]
    )

    def __post_init__(self) -> None:
        self._own = {pod.gang for pod in self.preemptor.unit.pods if pod.gang is not None}
        self._arrived = {}
        for placement in self.cluster.arrived:
            self._arrived.setdefault(placement.node, []).append(placement.pod)
        pods = [placement.pod for placement in self.cluster.arrived]
        self._arrived_pods = {pod.key for pod in pods}
        self._arrived_gangs = {pod.gang for pod in pods if pod.gang is not None}

    # -- who -----------------------------------------------------------------------------------

    def on(self, node: int) -> list[PodSpecView]:
        """Pods there that may be evicted, with their gangs if they have one."""
        name = self.cluster.nodes.names[node]
        here = [*self.cluster.pods_on(name)]
        if self.with_arrived:
            here += self._arrived.get(name, ())
        may_displace, preemptor, own = self.policy.may_displace, self.preemptor, self._own
        return [
            pod
            for pod in here
            if may_displace(preemptor, pod)
            and self._stays(pod)
            and (pod.gang is None or (pod.gang not in own and self.of(pod) is not None))
        ]

    def among(self, pods: Iterable[PodSpecView]) -> list[Candidate]:
        """The candidates that these pods are or belong to: the least important first, of equals the
        newest, of those the one named last, as names count up."""
        found: dict[Hashable, Candidate] = {}
        for pod in pods:
            candidate = self.of(pod)
            if candidate is not None:
                found[candidate.key] = candidate
        listed = list(found.values())
        listed.sort(key=lambda c: c.steps[0].members[0].pod.key, reverse=True)
        listed.sort(key=lambda c: (c.priority, -max(pod.created_ns for pod in c.pods)))
        return listed

    def everybody(self) -> list[Candidate]:
        """All of them in the cluster."""
        live = sorted(self.cluster.nodes.live())
        return self.among([pod for node in live for pod in self.on(node)])

    def may_displace(self, pod: PodSpecView) -> bool:
        """True if this pod may be evicted as far as it is concerned itself."""
        return (
            self.policy.may_displace(self.preemptor, pod)
            and pod.gang not in self._own
            and self._stays(pod)
        )

    def of(self, pod: PodSpecView) -> Candidate | None:
        """The pod or its gang; None: somebody in it may not be displaced."""
        group = self.cluster.gangs.get(pod.gang) if pod.gang is not None else None
        if pod.gang is None or group is None or group.min_count == 0:
            return single(self._member(pod))
        if pod.gang not in self._gangs:
            self._gangs[pod.gang] = self._gang(pod.gang, group)
        return self._gangs[pod.gang]

    def freeable(self, pods: Iterable[PodSpecView]) -> list[Freeable]:
        """Amounts that the pods of one node free there, each at no more than it turns out to cost."""
        found: list[Freeable] = []
        whole: dict[Key, dict[int, int]] = {}
        charged = self.cluster.holdings.charged
        for pod in pods:
            taken = charged.get(pod.uid)
            if taken is None:
                continue
            if pod.gang is None and not pod.claims:
                cell, loss = self._price(pod)
                found.append(Freeable(cell, loss, dict(taken[1])))
                continue
            candidate = self.of(pod)
            if candidate is None:
                continue
            first = candidate.steps[0]
            cell = cell_of(candidate.priority, first.kind)
            if pod.gang is not None and len(candidate.steps) == 1 and len(first.members) > 1:
                if pod.gang not in whole:
                    whole[pod.gang] = {}
                    found.append(Freeable(cell, first.loss, whole[pod.gang]))
                amounts = whole[pod.gang]
                for resource, amount in taken[1]:
                    amounts[resource] = amounts.get(resource, 0) + amount
            else:
                loss = min(step.loss for step in candidate.steps)
                found.append(Freeable(cell, loss, dict(taken[1])))
        return found

    # -- parts ---------------------------------------------------------------------------------

    def _price(self, pod: PodSpecView) -> tuple[Cell, int]:
        """The price of a pod without gang and claims: many are alike."""
        key = (pod.priority, pod.disruption_cost)
        if key not in self._prices:
            step = single(self._member(pod)).steps[0]
            self._prices[key] = (cell_of(pod.priority, step.kind), step.loss)
        return self._prices[key]

    def _gang(self, key: Key, group: Gang) -> Candidate | None:
        if key in self._arrived_gangs and not self.with_arrived:
            return None
        pods = [p for p in self.cluster.members.get(key, {}).values() if self._stays(p)]
        if not pods or not all(self.policy.may_displace(self.preemptor, pod) for pod in pods):
            return None
        members = [self._member(pod) for pod in sorted(pods, key=by_rank)]
        return gang(key, members, group.min_count, is_whole=group.disruption == "PodGroup")

    def _member(self, pod: PodSpecView) -> Member:
        devices = 0
        if pod.claims:
            devices = sum(len(a.results) for a in self.cluster.allocations_of(pod))
        return Member(pod, devices, pod.disruption_cost.at(self.now_ns))

    def _stays(self, pod: PodSpecView) -> bool:
        if pod.stays:
            return pod.key not in self.cluster.leaving
        return self.with_arrived and pod.key in self._arrived_pods
