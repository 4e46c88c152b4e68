"""No device is given to two claims, whatever its givers believed.

A scheduler decides on caches. After an outage they can be of different age: a pod seen bound while
its claim still looks unallocated makes a device look free that is not. Each claim by itself is
guarded by its resourceVersion; only here, where all writes pass, can two claims be compared.
"""

from __future__ import annotations

from collections.abc import Callable

from mizzen.apiserver.core import refusals
from mizzen.apiserver.core.allocating import DeviceId, devices_held
from mizzen.base.objects import Obj
from mizzen.base.resources import RESOURCE_CLAIMS
from mizzen.store.store import ObjectKey, Store

_CLAIMS = refusals.qualified(RESOURCE_CLAIMS)
_ALLOCATED = b'"allocation"'


class Allocations:
    """Which claims may hold each device; bounded by the devices and the claims that hold them.

    An entry is a hint: whether that claim does hold the device is read anew in the draft that
    asks. So a plan that comes to nothing, here or on its way to the disk, need not be told.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._hints: dict[DeviceId, set[ObjectKey]] | None = None

    def check(
        self, read: Callable[[ObjectKey], Obj | None], key: ObjectKey, old: Obj, new: Obj
    ) -> None:
        """Errors: Conflict when another claim, as `read`, holds a device that `new` adds to `old`."""
        added = devices_held(new) - devices_held(old)
        if not added:
            return
        if self._hints is None:
            self._hints = self._load()
        for device in sorted(added):
            hints = self._hints.setdefault(device, set())
            for holder in hints - {key}:
                if _holds(read(holder), device):
                    where = f"{holder.namespace}/{holder.name}"
                    reason = f"device {'/'.join(device)} is allocated to claim {where}"
                    raise refusals.conflict(RESOURCE_CLAIMS, key.name, reason)
            hints.intersection_update([hint for hint in hints if self._may_hold(hint, device)])
            hints.add(key)

    def _may_hold(self, key: ObjectKey, device: DeviceId) -> bool:
        """On the disk, or in what is on its way there."""
        versions = (self._store.get(key), self._store.peek(key))
        return any(stored is not None and _holds(stored.object(), device) for stored in versions)

    def _load(self) -> dict[DeviceId, set[ObjectKey]]:
        hints: dict[DeviceId, set[ObjectKey]] = {}
        for stored in self._store.list(_CLAIMS).items:
            if _ALLOCATED in stored.data:
                for device in devices_held(stored.object()):
                    hints.setdefault(device, set()).add(stored.key)
        return hints


def _holds(claim: Obj | None, device: DeviceId) -> bool:
    return claim is not None and device in devices_held(claim)
