"""What is free where, as a plan is being made: a mutable copy of the snapshot with an undo log.

Everything is additive: a device counts its holders and an amount may fall below zero, so holders
may be added and removed in any order. Only `fit.py` insists that nothing is overdrawn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from mizzen.base import names
from mizzen.base.objects import Key
from mizzen.scheduler.core.devices import Catalogue
from mizzen.scheduler.core.dra.model import Allocation, Device, DeviceId
from mizzen.scheduler.core.types import CPU, Claim, Placement, PodSpecView, Snapshot

Amounts = tuple[tuple[str, int], ...]


@dataclass(slots=True)
class ClaimState:
    """A claim with what this plan adds: its allocation and the pods that use it."""

    claim: Claim
    allocation: Allocation | None
    users: set[str] = field(default_factory=set[str])  # uids of live pods


class Room:
    """Free amounts, devices in use and claim states; `mark` and `rollback` undo."""

    def __init__(self, snapshot: Snapshot, catalogue: Catalogue) -> None:
        self.snapshot = snapshot
        self.catalogue = catalogue
        self.free: dict[str, dict[str, int]] = {}
        self.in_use: Counter[DeviceId] = Counter()
        self.claims: dict[Key, ClaimState] = {}
        self.gang_cores: Counter[tuple[Key, tuple[str, str, int]]] = Counter()
        self.cores: Counter[tuple[str, str, int]] = Counter()
        self.leaving: list[PodSpecView] = []  # terminating pods and this plan's victims
        self.arrived: list[PodSpecView] = []  # placed or promised a place by this plan
        self.freed = 0  # grows whenever something may fit that did not before
        self._charged: dict[str, tuple[str, Amounts]] = {}  # pod uid -> node and what it took
        self._undo: list[Callable[[], None]] = []
        for node in snapshot.nodes.values():
            self.free[node.name] = {**node.allocatable, CPU: node.capacity_cpu_milli}
        alive = {pod.uid for pod in snapshot.pods.values() if not pod.is_finished}
        for key, claim in snapshot.claims.items():
            users = {c.uid for c in claim.reserved_for if c.uid in alive}
            self.claims[key] = ClaimState(claim, claim.allocation, users)
            if claim.allocation is not None:
                self._hold(claim.allocation, 1)
        for pod in snapshot.pods.values():
            if pod.holds:
                self._charge(pod, pod.node)
                self._count_cores(pod, 1)
                if pod.is_terminating:
                    self.leaving.append(pod)
        self._undo.clear()

    # -- undo ---------------------------------------------------------------------------

    def mark(self) -> int:
        return len(self._undo)

    def rollback(self, mark: int) -> None:
        if len(self._undo) > mark:
            self.freed += 1
        while len(self._undo) > mark:
            self._undo.pop()()

    # -- changes ---------------------------------------------------------------------------

    def put(self, placement: Placement) -> None:
        """The pod takes its place and its claims their devices."""
        pod = placement.pod
        for key, allocation in placement.allocations:
            self._allocate(self.claims[key], allocation)
        for state in self._states(pod):
            self._add_user(state, pod.uid)
        self._charge(pod, placement.node)
        self._count_cores(pod, 1)

    def remove(self, pod: PodSpecView) -> None:
        """The pod is gone: its share returns, and devices that nobody else uses."""
        self._count_cores(pod, -1)
        self._refund(pod)
        for state in self._states(pod):
            self._drop_user(state, pod.uid)
        self.freed += 1

    def release_idle(self) -> None:
        """Allocations that no live pod uses return their devices (their controller is about to)."""
        for state in self.claims.values():
            if state.allocation is not None and not state.users:
                self._allocate(state, None)
        self.freed += 1

    def release_leaving(self) -> None:
        """The room as it will be once everything that is on its way out has left."""
        for pod in self.leaving:
            self.remove(pod)
        self.release_idle()

    # -- questions ----------------------------------------------------------------------------

    def occupants(self) -> list[PodSpecView]:
        """Who is going to be there once this plan is carried out."""
        gone = {pod.uid for pod in self.leaving}
        stay = [p for p in self.snapshot.pods.values() if p.stays and p.uid not in gone]
        return stay + self.arrived

    def holds_core(self, pod: PodSpecView) -> bool:
        """It has CPU devices of its own, so that its CPU request is not charged to shared cores."""
        return any(
            result.id.driver == names.CPU_DRIVER
            for state in self._states(pod)
            if state.allocation is not None
            for result in state.allocation.results
        )

    def devices_of(self, pod: PodSpecView) -> set[DeviceId]:
        return {
            result.id
            for state in self._states(pod)
            if state.allocation is not None
            for result in state.allocation.results
        }

    def crowding(self, pod: PodSpecView) -> Callable[[Device], tuple[int, ...]]:
        """Prefers cores where the pod's gang, then anybody, has the fewest devices."""
        gang = pod.gang

        def crowd(device: Device) -> tuple[int, ...]:
            core = device.core
            if core is None:
                return (0, 0)
            return (self.gang_cores[gang, core] if gang else 0, self.cores[core])

        return crowd

    # -- primitives, each with its inverse on the undo log ----------------------------------------

    def _states(self, pod: PodSpecView) -> Iterable[ClaimState]:
        for entry in pod.claims:
            state = self.claims.get(entry.claim) if entry.claim else None
            if state is not None:
                yield state

    def _charge(self, pod: PodSpecView, node: str) -> None:
        free = self.free.get(node)
        if free is None:  # a node that is gone holds nothing for anyone
            return
        own_cpu = self.holds_core(pod)
        amounts = tuple((n, a) for n, a in pod.shape.requests if not (own_cpu and n == CPU))
        self._adjust(free, amounts, -1)
        self._charged[pod.uid] = (node, amounts)
        self._undo.append(lambda: self._uncharge(pod.uid))

    def _uncharge(self, uid: str) -> None:
        node, amounts = self._charged.pop(uid)
        self._adjust(self.free[node], amounts, 1)

    def _refund(self, pod: PodSpecView) -> None:
        charged = self._charged.get(pod.uid)
        if charged is None:
            return
        self._uncharge(pod.uid)

        def charge_again() -> None:
            self._adjust(self.free[charged[0]], charged[1], -1)
            self._charged[pod.uid] = charged

        self._undo.append(charge_again)

    @staticmethod
    def _adjust(free: dict[str, int], amounts: Amounts, sign: int) -> None:
        for name, amount in amounts:
            free[name] = free.get(name, 0) + sign * amount

    def _allocate(self, state: ClaimState, allocation: Allocation | None) -> None:
        before = state.allocation
        self._set_allocation(state, allocation)
        self._undo.append(lambda: self._set_allocation(state, before))

    def _set_allocation(self, state: ClaimState, allocation: Allocation | None) -> None:
        if state.allocation is not None:
            self._hold(state.allocation, -1)
        state.allocation = allocation
        if allocation is not None:
            self._hold(allocation, 1)

    def _hold(self, allocation: Allocation, sign: int) -> None:
        for result in allocation.results:
            held = self.in_use[result.id] + sign
            if held:
                self.in_use[result.id] = held
            else:
                del self.in_use[result.id]
            device = self.catalogue.by_id.get(result.id)
            if device is None:
                continue
            if device.core is not None:
                self.cores[device.core] += sign
            free = self.free.get(device.scope.node)
            if free is not None:
                free[CPU] -= sign * device.cpu_milli

    def _count_cores(self, pod: PodSpecView, sign: int) -> None:
        if pod.gang is None:
            return
        for device_id in self.devices_of(pod):
            device = self.catalogue.by_id.get(device_id)
            if device is not None and device.core is not None:
                self._count_core((pod.gang, device.core), sign)

    def _count_core(self, key: tuple[Key, tuple[str, str, int]], sign: int) -> None:
        self.gang_cores[key] += sign
        self._undo.append(lambda: self.gang_cores.update({key: -sign}))

    def _add_user(self, state: ClaimState, uid: str) -> None:
        if uid not in state.users:
            state.users.add(uid)
            self._undo.append(lambda: state.users.discard(uid))

    def _drop_user(self, state: ClaimState, uid: str) -> None:
        if uid in state.users:
            state.users.discard(uid)
            self._undo.append(lambda: state.users.add(uid))
        if not state.users and state.allocation is not None:
            self._allocate(state, None)
