"""How many watches hear of a write, as far as its path tells.

Source: apiserver pkg/util/flowcontrol/watch_tracker.go, Kubernetes 1.36.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple


class Watched(NamedTuple):
    """What a watch is of: `name` "" is every object, `namespace` "" every namespace."""

    resource: str
    namespace: str
    name: str


class WatchCounts:
    """The open watches of one server."""

    def __init__(self) -> None:
        self._counts: Counter[Watched] = Counter()

    def begin(self, watched: Watched) -> None:
        self._counts[watched] += 1

    def end(self, watched: Watched) -> None:
        left = self._counts[watched] - 1
        if left > 0:
            self._counts[watched] = left
        else:
            del self._counts[watched]

    def interested(self, resource: str, namespace: str, name: str) -> int:
        """Watches of all objects, of those of the namespace, and of the one. The name of what is
        created is not known."""
        counts = self._counts
        if not counts:
            return 0
        found = counts[Watched(resource, "", "")]
        if namespace:
            found += counts[Watched(resource, namespace, "")]
        if name:
            found += counts[Watched(resource, namespace, name)]
        return found
