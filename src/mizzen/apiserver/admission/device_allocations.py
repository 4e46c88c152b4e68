"""Rejects double allocation of a device at commit time.

A scheduler decides on caches. After an outage they can be of different age: a pod seen bound while
its claim still looks unallocated makes a device look free that is not. Each claim by itself is
guarded by its resourceVersion; only here, where all writes pass, can two claims be compared.

Devices that several claims may hold are compared by what they take: the shares of one device by its
capacity, the devices of a pool by its counters. Those need the pool's slices; all others do not.
"""

from __future__ import annotations

from collections.abc import Iterable

from mizzen.apiserver.admission_chain import (
    CREATE,
    UPDATE,
    UPDATE_STATUS,
    AdmissionRequest,
    Plugin,
    Transaction,
)
from mizzen.apiserver.context import Context
from mizzen.apiserver.core import refusals
from mizzen.apiserver.core.allocating import (
    DeviceId,
    SliceFacts,
    Use,
    capacity_problem,
    counter_problem,
    is_special,
    overlap,
    slice_facts,
    uses_of,
)
from mizzen.base.objects import Obj
from mizzen.base.resources import RESOURCE_CLAIMS, RESOURCE_SLICES
from mizzen.store.store import ObjectKey, Store

_CLAIMS = refusals.qualified(RESOURCE_CLAIMS)
_SLICES = refusals.qualified(RESOURCE_SLICES)
_ALLOCATED = b'"allocation"'
_SPECIAL = (b'"sharedCounters"', b'"consumesCounters"', b'"allowMultipleAllocations"')

PoolName = tuple[str, str]  # driver, pool


