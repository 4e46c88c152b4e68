"""matchAttribute and distinctAttribute as upstream's allocators track them, quirks and all.

Source: k8s.io/dynamic-resource-allocation/structured/internal (constraint.go, allocator), v0.36.
"""

from __future__ import annotations

from mizzen.scheduler.core.dra.constraints import Kinds, Members, Tracker, members
from mizzen.scheduler.core.dra.features import Features
from mizzen.scheduler.core.dra.model import Attribute, DistinctAttribute, MatchAttribute


def kinds(features: Features) -> Kinds:
    """The trackers of the allocator that upstream would pick."""
    return (UpstreamSetMatch if features.lists else UpstreamMatch, UpstreamDistinct)


class UpstreamMatch(Tracker):
    """Single values; the first device may have any, even a list that matches nothing after it."""

    count = 0
    first: Attribute | None = None

    def take(self, request: str, attribute: Attribute) -> bool:
        if self.count == 0:
            self.first = attribute
        elif isinstance(attribute.value, tuple | None) or attribute != self.first:
            return False
        self.count += 1
        return True

    def take_back(self, request: str) -> None:
        self.count -= 1


class UpstreamSetMatch(Tracker):
    """Sets; what was in common narrows with every device and stays so when one is taken back."""

    count = 0
    common: Members = frozenset()

    def take(self, request: str, attribute: Attribute) -> bool:
        mine = members(attribute, self.features)
        if mine is not None and self.count:
            mine &= self.common
        if not mine:
            return False
        self.common = mine
        self.count += 1
        return True

    def take_back(self, request: str) -> None:
        self.count -= 1


class UpstreamDistinct(Tracker):
    """Remembers one device for each request; taking any back forgets that request's."""

    def __init__(self, constraint: MatchAttribute | DistinctAttribute, features: Features) -> None:
        super().__init__(constraint, features)
        self.seen: dict[str, Attribute] = {}
        self.count = 0

    def take(self, request: str, attribute: Attribute) -> bool:
        if self.count and not self._differs(attribute):
            return False
        self.seen[request] = attribute
        self.count += 1
        return True

    def _differs(self, attribute: Attribute) -> bool:
        mine = members(attribute, self.features)
        if mine is None:  # to single values only a remembered device makes a list a problem
            return not self.features.lists and not self.seen
        others = (members(other, self.features) for other in self.seen.values())
        return not any(other is not None and mine & other for other in others)

    def take_back(self, request: str) -> None:
        self.seen.pop(request, None)
        self.count -= 1
