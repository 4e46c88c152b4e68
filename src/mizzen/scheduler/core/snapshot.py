"""Snapshots from API objects. Parsed views are remembered per object version."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from mizzen.base.objects import Key, Obj, key_of, uid_of
from mizzen.scheduler.core.claims import claim_view, device_class, pools
from mizzen.scheduler.core.devices import Catalogue
from mizzen.scheduler.core.types import (
    Claim,
    DeviceClass,
    Gang,
    NodeView,
    PodSpecView,
    Pool,
    Queue,
    Selectors,
    Snapshot,
)
from mizzen.scheduler.core.units import queue
from mizzen.scheduler.core.views import (
    PriorityClasses,
    gang_view,
    node_view,
    pod_view,
    priority_classes,
    wants_placing,
)

View = TypeVar("View")


@dataclass(frozen=True, slots=True)
class Objects:
    """The API objects that placing depends on, as they stand."""

    pods: Mapping[Key, Obj]
    nodes: Mapping[Key, Obj]
    claims: Mapping[Key, Obj]
    slices: Mapping[Key, Obj]
    classes: Mapping[Key, Obj]
    pod_groups: Mapping[Key, Obj]
    priority_classes: Mapping[Key, Obj]


class _Views(Generic[View]):
    """Views by uid and resourceVersion; those of objects that are gone are dropped."""

    def __init__(self, parse: Callable[[Obj], View]) -> None:
        self._parse = parse
        self._known: dict[tuple[str, str, Key], View] = {}

    def of(self, objects: Iterable[Obj]) -> dict[Key, View]:
        result: dict[Key, View] = {}
        known: dict[tuple[str, str, Key], View] = {}
        for obj in objects:
            key = key_of(obj)
            version = (uid_of(obj), obj["metadata"].get("resourceVersion") or "", key)
            view = self._known.get(version) if version[1] else None
            known[version] = result[key] = self._parse(obj) if view is None else view
        self._known = known
        return result


@dataclass(slots=True)
class SnapshotBuilder:
    """Builds a snapshot and its queue; keeps what it parsed for the next one."""

    selectors: Selectors
    _nodes: _Views[NodeView] = field(default_factory=lambda: _Views(node_view))
    _claims: _Views[Claim] = field(default_factory=lambda: _Views(claim_view))
    _gangs: _Views[Gang] = field(default_factory=lambda: _Views(gang_view))
    _classes: _Views[DeviceClass] = field(default_factory=lambda: _Views(device_class))
    _priorities: PriorityClasses = field(default_factory=dict[str, tuple[int, bool, str]])
    _pods: _Views[PodSpecView] | None = None
    _pools: tuple[Pool, ...] = ()
    _pools_from: frozenset[tuple[str, str]] = frozenset()
    _catalogue: Catalogue | None = None

    def build(self, objects: Objects) -> tuple[Snapshot, Queue, Catalogue]:
        pods = self._pod_views(objects)
        waiting = [pods[key] for key, pod in objects.pods.items() if wants_placing(pod)]
        classes = {k.name: v for k, v in self._classes.of(objects.classes.values()).items()}
        nodes = {k.name: v for k, v in self._nodes.of(objects.nodes.values()).items()}
        snapshot = Snapshot(
            nodes=nodes,
            pods=pods,
            claims=self._claims.of(objects.claims.values()),
            pools=self._pools_of(objects),
            classes=classes,
            gangs=self._gangs.of(objects.pod_groups.values()),
        )
        return snapshot, queue(waiting), self._catalogue_of(snapshot)

    def _pod_views(self, objects: Objects) -> dict[Key, PodSpecView]:
        priorities = priority_classes(objects.priority_classes.values())
        if self._pods is None or priorities != self._priorities:
            self._priorities = priorities
            self._pods = _Views(lambda pod: pod_view(pod, priorities))
        return self._pods.of(objects.pods.values())

    def _pools_of(self, objects: Objects) -> tuple[Pool, ...]:
        versions = frozenset(
            (uid_of(s), s["metadata"].get("resourceVersion") or "") for s in objects.slices.values()
        )
        if versions != self._pools_from or not self._pools:
            self._pools, self._pools_from = pools(objects.slices.values()), versions
        return self._pools

    def _catalogue_of(self, snapshot: Snapshot) -> Catalogue:
        """The catalogue outlives the snapshot while pools, classes and nodes are the same."""
        known = self._catalogue
        if known is None or not known.describes(snapshot):
            known = self._catalogue = Catalogue(
                snapshot.pools, snapshot.classes, self.selectors, snapshot.nodes
            )
        return known