class Allocations:
    """The claims that may hold each device; bounded by the devices and the claims that hold them.

    An entry is a hint: whether that claim does hold the device is read anew in the draft that
    asks. So a plan that comes to nothing, here or on its way to the disk, need not be told.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._hints: dict[DeviceId, set[ObjectKey]] | None = None
        self._pools = _SpecialPools(store)

    def check(self, request: AdmissionRequest) -> None:
        """Errors: Conflict when what a claim is given anew is not there to be had."""
        if request.old is None:
            return  # its status comes later
        draft, key = request.draft, request.key
        before = uses_of(request.old)
        added = {d: u for d, u in uses_of(request.object).items() if before.get(d) != u}
        if not added:
            return
        if self._hints is None:
            self._hints = self._load()
        draft.rests_on(_CLAIMS)  # that no other claim is to be asked
        for device in sorted(added):
            self._check_device(draft, key, device, added[device])
        for device in sorted(added):
            self._check_counters(draft, key, device, added)

    def note_slice(self, request: AdmissionRequest) -> None:
        """A slice is about to be written."""
        self._pools.note(request.key, request.object)

    def _check_device(
        self, draft: Transaction, key: ObjectKey, device: DeviceId, mine: tuple[Use, ...]
    ) -> None:
        assert self._hints is not None, "filled before the first check"
        hints = self._hints.setdefault(device, set())
        others: list[Use] = []
        if overlap(mine, ()):
            raise _refused(key, f"device {'/'.join(device)} is in the allocation more than once")
        for holder in hints - {key}:
            held = _uses(draft.get(holder), device)
            if overlap(mine, held) and held:
                where = f"{holder.namespace}/{holder.name}"
                raise _refused(key, f"device {'/'.join(device)} is allocated to claim {where}")
            others += held
        if any(use.share for use in mine):
            facts = self._pools.of(draft, device[:2])
            known = next((f.devices[device[2]] for f in facts if device[2] in f.devices), None)
            problem = capacity_problem(device[0], known, [*mine, *others]) if known else ""
            if problem:
                raise _refused(key, f"device {'/'.join(device)} is full: {problem}")
        hints.intersection_update([hint for hint in hints if self._may_hold(hint, device)])
        hints.add(key)

    def _check_counters(
        self, draft: Transaction, key: ObjectKey, device: DeviceId, added: Iterable[DeviceId]
    ) -> None:
        """Checks the device's draw on its pool's counters, beside all that are held or added."""
        facts = self._pools.of(draft, device[:2])
        devices = {name: known for f in facts for name, known in f.devices.items()}
        mine = devices.get(device[2])
        if mine is None or not mine.counters:
            return
        beside = [
            known
            for name, known in devices.items()
            if name != device[2]
            and known.counters
            and ((*device[:2], name) in added or self._is_held(draft, key, (*device[:2], name)))
        ]
        available = {counter: amount for f in facts for counter, amount in f.counters.items()}
        problem = counter_problem(mine, beside, available)
        if problem:
            raise _refused(key, f"device {'/'.join(device)} does not fit its pool: {problem}")

    def _is_held(self, draft: Transaction, key: ObjectKey, device: DeviceId) -> bool:
        hints = (self._hints or {}).get(device, ())
        return any(_uses(draft.get(hint), device) for hint in hints if hint != key)

    def _may_hold(self, key: ObjectKey, device: DeviceId) -> bool:
        """On the disk, or in what is on its way there."""
        versions = (self._store.get(key), self._store.peek(key))
        return any(stored is not None and _uses(stored.object(), device) for stored in versions)

    def _load(self) -> dict[DeviceId, set[ObjectKey]]:
        hints: dict[DeviceId, set[ObjectKey]] = {}
        for stored in self._store.list(_CLAIMS).items:
            if _ALLOCATED in stored.data:
                for device in uses_of(stored.object()):
                    hints.setdefault(device, set()).add(stored.key)
        return hints


class _SpecialPools:
    """Slices of pools with shared devices or counters; bounded by those slices.

    Which slices is a hint again; what they say is read when it is asked for, and kept for as long
    as their revision stands.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._slices: dict[PoolName, set[ObjectKey]] | None = None
        self._facts: dict[ObjectKey, tuple[int, SliceFacts]] = {}

    def note(self, key: ObjectKey, item: Obj) -> None:
        if is_special(item):
            if self._slices is None:  # a list made later would miss it while it is on its way
                self._slices = self._load()
            self._add(self._slices, key, item)

    def of(self, draft: Transaction, pool: PoolName) -> list[SliceFacts]:
        """The slices of the pool's newest generation; none for a pool without anything shared."""
        if self._slices is None:
            self._slices = self._load()
        keys = self._slices.get(pool)
        if not keys:
            return []
        each = (self._read(draft, key) for key in sorted(keys, key=str))
        found = [facts for facts in each if facts is not None and facts.pool == pool]
        newest = max((facts.generation for facts in found), default=0)
        return [facts for facts in found if facts.generation == newest]

    def _read(self, draft: Transaction, key: ObjectKey) -> SliceFacts | None:
        stored = draft.peek(key)
        if stored is None:
            self._facts.pop(key, None)
            return None
        known = self._facts.get(key)
        if known is None or known[0] != stored.revision:
            known = self._facts[key] = (stored.revision, slice_facts(stored.object()))
        return known[1]

    def _load(self) -> dict[PoolName, set[ObjectKey]]:
        slices: dict[PoolName, set[ObjectKey]] = {}
        for stored in self._store.list(_SLICES).items:
            if any(word in stored.data for word in _SPECIAL):
                self._add(slices, stored.key, stored.object())
        return slices

    @staticmethod
    def _add(slices: dict[PoolName, set[ObjectKey]], key: ObjectKey, item: Obj) -> None:
        spec: Obj = item["spec"]
        slices.setdefault((spec["driver"], spec["pool"]["name"]), set()).add(key)


def _uses(claim: Obj | None, device: DeviceId) -> tuple[Use, ...]:
    return () if claim is None else uses_of(claim).get(device, ())


def _refused(key: ObjectKey, reason: str) -> Exception:
    return refusals.conflict(RESOURCE_CLAIMS, key.name, reason)


def device_allocations(context: Context) -> Plugin:
    allocations = Allocations(context.store)

    def admit(request: AdmissionRequest) -> None:
        if request.served.resource == RESOURCE_CLAIMS:
            allocations.check(request)
        else:
            allocations.note_slice(request)

    return Plugin(
        frozenset((CREATE, UPDATE, UPDATE_STATUS)),
        lambda served: served.resource in (RESOURCE_CLAIMS, RESOURCE_SLICES),
        admit=admit,
    )


PLUGIN = device_allocations
