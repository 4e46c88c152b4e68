"""Devices that two claims hold at once: what must never be, and is looked for all the same."""

from __future__ import annotations

from dataclasses import dataclass

from mizzen.base.objects import Key, Obj, key_of
from mizzen.scheduler.core.shared_cluster.handover import allocated

DeviceName = tuple[str, str, str]  # driver, pool, device


@dataclass(frozen=True, slots=True)
class Double:
    """A device, and the claims that hold it at least one of which should be alone."""

    device: DeviceName
    claims: tuple[Key, ...]

    def __str__(self) -> str:
        listed = " and ".join(f'"{claim}"' for claim in self.claims)
        return (
            f"device {'/'.join(self.device)} is allocated to ResourceClaims {listed}; "
            "delete the pods of all but one of them"
        )


class Holders:
    """The holders of each device, brought up to date claim by claim."""

    def __init__(self) -> None:
        self._of: dict[DeviceName, dict[Key, bool]] = {}  # device -> claim -> is it shared
        self._held: dict[Key, tuple[DeviceName, ...]] = {}

    def __len__(self) -> int:
        return len(self._of)

    def learn(self, claim: Obj) -> list[Double]:
        """Takes the claim's allocation over; the devices that it makes held twice."""
        key = key_of(claim)
        self.forget(key)
        doubles: list[Double] = []
        names: list[DeviceName] = []
        for result in allocated(claim):
            if result.get("adminAccess"):
                continue
            name = (result["driver"], result["pool"], result["device"])
            names.append(name)
            holders = self._of.setdefault(name, {})
            holders[key] = bool(result.get("shareID"))
            if len(holders) > 1 and not all(holders.values()):
                doubles.append(Double(name, tuple(sorted(holders))))
        if names:
            self._held[key] = tuple(names)
        return doubles

    def forget(self, key: Key) -> None:
        for name in self._held.pop(key, ()):
            holders = self._of.get(name, {})
            holders.pop(key, None)
            if not holders:
                self._of.pop(name, None)
