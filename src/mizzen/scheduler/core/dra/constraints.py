"""matchAttribute and distinctAttribute over the devices chosen so far, with add and remove.

They mean what the API says, whatever is added and removed in any order; those of `compat` repeat
what upstream's do when devices are taken back or one request has several.
Source: k8s.io/dynamic-resource-allocation/structured/internal (constraint.go, allocator), v0.36.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from mizzen.scheduler.core.dra.features import Features
from mizzen.scheduler.core.dra.model import (
    Attribute,
    Constraint,
    Device,
    DistinctAttribute,
    MatchAttribute,
)

Members = frozenset[tuple[str, object]]  # values with their type, as 1 == True in Python


class Tracker(ABC):
    """One constraint of one claim while devices come and go, last in first out."""

    def __init__(self, constraint: MatchAttribute | DistinctAttribute, features: Features) -> None:
        self.constraint = constraint
        self.features = features

    def add(self, request: str, sub: str, device: Device) -> bool:
        """Takes the device if the constraint allows; `sub` is the full name or ""."""
        if not concerns(self.constraint, request, sub):
            return True
        attribute = device.attribute(self.constraint.attribute)
        return attribute is not None and self.take(request, attribute)

    def remove(self, request: str, sub: str) -> None:
        """Takes back the device of the last successful add."""
        if concerns(self.constraint, request, sub):
            self.take_back(request)

    @abstractmethod
    def take(self, request: str, attribute: Attribute) -> bool:
        """True if the constraint allows one more device, which is then counted."""

    @abstractmethod
    def take_back(self, request: str) -> None:
        """Undoes the last `take`."""


Kinds = tuple[type[Tracker], type[Tracker]]  # of matchAttribute and of distinctAttribute


def tracker(constraint: Constraint, features: Features, kinds: Kinds) -> Tracker | None:
    """None for a constraint of an unknown kind (to the stable allocator distinctAttribute is)."""
    if isinstance(constraint, MatchAttribute):
        return kinds[0](constraint, features)
    if isinstance(constraint, DistinctAttribute) and features.variant != "stable":
        return kinds[1](constraint, features)
    return None


def concerns(constraint: MatchAttribute | DistinctAttribute, request: str, sub: str) -> bool:
    listed = constraint.requests
    return not listed or request in listed or (bool(sub) and sub in listed)


def members(attribute: Attribute, features: Features) -> Members | None:
    """Its values as a set; None when it has none, or has a list and those are off."""
    kind, value = attribute
    if isinstance(value, tuple):
        if not features.lists or not value:
            return None
        return frozenset((kind[:-1], item) for item in value)
    return None if value is None else frozenset({(kind, value)})


class ExactMatch(Tracker):
    """All devices have a value in common."""

    def __init__(self, constraint: MatchAttribute | DistinctAttribute, features: Features) -> None:
        super().__init__(constraint, features)
        self._common: list[Members] = []

    def take(self, request: str, attribute: Attribute) -> bool:
        mine = members(attribute, self.features)
        if mine is not None and self._common:
            mine &= self._common[-1]
        if not mine:
            return False
        self._common.append(mine)
        return True

    def take_back(self, request: str) -> None:
        self._common.pop()


class ExactDistinct(Tracker):
    """No two devices have a value in common."""

    def __init__(self, constraint: MatchAttribute | DistinctAttribute, features: Features) -> None:
        super().__init__(constraint, features)
        self._seen: list[Members] = []

    def take(self, request: str, attribute: Attribute) -> bool:
        mine = members(attribute, self.features)
        if mine is None or any(mine & other for other in self._seen):
            return False
        self._seen.append(mine)
        return True

    def take_back(self, request: str) -> None:
        self._seen.pop()


EXACT: Kinds = (ExactMatch, ExactDistinct)
