"""Devices taken already: whole devices, shares of devices, and the capacity those shares consume.

Source: k8s.io/dynamic-resource-allocation/structured AllocatedState, v0.36.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping
from typing import Protocol

from mizzen.scheduler.core.dra.model import Allocation, DeviceId
from mizzen.scheduler.core.dra.quantity import Quantity


class Taken(Protocol):
    """Devices that are taken already, as a search asks about them."""

    @property
    def devices(self) -> Container[DeviceId]:
        """Held as a whole."""
        ...

    @property
    def consumed(self) -> Mapping[DeviceId, Mapping[str, int]]:
        """Capacity consumed of shared devices, in billionths of its unit."""
        ...

    def uses(self, device: DeviceId) -> bool:
        """True if anybody holds the device or a share of it."""
        ...


class Held:
    """Counts holders, so that they may come and go in any order; `hold(…, -1)` undoes `hold(…)`.

    `consumed` is in billionths of each capacity's unit. A device stays in it while anything holds
    a share of it, even if that share consumes nothing: upstream takes the entry for "is shared".
    """

    __slots__ = ("consumed", "devices", "shares")

    def __init__(self) -> None:
        self.devices: Counter[DeviceId] = Counter()
        self.shares: Counter[DeviceId] = Counter()
        self.consumed: dict[DeviceId, dict[str, int]] = {}

    @classmethod
    def of(
        cls,
        devices: Iterable[DeviceId] = (),
        shares: Iterable[DeviceId] = (),
        consumed: Mapping[DeviceId, Mapping[str, Quantity]] | None = None,
    ) -> Held:
        held = cls()
        held.devices.update(devices)
        held.shares.update(shares)
        for device, amounts in (consumed or {}).items():
            held.consumed[device] = {name: amount.nano for name, amount in amounts.items()}
        return held

    def hold(self, allocation: Allocation, sign: int = 1) -> None:
        """Adds (or with -1 removes) what an allocation holds; admin access holds nothing."""
        for result in allocation.results:
            if result.admin:
                continue
            if result.shared:
                self._share(result.id, result.consumed, sign)
            else:
                _count(self.devices, result.id, sign)

    def _share(self, device: DeviceId, consumed: Iterable[tuple[str, Quantity]], sign: int) -> None:
        _count(self.shares, device, sign)
        if not self.shares[device]:
            self.consumed.pop(device, None)
            return
        amounts = self.consumed.setdefault(device, {})
        for name, amount in consumed:
            amounts[name] = amounts.get(name, 0) + sign * amount.nano

    def uses(self, device: DeviceId) -> bool:
        """Whether anybody holds the device or a share of it."""
        return device in self.devices or device in self.shares or device in self.consumed


def _count(counter: Counter[DeviceId], device: DeviceId, sign: int) -> None:
    held = counter[device] + sign
    if held:
        counter[device] = held
    else:
        del counter[device]
