"""Device allocation, slow and obvious: every combination, judged whole.

Against `mizzen.scheduler.core.dra` in both orders. No backtracking, nothing incremental: the full
product of alternatives and combinations, so only for a handful of devices.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product

from mizzen.scheduler.core.dra.capacity import consumption
from mizzen.scheduler.core.dra.compat.case import Case
from mizzen.scheduler.core.dra.matching import Matching
from mizzen.scheduler.core.dra.model import (
    Allocation,
    Device,
    DeviceRequest,
    DistinctAttribute,
    MatchAttribute,
    SubRequest,
)
from mizzen.scheduler.core.dra.nodes import reaches
from mizzen.scheduler.core.dra.pools import NodePool

COMBINATIONS_MAX = 20_000


class TooMany(Exception):
    """More combinations than the oracle is willing to look at."""


@dataclass(frozen=True)
class Pick:
    """A device for a request of a claim."""

    claim: int
    request: DeviceRequest
    sub: SubRequest
    device: Device
    pool: NodePool


class World:
    """A case with the pools of its node, and which devices could serve which request."""

    def __init__(self, case: Case, pools: Sequence[NodePool], matching: Matching) -> None:
        self.case = case
        self.pools = pools
        self.matching = matching
        self.devices = [(d, pool) for pool in pools if pool.is_usable for d in pool.devices]
        self.pool_of = {device.id: pool for device, pool in self.devices}

    # -- every way to answer -------------------------------------------------------------

    def is_feasible(self) -> bool:
        """Whether any combination breaks no rule. Errors: TooMany."""
        return any(not self.broken(picks) for picks in self._ways())

    def first(self) -> list[Pick] | None:
        """The first combination, in upstream's order, that breaks no rule. Errors: TooMany."""
        return next((picks for picks in self._ways() if not self.broken(picks)), None)

    def _ways(self) -> Iterator[list[Pick]]:
        slots = [
            list(self._choices(index, request))
            for index, claim in enumerate(self.case.claims)
            for request in claim.requests
        ]
        total = 1
        for slot in slots:
            total *= len(slot)
        if total > COMBINATIONS_MAX:
            raise TooMany
        for chosen in product(*slots):
            yield [pick for picks in chosen for pick in picks]

    def _choices(self, claim: int, request: DeviceRequest) -> Iterator[tuple[Pick, ...]]:
        for sub in request.alternatives:
            could = [
                Pick(claim, request, sub, device, pool)
                for device, pool in self.devices
                if self._could_serve(sub, device, pool)
            ]
            if sub.all_devices:
                if could:
                    yield tuple(could)
            else:
                yield from combinations(could, sub.count)

    def _could_serve(self, sub: SubRequest, device: Device, pool: NodePool) -> bool:
        if device.shape.bindings and not self.case.features.binding:
            return False
        if not self.matching.matches(self.case.classes[sub.device_class], sub, device):
            return False
        if device.id.device in pool.per_device and not reaches(device.scope, self.case.node):
            return False
        return self.matching.fits(sub, device, self.case.held, {})

    def picks_of(self, allocations: Iterable[Allocation]) -> list[Pick]:
        """The same, of an answer."""
        found: list[Pick] = []
        by_id = {device.id: device for device, _ in self.devices}
        for index, allocation in enumerate(allocations):
            subs = {
                s.name: (r, s) for r in self.case.claims[index].requests for s in r.alternatives
            }
            for result in allocation.results:
                request, sub = subs[result.request]
                found.append(Pick(index, request, sub, by_id[result.id], self.pool_of[result.id]))
        return found

    # -- the rules -----------------------------------------------------------------------

    def broken(self, picks: Sequence[Pick]) -> str:
        """The first rule broken, or ""."""
        if any(count > 32 for count in Counter(p.claim for p in picks).values()):
            return "a claim has over 32 devices"
        if any(self.matching.repels(p.device, p.sub) for p in picks):
            return "a taint is not tolerated"
        return (
            self._used_twice(picks)
            or self._overdrawn(picks)
            or self._constraint_broken(picks)
            or self._counters_broken(picks)
        )

    def _shares(self, device: Device) -> bool:
        return self.case.features.consumable and device.shape.allows_sharing

    def _used_twice(self, picks: Sequence[Pick]) -> str:
        for index, pick in enumerate(picks):
            device = pick.device
            if not pick.sub.admin and device.id in self.case.held.devices:
                return f"{device.id} is held"
            if self._shares(device):
                continue
            for before in picks[:index]:
                same_claim = before.claim == pick.claim
                if before.device.id == device.id and (same_claim or not pick.sub.admin):
                    return f"{device.id} is given twice"
        return ""

    def _overdrawn(self, picks: Sequence[Pick]) -> str:
        if not self.case.features.consumable:
            return ""
        used: dict[object, dict[str, int]] = {}
        for pick in picks:
            taken = used.setdefault(
                pick.device.id, dict(self.case.held.consumed.get(pick.device.id, {}))
            )
            wanted = consumption(pick.sub.capacity, pick.device.shape.capacity)
            if wanted is None or not wanted.fits(taken):
                return f"capacity of {pick.device.id} is overdrawn"
            if self._shares(pick.device):
                for name, amount, _ in wanted.nano:
                    taken[name] = taken.get(name, 0) + amount
        return ""

    def _constraint_broken(self, picks: Sequence[Pick]) -> str:
        for index, claim in enumerate(self.case.claims):
            for constraint in claim.constraints:
                assert constraint is not None
                values = [
                    self._values(pick.device, constraint.attribute)
                    for pick in picks
                    if pick.claim == index and _concerns(constraint, pick)
                ]
                if not values:
                    continue
                if any(not value for value in values):
                    return f"a device lacks {constraint.attribute}"
                if isinstance(constraint, MatchAttribute):
                    holds = bool(frozenset[object].intersection(*values))
                else:
                    holds = not any(a & b for a, b in combinations(values, 2))
                if not holds:
                    return f"{constraint} does not hold"
        return ""

    def _values(self, device: Device, attribute: str) -> frozenset[object]:
        found = device.attribute(attribute)
        if found is None or found.value is None:
            return frozenset()
        if isinstance(found.value, tuple):
            listed = found.value if self.case.features.lists else ()
            return frozenset((found.kind[:-1], value) for value in listed)
        return frozenset({(found.kind, found.value)})

    def _counters_broken(self, picks: Sequence[Pick]) -> str:
        charged: dict[int, Counter[tuple[str, str]]] = {}
        pools: dict[int, NodePool] = {}
        shared = set(self.case.held.consumed)
        for pick in picks:
            device = pick.device
            if device.shape.consumes and not self.case.features.partitions:
                return "counters are off"
            already = device.id in shared
            if self._shares(device):
                shared.add(device.id)
                if already:
                    continue
            if device.shape.consumes:
                pools[id(pick.pool)] = pick.pool
                _charge(charged.setdefault(id(pick.pool), Counter()), device)
        for key, pool in pools.items():
            total = charged[key]
            for device in (*pool.devices, *pool.elsewhere):
                if self._is_held(device):
                    _charge(total, device)
            for set_name, counters in (pool.counters or {}).items():
                for name, amount in counters.items():
                    if total[set_name, name] > amount:
                        return f"counter {set_name}/{name} is overdrawn"
        return ""

    def _is_held(self, device: Device) -> bool:
        if self.case.features.variant == "stable":
            return device.id in self.case.held.devices
        return self.case.held.uses(device.id)


def _charge(total: Counter[tuple[str, str]], device: Device) -> None:
    for use in device.shape.consumes:
        for name, amount in use.counters:
            total[use.name, name] += amount.nano


def _concerns(constraint: MatchAttribute | DistinctAttribute, pick: Pick) -> bool:
    listed = constraint.requests
    return not listed or pick.request.name in listed or pick.sub.name in listed
