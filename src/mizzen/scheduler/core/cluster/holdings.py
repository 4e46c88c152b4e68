"""Holdings: devices by claims, amounts by pods. Everything is additive and can be undone.

A device counts its holders and an amount may fall below zero, so holders may come and go in any
order. Only the signatures' outcomes insist that nothing is overdrawn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial

from mizzen.base import names
from mizzen.base.objects import Key
from mizzen.scheduler.core.cluster.layouts import Consumed, GangCores, Layout, with_share
from mizzen.scheduler.core.cluster.nodes import Nodes
from mizzen.scheduler.core.cluster.signature import CPU_INDEX, Signature
from mizzen.scheduler.core.dra.held import Held
from mizzen.scheduler.core.dra.model import Allocation, DeviceId, DeviceResult
from mizzen.scheduler.core.limits import Limits
from mizzen.scheduler.core.neighbours.index import PodIndex
from mizzen.scheduler.core.queue.usage import Usage
from mizzen.scheduler.core.types import Claim, PodShape, PodSpecView

Amounts = tuple[tuple[int, int], ...]  # (resource index, amount)
Charge = tuple[int, Amounts, PodSpecView]  # a pod's node and what it took


class ClaimState:
    """A claim with what a plan adds: its allocation, and the uids of live pods that use it."""

    __slots__ = ("allocation", "claim", "users")

    def __init__(self, claim: Claim, users: frozenset[str]) -> None:
        self.claim = claim
        self.allocation = claim.allocation
        self.users = users


class Holdings:
    """Devices and amounts in use on the nodes. Changes go to the nodes' undo log."""

    def __init__(self, nodes: Nodes, limits: Limits, usages: Sequence[Usage] = ()) -> None:
        self.nodes = nodes
        self._amounts_max = limits.amounts_max
        self.pool_at: dict[tuple[str, str], int] = {}  # pools that do not bear their node's name
        self.elsewhere: dict[tuple[str, str], Held] = {}  # of pools that no known node has alone
        self.cores_by_gang: dict[tuple[Key, int], Counter[int]] = {}
        self.charged: dict[str, Charge] = {}  # by pod uid
        self.usages = tuple(usages)  # by queue, of the policies that count
        self.index = PodIndex(limits.idle_selections_max)
        self._amounts: dict[PodShape, tuple[Amounts, Amounts]] = {}

    # -- devices ----------------------------------------------------------------------------

    def locate(self, device: DeviceId) -> tuple[int, int] | None:
        """The node and index of a device that is local to a known node."""
        driver, pool, name = device
        nodes = self.nodes
        node = nodes.index.get(pool)
        names = nodes.pool_names
        if node is None or (names and node in names):
            node = self.pool_at.get((driver, pool))
            if node is None:
                return None
        signature = nodes.sigs[node]
        assert signature is not None
        listed = names.get(node) if names else None
        for ordinal, part in enumerate(signature.layout.pools):
            if part.driver == driver and (listed is None or listed[ordinal] == pool):
                index = signature.layout.index[ordinal].get(name)
                return None if index is None else (node, index)
        return None

    def device_id(self, node: int, index: int) -> DeviceId:
        """The cluster-wide name of a device by its index in the node's layout."""
        signature = self.nodes.sigs[node]
        assert signature is not None
        layout = signature.layout
        ordinal = layout.pool_of[index]
        listed = self.nodes.pool_names.get(node)
        pool = self.nodes.names[node] if listed is None else listed[ordinal]
        return DeviceId(layout.pools[ordinal].driver, pool, layout.devices[index].id.device)

    def hold(self, allocation: Allocation, sign: int) -> None:
        """The allocation's devices are taken (1) or given back (-1); admin access takes none."""
        if self._hold_whole(allocation, sign):
            return
        local: dict[int, list[tuple[int, DeviceResult]]] = {}
        for result in allocation.results:
            if result.admin:
                continue
            found = self.locate(result.id)
            if found is None:
                self._hold_elsewhere(result, sign)
            else:
                local.setdefault(found[0], []).append((found[1], result))
        for node, taken in local.items():
            whole = [index for index, result in taken if not result.shared]
            shares = [
                (index, tuple([(name, amount.nano) for name, amount in result.consumed]))
                for index, result in taken
                if result.shared
            ]
            self._shift_devices(node, whole, shares, sign)

    def _hold_whole(self, allocation: Allocation, sign: int) -> bool:
        """Shifts whole devices of one node, as most allocations are; False: nothing is done."""
        node, indices = -1, list[int]()
        for result in allocation.results:
            found = None if result.shared or result.admin else self.locate(result.id)
            if found is None or node not in (-1, found[0]):
                return False
            node = found[0]
            indices.append(found[1])
        if indices:
            self._shift_devices(node, indices, [], sign)
        return True

    def times_held(self, device: DeviceId) -> int:
        """The number of allocations that hold the whole device."""
        found = self.locate(device)
        if found is None:
            held = self.elsewhere.get(device[:2])
            return held.devices[device] if held else 0
        signature = self.nodes.sigs[found[0]]
        assert signature is not None
        if not signature.held >> found[1] & 1:
            return 0
        return 1 + dict(signature.over).get(found[1], 0)

    def held_on(self, node: int) -> Held:
        """Everything of the node's devices that is held, under its own names."""
        signature = self.nodes.sigs[node]
        assert signature is not None
        over = dict(signature.over)
        found = Held()
        for index in signature.layout.indices(signature.held):
            found.devices[self.device_id(node, index)] = 1 + over.get(index, 0)
        for index, count, consumed in signature.shares:
            device = self.device_id(node, index)
            found.shares[device] = count
            found.consumed[device] = dict(consumed)
        return found

    def restore(self, held: Held) -> None:
        """All of it is held, for good, wherever its devices are by now."""
        for device, times in held.devices.items():
            found = self.locate(device)
            if found is None:
                self.elsewhere.setdefault(device[:2], Held()).devices[device] += times
                continue
            for _ in range(times):
                self._shift_devices(found[0], [found[1]], [], 1)
        for device, count in held.shares.items():
            found = self.locate(device)
            consumed = held.consumed.get(device, {})
            if found is None:
                kept = self.elsewhere.setdefault(device[:2], Held())
                kept.shares[device] += count
                kept.consumed[device] = dict(consumed)
                continue
            shares = [(found[1], tuple(sorted(consumed.items())))] + [(found[1], ())] * (count - 1)
            self._shift_devices(found[0], [], shares, 1)

    def recall_pool(self, pool: tuple[str, str]) -> Held:
        """Takes out what is held in a pool that was not local to any node until now."""
        return self.elsewhere.pop(pool, None) or Held()

    def _hold_elsewhere(self, result: DeviceResult, sign: int) -> None:
        held = self.elsewhere.setdefault(result.id[:2], Held())
        alone = Allocation((result,), None)
        held.hold(alone, sign)
        self.nodes.log.append(lambda: held.hold(alone, -sign))

    def _shift_devices(
        self, node: int, indices: list[int], shares: list[tuple[int, Consumed]], sign: int
    ) -> None:
        signature = self.nodes.sigs[node]
        assert signature is not None
        if shares:
            self.nodes.shift(node, self._shifted(signature, indices, shares, sign))
            return
        key = (sign, *indices)
        after = signature.steps.get(key)
        if after is None:
            after = signature.steps[key] = self._shifted(signature, indices, shares, sign)
        self.nodes.shift(node, after)

    def _shifted(
        self,
        signature: Signature,
        indices: list[int],
        shares: list[tuple[int, Consumed]],
        sign: int,
    ) -> Signature:
        """The signature once these devices are held, or given back."""
        held, over = signature.held, dict(signature.over)
        for index in indices:
            bit = 1 << index
            if sign > 0 and held & bit:
                over[index] = over.get(index, 0) + 1
            elif sign > 0:
                held |= bit
            elif over.get(index):
                over[index] -= 1
            else:
                held &= ~bit
        free, shared = signature.free, signature.shares
        layout = signature.layout
        if layout.takes_cpu:
            claimed = sign * sum(layout.cpu_of[i] for i in indices)
            free = (free[CPU_INDEX] - claimed, *free[1:])
        if layout.takes_more:
            free = self._mapped(layout, indices, shares, free, sign)
        for index, consumed in shares:
            shared = with_share(shared, index, consumed, sign)
        listed = tuple(sorted((i, times) for i, times in over.items() if times))
        table = self.nodes.signatures
        return table.of(signature.static, layout, free, held, listed, shared)

    def _mapped(
        self,
        layout: Layout,
        indices: list[int],
        shares: list[tuple[int, Consumed]],
        free: tuple[int, ...],
        sign: int,
    ) -> tuple[int, ...]:
        """Free amounts once these devices take (sign -1: give back) what is the node's own."""
        left = list(free)
        alone: list[tuple[int, Consumed | None]] = [(device, None) for device in indices]
        for device, consumed in (*alone, *shares):
            for name, amount in layout.uses(device, consumed):
                index = self.nodes.signatures.index_of(name)
                left += [0] * (index + 1 - len(left))
                left[index] -= sign * amount
        return tuple(left)

    # -- amounts ------------------------------------------------------------------------------

    def charge(self, pod: PodSpecView, node: int, own_core: bool) -> None:
        """The pod takes its share of the node; its CPU only where it has no cores of its own."""
        amounts = self.amounts_of(pod.shape)[own_core]
        self._adjust(node, amounts, -1)
        self.note_charge(pod, node, amounts)

    def note_charge(self, pod: PodSpecView, node: int, amounts: Amounts) -> None:
        """Remembers where a pod is and what it took, for its refund."""
        index = self.index
        self.charged[pod.uid] = (node, amounts, pod)
        if index.selected or pod.neighbours is not None:
            index.arrive(pod, node)
        for usage in self.usages:
            usage.arrive(pod)
        self.nodes.log.append(partial(self._exit, pod.uid))

    def refund(self, uid: str) -> bool:
        """The pod gives back what it took; whether it had taken anything."""
        if uid not in self.charged:
            return False
        found = self._exit(uid)
        self.nodes.log.append(partial(self._enter, found))
        if self.nodes.sigs[found[0]] is not None:
            self._adjust(found[0], found[1], 1)
        return True

    def drop(self, uid: str) -> None:
        """The pod's node is gone, with all that was taken there."""
        if uid in self.charged:
            self._exit(uid)

    def placed(self) -> Iterable[tuple[int, PodSpecView]]:
        """Everybody who is somewhere, with the number of the node."""
        return ((node, pod) for node, _, pod in self.charged.values())

    def _enter(self, charge: Charge) -> None:
        node, _, pod = charge
        self.charged[pod.uid] = charge
        if self.index.selected or pod.neighbours is not None:
            self.index.arrive(pod, node)
        for usage in self.usages:
            usage.arrive(pod)

    def _exit(self, uid: str) -> Charge:
        found = self.charged.pop(uid)
        if self.index.selected or found[2].neighbours is not None:
            self.index.leave(found[2], found[0])
        for usage in self.usages:
            usage.leave(found[2])
        return found

    def amounts_of(self, shape: PodShape) -> tuple[Amounts, Amounts]:
        """The amounts that pods of this shape take: with their CPU, and without."""
        found = self._amounts.get(shape)
        if found is None:
            index_of = self.nodes.signatures.index_of
            every = tuple((index_of(n), a) for n, a in shape.requests)
            found = (every, tuple(e for e in every if e[0] != CPU_INDEX))
            if len(self._amounts) >= self._amounts_max:
                self._amounts.clear()
            self._amounts[shape] = found
        return found

    def _adjust(self, node: int, amounts: Amounts, sign: int) -> None:
        signature = self.nodes.sigs[node]
        assert signature is not None
        key = (amounts, sign)
        after = signature.steps.get(key)
        if after is None:
            after = signature.steps[key] = self._adjusted(signature, amounts, sign)
        self.nodes.shift(node, after)

    def _adjusted(self, signature: Signature, amounts: Amounts, sign: int) -> Signature:
        free = list(signature.free)
        for index, amount in amounts:
            if index >= len(free):
                free += [0] * (index + 1 - len(free))
            free[index] += sign * amount
        table = self.nodes.signatures
        return table.of(
            signature.static,
            signature.layout,
            tuple(free),
            signature.held,
            signature.over,
            signature.shares,
        )

    # -- cores of gangs -------------------------------------------------------------------------

    def gang_cores(self, gang: Key | None, node: int) -> GangCores:
        """The gang's devices on each core of the node, counted."""
        if gang is None or not self.cores_by_gang:
            return ()
        counter = self.cores_by_gang.get((gang, node))
        return tuple(sorted((c, n) for c, n in counter.items() if n)) if counter else ()

    def count_cores(self, gang: Key, devices: Iterable[DeviceId], sign: int) -> None:
        """Devices of a gang's pod, on whichever cores they are."""
        for device in devices:
            found = self.locate(device) if device.driver == names.CPU_DRIVER else None
            signature = self.nodes.sigs[found[0]] if found else None
            if found and signature and signature.layout.core_of[found[1]] >= 0:
                self.count_core(gang, found[0], signature.layout.core_of[found[1]], sign)

    def count_core(self, gang: Key, node: int, core: int, times: int) -> None:
        key = (gang, node)
        counter = self.cores_by_gang.setdefault(key, Counter())
        counter[core] += times

        def undo() -> None:
            counter[core] -= times

        self.nodes.log.append(undo)


def owns_cores(allocations: Iterable[Allocation | None]) -> bool:
    """CPU devices of its own: the pod's CPU request is not charged to shared cores."""
    return any(
        result.id.driver == names.CPU_DRIVER
        for allocation in allocations
        if allocation is not None
        for result in allocation.results
    )
