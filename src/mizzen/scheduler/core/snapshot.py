"""Snapshots from API objects. Parsed views are remembered per object version."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from mizzen.base.objects import Key, Obj, key_of, revision_of, uid_of
from mizzen.base.resources import POD_GROUPS, Resource
from mizzen.scheduler.core.claims import claim_view, pools
from mizzen.scheduler.core.conventions import hyper_nodes
from mizzen.scheduler.core.conventions.gangs import Surroundings, gangs
from mizzen.scheduler.core.conventions.pod_group_status import state
from mizzen.scheduler.core.conventions.watched import HYPER_NODES
from mizzen.scheduler.core.devices import Catalogue
from mizzen.scheduler.core.dra.claim_spec import read_class
from mizzen.scheduler.core.dra.model import Pool, Selectors
from mizzen.scheduler.core.extended import classes_by_resource
from mizzen.scheduler.core.taint_rules import TaintedSlices
from mizzen.scheduler.core.types import NodeView, PodSpecView, Queue, Snapshot
from mizzen.scheduler.core.units import queue
from mizzen.scheduler.core.unmade import with_unmade_claims
from mizzen.scheduler.core.views import (
    PriorityClasses,
    node_view,
    pod_view,
    priority_classes,
    wants_placing,
)

View = TypeVar("View")


@dataclass(frozen=True, slots=True)
class Objects:
    """The API objects that placing depends on, as they stand.

    `others` are those of the kinds in `conventions.watched` that the cluster has.
    """

    pods: Mapping[Key, Obj]
    nodes: Mapping[Key, Obj]
    claims: Mapping[Key, Obj]
    slices: Mapping[Key, Obj]
    classes: Mapping[Key, Obj]
    pod_groups: Mapping[Key, Obj]
    priority_classes: Mapping[Key, Obj]
    others: Mapping[Resource, Mapping[Key, Obj]] = field(
        default_factory=dict[Resource, Mapping[Key, Obj]]
    )
    taint_rules: Mapping[Key, Obj] = field(default_factory=dict[Key, Obj])


class _Views(Generic[View]):
    """Views by uid and resourceVersion; those of objects that are gone are dropped.

    An object that cannot be read is left out and noted: one bad object must not stop the others.
    """

    def __init__(self, kind: str, parse: Callable[[Obj], View], unreadable: dict[str, str]) -> None:
        self._kind = kind
        self._parse = parse
        self._unreadable = unreadable
        self._known: dict[tuple[str, str, Key], View] = {}

    def of(self, objects: Iterable[Obj]) -> dict[Key, View]:
        result: dict[Key, View] = {}
        known: dict[tuple[str, str, Key], View] = {}
        for obj in objects:
            key = key_of(obj)
            version = (uid_of(obj), obj["metadata"].get("resourceVersion") or "", key)
            view = self._known.get(version) if version[1] else None
            if view is None:
                try:
                    view = self._parse(obj)
                except (KeyError, TypeError, ValueError, AttributeError) as error:
                    self._unreadable[f'{self._kind} "{key}"'] = repr(error)
                    continue
            known[version] = result[key] = view
        self._known = known
        return result


class SnapshotBuilder:
    """Builds a snapshot and its queue; keeps what it parsed for the next one."""

    def __init__(self, selectors: Selectors) -> None:
        self.unreadable: dict[str, str] = {}  # by object: what was wrong with it this time
        self._selectors = selectors
        self._nodes = _Views("Node", node_view, self.unreadable)
        self._claims = _Views("ResourceClaim", claim_view, self.unreadable)
        self._groups = _Views("PodGroup", state, self.unreadable)
        self._classes = _Views("DeviceClass", read_class, self.unreadable)
        self._slices = _Views("ResourceSlice", _readable_slice, self.unreadable)
        self._tainted = TaintedSlices()
        self._priorities: PriorityClasses = {}
        self._pods = self._pod_views({})
        self._pools: tuple[Pool, ...] = ()
        self._pools_from: list[Obj] = []
        self._catalogue: Catalogue | None = None
        self._by_resource: Mapping[str, str] = {}
        self._classes_from: tuple[tuple[str, int], ...] = ()

    def build(self, objects: Objects) -> tuple[Snapshot, Queue, Catalogue]:
        """The cluster now, what waits in it, and which devices match what."""
        self.unreadable.clear()
        priorities = priority_classes(objects.priority_classes.values())
        if priorities != self._priorities:
            self._priorities = priorities
            self._pods = self._pod_views(priorities)
        pods = self._pods.of(objects.pods.values())
        claims = self._claims.of(objects.claims.values())
        wanting = [key for key, pod in objects.pods.items() if key in pods and wants_placing(pod)]
        asking, unmade = with_unmade_claims(
            (pods[key] for key in wanting), claims, self._classes_by_resource(objects)
        )
        pods |= asking
        waiting = [pods[key] for key in wanting]
        nodes = self._nodes_of(objects)
        snapshot = Snapshot(
            nodes=nodes,
            pods=pods,
            claims={**claims, **unmade} if unmade else claims,
            pools=self._pools_of(objects),
            classes={k.name: v for k, v in self._classes.of(objects.classes.values()).items()},
            gangs=gangs(
                (pod.membership for pod in pods.values() if pod.gang is not None),
                Surroundings(
                    {**objects.others, POD_GROUPS: objects.pod_groups},
                    {name: value for name, (value, _, _) in priorities.items()},
                    lambda: (node.labels for node in nodes.values()),
                ),
            ),
            pod_groups=self._groups.of(objects.pod_groups.values()),
        )
        return snapshot, queue(waiting), self._catalogue_of(snapshot)

    def _pod_views(self, priorities: PriorityClasses) -> _Views[PodSpecView]:
        return _Views("Pod", lambda pod: pod_view(pod, priorities), self.unreadable)

    def _classes_by_resource(self, objects: Objects) -> Mapping[str, str]:
        """DeviceClass names by extended resource, worked out again when a class changed."""
        versions = tuple((uid_of(c), revision_of(c)) for c in objects.classes.values())
        if versions != self._classes_from:
            self._by_resource = classes_by_resource(objects.classes.values())
            self._classes_from = versions
        return self._by_resource

    def _nodes_of(self, objects: Objects) -> dict[str, NodeView]:
        """Nodes by name; HyperNodes, where there are any, add their tiers to the labels."""
        nodes = {k.name: v for k, v in self._nodes.of(objects.nodes.values()).items()}
        shaping = objects.others.get(HYPER_NODES)
        if shaping:
            found = {name: node.labels for name, node in nodes.items()}
            for name, tiers in hyper_nodes.labels(shaping.values(), found).items():
                nodes[name] = replace(nodes[name], labels={**nodes[name].labels, **tiers})
        return nodes

    def _pools_of(self, objects: Objects) -> tuple[Pool, ...]:
        """The same pools, as an object, until a slice changes."""
        readable = self._slices.of(objects.slices.values()).values()
        slices = self._tainted.of(readable, objects.taint_rules.values())
        if len(slices) != len(self._pools_from) or any(
            new is not old for new, old in zip(slices, self._pools_from, strict=True)
        ):
            self._pools, self._pools_from = pools(slices), slices
        return self._pools

    def _catalogue_of(self, snapshot: Snapshot) -> Catalogue:
        """The catalogue outlives the snapshot while pools, classes and nodes are the same."""
        known = self._catalogue
        if known is None or not known.describes(snapshot):
            known = self._catalogue = Catalogue(
                snapshot.pools, snapshot.classes, self._selectors, snapshot.nodes
            )
        return known


def _readable_slice(item: Obj) -> Obj:
    """The slice itself. Errors: whatever reading its devices raises."""
    pools([item])
    return item
