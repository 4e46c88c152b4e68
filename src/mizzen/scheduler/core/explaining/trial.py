"""Makes a change in the cluster as it stands, asks placing, and undoes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from mizzen.base.objects import Key
from mizzen.scheduler.core.conventions.topology import TopologyRequest
from mizzen.scheduler.core.dra.model import ClaimRequest
from mizzen.scheduler.core.limits import Limits
from mizzen.scheduler.core.misfit import Misfit
from mizzen.scheduler.core.placing.attempt import Attempt, Placer
from mizzen.scheduler.core.placing.scheduling_constraints import SchedulingConstraints
from mizzen.scheduler.core.preemption.policy import LOWER_PRIORITY, PreemptionPolicy
from mizzen.scheduler.core.types import PodShape, PodSpecView
from mizzen.scheduler.core.units import Unit


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of the demand: of every pod alike; claims that ask the same change alike."""

    shape: Callable[[PodShape], PodShape] | None = None
    claims: dict[ClaimRequest, ClaimRequest] = field(
        default_factory=dict[ClaimRequest, ClaimRequest]
    )
    topology: TopologyRequest | None = None
    members: int = 0  # so many from the front instead of all that are needed; 0: all


@dataclass(slots=True)
class Trial:
    """Attempts to place one unit under changes. `left` counts down; at 0 nothing is tried."""

    placer: Placer
    unit: Unit
    policy: PreemptionPolicy = LOWER_PRIORITY
    left: int = 0

    def __post_init__(self) -> None:
        limits = self.limits
        self.left = limits.trials_max if self.is_small else limits.trials_large_max

    @property
    def limits(self) -> Limits:
        return self.placer.what_if.cluster.limits

    @property
    def is_small(self) -> bool:
        return len(self.placer.what_if.cluster.nodes) <= self.limits.trial_nodes_max

    @property
    def pods(self) -> tuple[PodSpecView, ...]:
        """The members that must be placed together; an extra member stands for itself."""
        return self.unit.pods[: self.unit.needed]

    @property
    def constraints(self) -> SchedulingConstraints:
        return self.unit.constraints(self.unit.member_nodes)

    def without(self, leaving: Iterable[PodSpecView], only: str = "") -> Attempt | None:
        """The attempt once these have left (`only`: on that node); None without tries left."""
        if self.left <= 0:
            return None
        self.left -= 1
        return self.placer.place_without(leaving, self.pods, self.constraints, only)

    def fits(self, edit: Edit) -> bool:
        """True if it is placed when it asks for this instead."""
        what_if = self.placer.what_if
        mark = what_if.mark()
        pods = self.pods[: edit.members or None]
        if edit.shape is not None:
            changed = edit.shape
            pods = tuple([replace(pod, shape=changed(pod.shape)) for pod in pods])
        if edit.claims:
            self._reword(pods, edit.claims)
        found = self._is_placed(pods, edit.topology)
        what_if.rollback(mark)
        return found

    def _reword(
        self, pods: Sequence[PodSpecView], claims: dict[ClaimRequest, ClaimRequest]
    ) -> None:
        cluster = self.placer.what_if.cluster
        keys: dict[Key, None] = {}
        for pod in pods:
            keys |= {e.claim: None for e in pod.claims if e.claim is not None}
        for key in keys:
            state = cluster.claims.get(key)
            other = claims.get(state.claim.request) if state is not None else None
            if state is None or other is None or state.allocation is not None:
                continue
            before = state.claim
            state.claim = replace(before, request=other)

            def undo(state: object = state, before: object = before) -> None:
                state.claim = before  # type: ignore[attr-defined]

            cluster.nodes.log.append(undo)

    def _is_placed(self, pods: Sequence[PodSpecView], topology: TopologyRequest | None) -> bool:
        """Equal nodes answer once for all; only what they leave open is placed."""
        what_if = self.placer.what_if
        table = what_if.cluster.signatures
        constraints = self.constraints
        if topology is not None:
            constraints = replace(constraints, topology=topology)
        shapes = [what_if.shape_of(pod) for pod in pods]
        countable = all(map(what_if.is_countable, pods, shapes))
        if countable:
            wanted: dict[int, int] = {}
            for shape in shapes:
                wanted[shape.number] = wanted.get(shape.number, 0) + 1
            for shape in {s.number: s for s in shapes}.values():
                there = 0
                for signature in what_if.cluster.nodes.groups():
                    if there >= wanted[shape.number]:
                        break
                    if len(pods) == 1:
                        there += not isinstance(table.outcome(shape, signature), Misfit)
                    else:
                        there += table.count(shape, signature) * signature.nodes
                if there < wanted[shape.number]:
                    return False
            if len(pods) == 1 and not constraints.keys:
                return True
        if self.left <= 0 or not (countable or self.is_small):
            return False
        self.left -= 1
        return self.placer.place(pods, constraints).fits
