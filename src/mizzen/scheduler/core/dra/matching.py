"""Devices matched to requests, remembered per device shape.

Thousands of devices of one make are asked once, not thousands of times.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mizzen.scheduler.core.dra.capacity import Consumption, consumption
from mizzen.scheduler.core.dra.features import Features
from mizzen.scheduler.core.dra.held import Taken
from mizzen.scheduler.core.dra.model import (
    AllocationError,
    Attribute,
    Device,
    DeviceClass,
    DeviceId,
    DeviceShape,
    Selectors,
    SubRequest,
    Taint,
    Toleration,
)

REMEMBERED_MAX = 1_000_000  # answers kept of each sort; beyond, all are forgotten at once
REPELLING = frozenset({"NoSchedule", "NoExecute"})
_NOTHING: Mapping[str, int] = {}

_Expressions = tuple[str | None, ...]
_Own = tuple[tuple[str, Attribute], ...]


class Matching:
    """Not a value: it remembers. Valid as long as its selectors and features are."""

    def __init__(self, selectors: Selectors, features: Features) -> None:
        self.features = features
        self._selectors = selectors
        self._hides_sharing = features.variant == "stable"  # from expressions, as upstream's does
        self._answers: dict[_Expressions, dict[tuple[DeviceShape, _Own], bool]] = {}
        self._consumptions: dict[object, dict[DeviceShape, Consumption | None]] = {}
        self._repelled: dict[tuple[DeviceShape, tuple[Toleration, ...]], bool] = {}
        self._count = 0

    def matches(self, device_class: DeviceClass, sub: SubRequest, device: Device) -> bool:
        """True if the class's selectors, then the request's, hold. Errors: AllocationError."""
        return self._hold(device_class.selectors, device) and self._hold(sub.selectors, device)

    def _hold(self, expressions: _Expressions, device: Device) -> bool:
        if not expressions:
            return True
        known = self._answers.setdefault(expressions, {})
        key = (device.shape, device.own)
        answer = known.get(key)
        if answer is None:
            answer = all(self._one(expression, device) for expression in expressions)
            self._make_room()
            known[key] = answer
        return answer

    def _one(self, expression: str | None, device: Device) -> bool:
        if expression is None:
            raise AllocationError("a DeviceClass has a selector that is not CEL (of unknown kind)")
        if self._hides_sharing and device.shape.allows_sharing:
            device = replace(device, shape=replace(device.shape, allows_sharing=False))
        return self._selectors.matches(expression, device)

    def _make_room(self) -> None:
        self._count += 1
        if self._count > REMEMBERED_MAX:
            self._answers.clear()
            self._consumptions.clear()
            self._repelled.clear()
            self._count = 0

    # -- capacity -----------------------------------------------------------------------

    def consumption(self, sub: SubRequest, device: Device) -> Consumption | None:
        """The request's consumption of it; None when it cannot serve the request."""
        known = self._consumptions.setdefault(sub.capacity, {})
        shape = device.shape
        if shape not in known:
            self._make_room()
            known[shape] = consumption(sub.capacity, shape.capacity)
        return known[shape]

    def fits(
        self,
        sub: SubRequest,
        device: Device,
        held: Taken,
        taken: Mapping[DeviceId, Mapping[str, int]],
    ) -> bool:
        """True if the device has the capacity left that the request consumes."""
        if not self.features.consumable:
            return True
        wanted = self.consumption(sub, device)
        return wanted is not None and wanted.fits(
            held.consumed.get(device.id, _NOTHING), taken.get(device.id, _NOTHING)
        )

    # -- taints -------------------------------------------------------------------------

    def repels(self, device: Device, sub: SubRequest) -> bool:
        """True if a taint that the request does not tolerate keeps it off the device."""
        if not self.features.taints or not device.shape.taints:
            return False
        key = (device.shape, sub.tolerations)
        answer = self._repelled.get(key)
        if answer is None:
            self._make_room()
            answer = self._repelled[key] = any(
                taint.effect in REPELLING
                and not any(tolerates(toleration, taint) for toleration in sub.tolerations)
                for taint in device.shape.taints
            )
        return answer


def tolerates(toleration: Toleration, taint: Taint) -> bool:
    """Source: k8s.io/dynamic-resource-allocation/resourceclaim ToleratesTaint, v0.36."""
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    if toleration.operator in ("", "Equal"):
        return toleration.value == taint.value
    return toleration.operator == "Exists"
