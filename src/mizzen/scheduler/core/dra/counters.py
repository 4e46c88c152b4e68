"""Counters that devices of one pool share: what is left, what a search has taken.

Source: k8s.io/dynamic-resource-allocation/structured/internal checkAvailableCounters, v0.36.
"""

from __future__ import annotations

from collections.abc import Hashable

from mizzen.scheduler.core.dra.held import Taken
from mizzen.scheduler.core.dra.model import Device
from mizzen.scheduler.core.dra.pools import NodePool


class Ledger:
    """Counters by pool. Upstream keys them by the pool's name alone, so that pools of two drivers
    that share a name also share the counters of whichever is asked for first; `by_name` does so.
    """

    def __init__(self, held: Taken, *, by_name: bool, shares: bool) -> None:
        self._held = held
        self._by_name = by_name
        self._shares = shares  # whether devices of which only a share is held take counters
        self._left: dict[Hashable, dict[str, dict[str, int]]] = {}
        self._taken: dict[Hashable, dict[tuple[str, str], int]] = {}

    def take(self, device: Device, pool: NodePool) -> bool:
        """Charges the device if every counter of the pool stays within what is left."""
        key = self._key(pool)
        left = self._left.get(key)
        if left is None:
            left = self._left[key] = self._available(pool)
        self._charge(key, device, 1)
        taken = self._taken[key]
        for set_name, counters in left.items():
            for name, amount in counters.items():
                if amount < taken.get((set_name, name), 0):
                    self._charge(key, device, -1)
                    return False
        return True

    def give_back(self, device: Device, pool: NodePool) -> None:
        self._charge(self._key(pool), device, -1)

    def left(self, pool: NodePool) -> dict[tuple[str, str], int]:
        """The rest of each counter (set, name), less what was taken since."""
        key = self._key(pool)
        if key not in self._left:
            self._left[key] = self._available(pool)
        taken = self._taken.get(key, {})
        return {
            (set_name, name): amount - taken.get((set_name, name), 0)
            for set_name, counters in self._left[key].items()
            for name, amount in counters.items()
        }

    def _key(self, pool: NodePool) -> Hashable:
        return pool.name if self._by_name else (pool.driver, pool.name)

    def _charge(self, key: Hashable, device: Device, sign: int) -> None:
        taken = self._taken.setdefault(key, {})
        for use in device.shape.consumes:
            for name, amount in use.counters:
                counter = (use.name, name)
                taken[counter] = taken.get(counter, 0) + sign * amount.nano

    def _available(self, pool: NodePool) -> dict[str, dict[str, int]]:
        """May be negative where more is held than there is; nothing is available then."""
        left = {name: dict(counters) for name, counters in (pool.counters or {}).items()}
        for device in (*pool.devices, *pool.elsewhere):
            if not device.shape.consumes or not self._is_held(device):
                continue
            for use in device.shape.consumes:
                counters = left.get(use.name, {})
                for name, amount in use.counters:
                    if name in counters:
                        counters[name] -= amount.nano
        return left

    def _is_held(self, device: Device) -> bool:
        return self._held.uses(device.id) if self._shares else device.id in self._held.devices
