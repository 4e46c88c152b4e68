"""A pod's requirements of the pods near it, as values.

Preferences and ScheduleAnyway are no requirements and are left out. `matchLabelKeys` and
`mismatchLabelKeys` become requirements on the pod's own values, as kube-apiserver writes them.
Source: k8s.io/api/core/v1, v1.36; pkg/registry/core/pod/strategy.go; kube-scheduler framework
AffinityTerm and plugin podtopologyspread (common.go).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from mizzen.base.objects import Obj
from mizzen.base.selectors import LabelSelector, Operator, Requirement, from_object

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
ANY_ADDRESS = "0.0.0.0"  # what an absent hostIP stands for


@dataclass(frozen=True, slots=True)
class Selection:
    """Pods by labels and namespaces; without a selector none, as by convention.

    `namespace_selector` adds namespaces by label. `alive`: those on their way out do not count.
    """

    selector: LabelSelector | None
    namespaces: frozenset[str]
    namespace_selector: LabelSelector | None = None
    alive: bool = False

    def matches(
        self, namespace: str, labels: Mapping[str, str], known: Mapping[str, Mapping[str, str]]
    ) -> bool:
        """True if a pod is one of them; `known` has the labels of namespaces."""
        if self.selector is None or not self.selector.matches(labels):
            return False
        if namespace in self.namespaces:
            return True
        among = self.namespace_selector
        return among is not None and among.matches(known.get(namespace))


Selections = tuple[Selection, ...]  # pods that are in all of them


@dataclass(frozen=True, slots=True)
class Term:
    """A pod is near others on nodes with the same value of the label `key`."""

    pods: Selection
    key: str


@dataclass(frozen=True, slots=True)
class Spread:
    """A node's domain of `key` may have at most `max_skew` more of these pods than the emptiest.

    `counts_itself`: the pod is one of them. With fewer domains than `min_domains` the emptiest
    counts as having none.
    """

    pods: Selection
    key: str
    max_skew: int
    min_domains: int = 1
    honors_affinity: bool = True
    honors_taints: bool = False
    counts_itself: bool = True


class HostPort(NamedTuple):
    protocol: str
    address: str
    port: int

    def conflicts(self, other: HostPort) -> bool:
        if (self.protocol, self.port) != (other.protocol, other.port):
            return False
        return self.address == other.address or ANY_ADDRESS in (self.address, other.address)

    @property
    def text(self) -> str:
        return f"{self.port}/{self.protocol}"


@dataclass(frozen=True, slots=True)
class Neighbours:
    """One pod's requirements: pods that must be near, must not be, are to be spread, and ports."""

    near: tuple[Term, ...] = ()
    apart: tuple[Term, ...] = ()
    spread: tuple[Spread, ...] = ()
    ports: tuple[HostPort, ...] = ()

    @property
    def together(self) -> Selections:
        """Pods that count for affinity: those that all terms select."""
        return tuple(term.pods for term in self.near)

    def selections(self) -> Iterator[Selections]:
        """The pods that have to be known by their nodes."""
        if self.near:
            yield self.together
        for one in (*self.apart, *self.spread):
            yield (one.pods,)


def neighbours_of(spec: Obj, namespace: str, labels: Mapping[str, str]) -> Neighbours | None:
    """A pod's requirements of its neighbours; None: nothing. Errors: ValueError for a selector."""
    affinity: Obj = spec.get("affinity") or {}
    near = tuple(_terms(affinity.get("podAffinity"), namespace, labels))
    apart = tuple(_terms(affinity.get("podAntiAffinity"), namespace, labels))
    spread = tuple(_spreads(spec.get("topologySpreadConstraints"), namespace, labels))
    ports = tuple(dict.fromkeys(_ports(spec)))
    if not (near or apart or spread or ports):
        return None
    return Neighbours(near, apart, spread, ports)


def _terms(affinity: Obj | None, namespace: str, labels: Mapping[str, str]) -> Iterator[Term]:
    required: Iterable[Obj] = (affinity or {}).get(_REQUIRED) or ()
    for entry in required:
        yield Term(_selection(entry, namespace, labels), entry["topologyKey"])


def _selection(entry: Obj, namespace: str, labels: Mapping[str, str]) -> Selection:
    selector = from_object(entry.get("labelSelector"))
    if selector is not None:
        same = _by_keys("in", entry.get("matchLabelKeys"), labels)
        other = _by_keys("notin", entry.get("mismatchLabelKeys"), labels)
        selector = _and(selector, (*same, *other))
    named = frozenset[str](entry.get("namespaces") or ())
    among = from_object(entry.get("namespaceSelector"))
    if not named and among is None:
        named = frozenset((namespace,))
    return Selection(selector, named, among)


def _spreads(entries: Any, namespace: str, labels: Mapping[str, str]) -> Iterator[Spread]:
    for entry in entries or ():
        if entry.get("whenUnsatisfiable") != "DoNotSchedule":
            continue
        selector = from_object(entry.get("labelSelector"))
        if selector is not None:
            selector = _and(selector, _by_keys("in", entry.get("matchLabelKeys"), labels))
        pods = Selection(selector, frozenset((namespace,)), alive=True)
        yield Spread(
            pods,
            entry["topologyKey"],
            int(entry["maxSkew"]),
            int(entry.get("minDomains") or 1),
            honors_affinity=entry.get("nodeAffinityPolicy") != "Ignore",
            honors_taints=entry.get("nodeTaintsPolicy") == "Honor",
            counts_itself=pods.matches(namespace, labels, {}),
        )


def _by_keys(operator: Operator, keys: Any, labels: Mapping[str, str]) -> Iterator[Requirement]:
    """Labels that the pod lacks ask for nothing."""
    for key in keys or ():
        if key in labels:
            yield Requirement(key, operator, frozenset((labels[key],)))


def _and(selector: LabelSelector, more: Iterable[Requirement]) -> LabelSelector:
    added = tuple(more)
    return replace(selector, requirements=(*selector.requirements, *added)) if added else selector


def _ports(spec: Obj) -> Iterator[HostPort]:
    """Source: kube-scheduler util.GetHostPorts: containers and sidecars."""
    sidecars = [c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"]
    for container in (*(spec.get("containers") or ()), *sidecars):
        for port in container.get("ports") or ():
            if port.get("hostPort"):
                yield HostPort(
                    port.get("protocol") or "TCP",
                    port.get("hostIP") or ANY_ADDRESS,
                    int(port["hostPort"]),
                )
