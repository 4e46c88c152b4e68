"""Pods by node, as far as a pod that waits, or one that is there, asks about them.

Kept by the same arrivals and departures as amounts are, those of a plan included, which undo.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from mizzen.scheduler.core.neighbours.requirements import HostPort, Neighbours, Selections, Term
from mizzen.scheduler.core.types import PodSpecView

Placed = Callable[[], Iterable[tuple[int, PodSpecView]]]  # pods with the numbers of their nodes


class PodIndex:
    """Counts of pods by node. Not a value: told who comes and goes. `version` grows with each."""

    def __init__(self, idle_max: int) -> None:
        self._idle_max = idle_max
        self.version = 0
        self.namespaces: dict[str, Mapping[str, str]] = {}  # with their labels
        self.selected: dict[Selections, Counter[int]] = {}
        self.repelling: dict[Term, Counter[int]] = {}  # pods with this required anti-affinity
        self.ports: dict[int, Counter[HostPort]] = {}
        self._users: Counter[Selections] = Counter()  # pods that wait and ask for them
        self._idle: dict[Selections, None] = {}

    # -- who asks ---------------------------------------------------------------------------

    def watch(self, requirements: Neighbours, placed: Placed) -> None:
        """A pod waits that asks for these pods; `placed` are all that are somewhere."""
        for selections in requirements.selections():
            self._users[selections] += 1
            self._idle.pop(selections, None)
            if selections not in self.selected:
                found = [node for node, pod in placed() if self._selects(selections, pod)]
                self.selected[selections] = Counter(found)
                self.version += 1

    def unwatch(self, requirements: Neighbours) -> None:
        for selections in requirements.selections():
            self._users[selections] -= 1
            if not self._users[selections]:
                del self._users[selections]
                self._idle[selections] = None
        while len(self._idle) > self._idle_max:
            oldest = next(iter(self._idle))
            del self._idle[oldest], self.selected[oldest]

    def set_namespace(self, name: str, labels: Mapping[str, str] | None, placed: Placed) -> None:
        """A namespace has these labels; None: it is gone. Who is selected by them is found anew."""
        if self.namespaces.get(name) == labels:
            return
        if labels is None:
            del self.namespaces[name]
        else:
            self.namespaces[name] = labels
        self.version += 1
        for selections in self.selected:
            if any(one.namespace_selector is not None for one in selections):
                found = [node for node, pod in placed() if self._selects(selections, pod)]
                self.selected[selections] = Counter(found)

    # -- who is where -----------------------------------------------------------------------

    def arrive(self, pod: PodSpecView, node: int) -> None:
        """To be told of pods with requirements, and of all once anything is `selected`."""
        self._count(pod, node, 1)

    def leave(self, pod: PodSpecView, node: int) -> None:
        self._count(pod, node, -1)

    def _count(self, pod: PodSpecView, node: int, sign: int) -> None:
        self.version += 1
        for selections, counts in self.selected.items():
            if self._selects(selections, pod):
                _add(counts, node, sign)
        requirements = pod.neighbours
        if requirements is None:
            return
        for term in requirements.apart:
            counts = self.repelling.setdefault(term, Counter())
            _add(counts, node, sign)
            if not counts:
                del self.repelling[term]
        for port in requirements.ports:
            taken = self.ports.setdefault(node, Counter())
            taken[port] += sign
            if not taken[port]:
                del taken[port]
            if not taken:
                del self.ports[node]

    # -- questions --------------------------------------------------------------------------

    def repels(self, pod: PodSpecView) -> bool:
        """True if some pod that has its place must not have this one near."""
        return any(self.minds(term, pod) for term in self.repelling)

    def minds(self, term: Term, pod: PodSpecView) -> bool:
        return term.pods.matches(pod.key.namespace, pod.labels, self.namespaces)

    def _selects(self, selections: Selections, pod: PodSpecView) -> bool:
        return all(
            one.matches(pod.key.namespace, pod.labels, self.namespaces)
            and not (one.alive and pod.is_terminating)
            for one in selections
        )


def _add(counts: Counter[int], node: int, sign: int) -> None:
    counts[node] += sign
    if not counts[node]:
        del counts[node]
