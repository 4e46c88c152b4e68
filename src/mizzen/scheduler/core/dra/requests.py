"""Requests made ready for a search: checked, with their class, and the devices that match them.

What upstream checks before it searches is checked here in the same order, as the first error is
the answer. Source: k8s.io/dynamic-resource-allocation/structured/internal Allocate and
validateDeviceRequest, v0.36.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mizzen.scheduler.core.dra.features import Features
from mizzen.scheduler.core.dra.held import Taken
from mizzen.scheduler.core.dra.matching import Matching
from mizzen.scheduler.core.dra.model import (
    AllocationError,
    ClaimRequest,
    Device,
    DeviceClass,
    DeviceRequest,
    SubRequest,
)
from mizzen.scheduler.core.dra.nodes import Node, reaches
from mizzen.scheduler.core.dra.pools import NodePool

RESULTS_MAX = 32  # of one claim, resource.k8s.io/v1 AllocationResultsMaxSize
_COUNT_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Candidate:
    """A device the node reaches, and its place in the search order."""

    index: int
    device: Device
    pool: NodePool


@dataclass(slots=True)
class Alternative:
    """One alternative of a request (its only one, unless it is a list), in the making."""

    claim: int
    request: DeviceRequest
    sub: SubRequest
    device_class: DeviceClass
    count: int = 0
    every: tuple[Candidate, ...] | None = None  # for allocationMode All: exactly these
    answers: dict[int, bool] = field(default_factory=dict[int, bool])

    @property
    def base_name(self) -> str:
        return self.request.name

    @property
    def sub_name(self) -> str:
        """request/sub for an alternative of a list, else ""."""
        return self.sub.name if self.request.is_list else ""


Slot = tuple[Alternative, ...]  # the alternatives of one request, in order


@dataclass(slots=True)
class Board:
    """The state of one allocation: claims, the node's pools, and what is known of both so far."""

    claims: Sequence[ClaimRequest]
    node: Node
    pools: Sequence[NodePool]
    classes: Mapping[str, DeviceClass]
    matching: Matching
    features: Features
    held: Taken
    candidates: list[Candidate] = field(default_factory=list[Candidate])
    slots: list[list[Slot]] = field(default_factory=list[list[Slot]])  # per claim

    def __post_init__(self) -> None:
        for pool in self.pools:
            for device in pool.devices:
                self.candidates.append(Candidate(len(self.candidates), device, pool))

    def prepare(self) -> None:
        """Fills `slots`. Errors: AllocationError as upstream, before any search."""
        for index, claim in enumerate(self.claims):
            slots: list[Slot] = []
            least = 0
            for request in claim.requests:
                self._check_gates(index, request)
                if not request.alternatives:
                    raise AllocationError(
                        f"claim #{index}, request {request.name}: has neither exactly nor "
                        "firstAvailable"
                    )
                slot = tuple(self._alternative(index, request, s) for s in request.alternatives)
                slots.append(slot)
                least += min(alternative.count for alternative in slot)
            if least > RESULTS_MAX:
                raise AllocationError(
                    f"claim #{index}: number of requested devices {least} exceeds the limit of "
                    f"{RESULTS_MAX} for one claim"
                )
            self.slots.append(slots)

    def _check_gates(self, claim: int, request: DeviceRequest) -> None:
        if self.features.variant == "stable" or self.features.consumable:
            return
        for sub in request.alternatives:
            if sub.capacity is not None:
                raise AllocationError(
                    f"claim #{claim}, request {sub.name}: asks for capacity, but the feature "
                    "DRAConsumableCapacity is off"
                )

    def _alternative(self, claim: int, request: DeviceRequest, sub: SubRequest) -> Alternative:
        where = f"claim #{claim}, request {sub.name}"
        if None in sub.selectors:
            raise AllocationError(f"{where}: a selector is not CEL (of an unknown kind)")
        if not sub.device_class:
            raise AllocationError(f"{where}: deviceClassName is missing")
        found = self.classes.get(sub.device_class)
        if found is None:
            known = ", ".join(sorted(self.classes)) or "none"
            raise AllocationError(
                f'{where}: DeviceClass "{sub.device_class}" does not exist; there are: {known}'
            )
        alternative = Alternative(claim, request, sub, found)
        if sub.strange_mode is not None:
            said = f"{sub.strange_mode!r} is unknown" if sub.strange_mode else "is absent"
            raise AllocationError(
                f"{where}: allocationMode {said}; say ExactCount or All (`kubectl create "
                "--dry-run=server` fills in the defaults)"
            )
        if sub.all_devices:
            alternative.every = tuple(self._all(alternative, where))
            alternative.count = len(alternative.every)
        elif sub.count > _COUNT_MAX:
            raise AllocationError(f"{where}: count {sub.count} is too large")
        else:
            alternative.count = sub.count
        return alternative

    def _all(self, alternative: Alternative, where: str) -> list[Candidate]:
        """Every matching device that could serve the request if it were free."""
        found: list[Candidate] = []
        at = 0
        for pool in self.pools:
            if not pool.is_usable:
                raise AllocationError(
                    f"{where}: asks for all devices, but resource pool {pool} is "
                    f"{pool.state}: {pool.problem}"
                )
            for candidate in self.candidates[at : at + len(pool.devices)]:
                if self.matches(alternative, candidate) and self.matching.fits(
                    alternative.sub, candidate.device, self.held, {}
                ):
                    found.append(candidate)
            at += len(pool.devices)
        return found

    def matches(self, alternative: Alternative, candidate: Candidate) -> bool:
        """True if class, selectors and the device's own scope admit it. Errors: AllocationError."""
        device = candidate.device
        if device.shape.bindings and not self.features.binding:
            return False
        known = alternative.answers.get(candidate.index)
        if known is None:
            known = self.matching.matches(alternative.device_class, alternative.sub, device) and (
                device.id.device not in candidate.pool.per_device
                or reaches(device.scope, self.node)
            )
            alternative.answers[candidate.index] = known
        return known
