"""matchAttribute and distinctAttribute over the devices chosen so far, with add and remove.

Two sorts: `Exact*` mean what the API says, whatever is added and removed in any order; `Upstream*`
also repeat what upstream's do when devices are taken back or one request has several.
Source: k8s.io/dynamic-resource-allocation/structured/internal (constraint.go, allocator), v0.36.
"""

from __future__ import annotations

from typing import Protocol

from mizzen.scheduler.core.dra.features import Features
from mizzen.scheduler.core.dra.model import (
    Attribute,
    Constraint,
    Device,
    DistinctAttribute,
    MatchAttribute,
)

Members = frozenset[tuple[str, object]]  # values with their type, as 1 == True in Python


class Tracker(Protocol):
    """One constraint of one claim while devices come and go, last in first out."""

    def add(self, request: str, sub: str, device: Device) -> bool:
        """Takes the device if the constraint allows; `sub` is the full name or ""."""
        ...

    def remove(self, request: str, sub: str, device: Device) -> None:
        """Takes back the device of the last successful add."""
        ...


def tracker(constraint: Constraint, features: Features, *, exact: bool) -> Tracker | None:
    """None for a constraint of an unknown kind (to the stable allocator distinctAttribute is)."""
    if isinstance(constraint, MatchAttribute):
        if exact:
            return ExactMatch(constraint, features)
        return UpstreamSetMatch(constraint) if features.lists else UpstreamMatch(constraint)
    if isinstance(constraint, DistinctAttribute) and features.variant != "stable":
        if exact:
            return ExactDistinct(constraint, features)
        return UpstreamDistinct(constraint, features)
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


# -- what the API says -------------------------------------------------------------------


class ExactMatch:
    """All devices have a value in common."""

    def __init__(self, constraint: MatchAttribute, features: Features) -> None:
        self._constraint = constraint
        self._features = features
        self._common: list[Members] = []

    def add(self, request: str, sub: str, device: Device) -> bool:
        if not concerns(self._constraint, request, sub):
            return True
        attribute = device.attribute(self._constraint.attribute)
        mine = None if attribute is None else members(attribute, self._features)
        if mine is None:
            return False
        if self._common:
            mine &= self._common[-1]
            if not mine:
                return False
        self._common.append(mine)
        return True

    def remove(self, request: str, sub: str, device: Device) -> None:
        if concerns(self._constraint, request, sub):
            self._common.pop()


class ExactDistinct:
    """No two devices have a value in common."""

    def __init__(self, constraint: DistinctAttribute, features: Features) -> None:
        self._constraint = constraint
        self._features = features
        self._seen: list[Members] = []

    def add(self, request: str, sub: str, device: Device) -> bool:
        if not concerns(self._constraint, request, sub):
            return True
        attribute = device.attribute(self._constraint.attribute)
        mine = None if attribute is None else members(attribute, self._features)
        if mine is None or any(mine & other for other in self._seen):
            return False
        self._seen.append(mine)
        return True

    def remove(self, request: str, sub: str, device: Device) -> None:
        if concerns(self._constraint, request, sub):
            self._seen.pop()


# -- what upstream does ------------------------------------------------------------------


class UpstreamMatch:
    """Single values; the first device may have any, even a list that matches nothing after it."""

    def __init__(self, constraint: MatchAttribute) -> None:
        self._constraint = constraint
        self._first: Attribute | None = None
        self._count = 0

    def add(self, request: str, sub: str, device: Device) -> bool:
        if not concerns(self._constraint, request, sub):
            return True
        attribute = device.attribute(self._constraint.attribute)
        if attribute is None:
            return False
        if self._count == 0:
            self._first = attribute
        elif isinstance(attribute.value, tuple | None) or attribute != self._first:
            return False
        self._count += 1
        return True

    def remove(self, request: str, sub: str, device: Device) -> None:
        if concerns(self._constraint, request, sub):
            self._count -= 1


class UpstreamSetMatch:
    """Sets; what was in common narrows with every device and stays so when one is taken back."""

    def __init__(self, constraint: MatchAttribute) -> None:
        self._constraint = constraint
        self._common: Members = frozenset()
        self._count = 0

    def add(self, request: str, sub: str, device: Device) -> bool:
        if not concerns(self._constraint, request, sub):
            return True
        attribute = device.attribute(self._constraint.attribute)
        mine = None if attribute is None else members(attribute, _LISTS)
        if mine is None:
            return False
        if self._count:
            mine &= self._common
            if not mine:
                return False
        self._common = mine
        self._count += 1
        return True

    def remove(self, request: str, sub: str, device: Device) -> None:
        if concerns(self._constraint, request, sub):
            self._count -= 1


class UpstreamDistinct:
    """Remembers one device for each request; taking any back forgets that request's."""

    def __init__(self, constraint: DistinctAttribute, features: Features) -> None:
        self._constraint = constraint
        self._features = features
        self._seen: dict[str, Attribute] = {}
        self._count = 0

    def add(self, request: str, sub: str, device: Device) -> bool:
        if not concerns(self._constraint, request, sub):
            return True
        attribute = device.attribute(self._constraint.attribute)
        if attribute is None or (self._count and not self._differs(attribute)):
            return False
        self._seen[request] = attribute
        self._count += 1
        return True

    def _differs(self, attribute: Attribute) -> bool:
        mine = members(attribute, self._features)
        if mine is None:  # to single values only a remembered device makes a list a problem
            return not self._features.lists and not self._seen
        others = (members(other, self._features) for other in self._seen.values())
        return not any(other is not None and mine & other for other in others)

    def remove(self, request: str, sub: str, device: Device) -> None:
        if concerns(self._constraint, request, sub):
            self._seen.pop(request, None)
            self._count -= 1


_LISTS = Features(lists=True)
