"""The predicate of neighbours: affinity, anti-affinity, spread and host ports on one node.

Source: kube-scheduler plugins interpodaffinity, podtopologyspread and nodeports (filtering.go),
v1.36; oracle tests/oracle/neighbours.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mizzen.scheduler.core.fit import accepts, implied_taints
from mizzen.scheduler.core.matching import untolerated
from mizzen.scheduler.core.misfit import Misfit
from mizzen.scheduler.core.neighbours.index import PodIndex
from mizzen.scheduler.core.neighbours.requirements import Neighbours, Spread
from mizzen.scheduler.core.types import NodeView, PodSpecView

NOTHING = Neighbours()
Values = dict[str, set[str]]  # by label key


@dataclass(frozen=True, slots=True)
class _Domains:
    """The number of a spread's pods in each domain, and the fewest that any has."""

    counts: Mapping[str, int]
    least: int


class Verdict:
    """One pod among all others as they are now; asked of node after node."""

    def __init__(self, index: PodIndex, nodes: Mapping[int, NodeView], pod: PodSpecView) -> None:
        self._index = index
        self._nodes = nodes
        self._requirements = requirements = pod.neighbours or NOTHING
        self._repelled: Values = {}
        for term, counts in index.repelling.items():
            if index.minds(term, pod):
                self._repelled.setdefault(term.key, set()).update(self._values(counts, term.key))
        self._apart = [
            (term.key, self._values(index.selected[(term.pods,)], term.key))
            for term in requirements.apart
        ]
        around = index.selected[requirements.together] if requirements.near else ()
        near = [(term.key, self._values(around, term.key)) for term in requirements.near]
        self._near = near
        # One that matches its own affinity may be where no such pod is anywhere.
        self._is_first = not any(values for _, values in near) and all(
            index.minds(term, pod) for term in requirements.near
        )
        self._spread = [(one, self._domains(pod, one)) for one in requirements.spread]

    def misfit(self, number: int, node: NodeView) -> Misfit | None:
        """The thing that keeps the pod off the node, None if nothing does."""
        taken = self._index.ports.get(number, ())
        for port in self._requirements.ports:
            if any(port.conflicts(other) for other in taken):
                return Misfit("HostPortTaken", port.text)
        return self._misfit_of_spread(node) or self._misfit_of_affinity(node)

    def _misfit_of_spread(self, node: NodeView) -> Misfit | None:
        for one, domains in self._spread:
            value = node.labels.get(one.key)
            if value is None:
                return Misfit("TopologyLabelMissing", one.key)
            here = domains.counts.get(value, 0) + one.counts_itself
            if here - domains.least > one.max_skew:
                return Misfit("TopologySpread", one.key)
        return None

    def _misfit_of_affinity(self, node: NodeView) -> Misfit | None:
        labels = node.labels
        for key, values in self._near:
            value = labels.get(key)
            if value is None:
                return Misfit("TopologyLabelMissing", key)
            if value not in values and not self._is_first:
                return Misfit("PodAffinity", key)
        for key, values in self._apart:
            if labels.get(key) in values:
                return Misfit("PodAntiAffinity", key)
        for key, values in self._repelled.items():
            if labels.get(key) in values:
                return Misfit("PodAntiAffinityOfOthers", key)
        return None

    def _values(self, numbers: Iterable[int], key: str) -> set[str]:
        """The values of a label that these nodes have."""
        found = (self._nodes[n].labels.get(key) for n in numbers if n in self._nodes)
        return {value for value in found if value is not None}

    def _domains(self, pod: PodSpecView, one: Spread) -> _Domains:
        """Nodes that lack a key of any of the pod's spreads, or that it may not use, do not count."""
        keys = [other.key for other in self._requirements.spread]
        there = self._index.selected[(one.pods,)]
        counts: dict[str, int] = {}
        for number, node in self._nodes.items():
            labels = node.labels
            if any(labels.get(key) is None for key in keys):
                continue
            if one.honors_affinity and not accepts(pod.shape, node):
                continue
            taints = (*node.taints, *implied_taints(node))
            if one.honors_taints and untolerated(taints, pod.shape.tolerations) is not None:
                continue
            value = labels[one.key]
            counts[value] = counts.get(value, 0) + there.get(number, 0)
        is_few = len(counts) < one.min_domains
        return _Domains(counts, 0 if is_few else min(counts.values(), default=0))
