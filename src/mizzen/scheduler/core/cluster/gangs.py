"""The gangs of the cluster, worked out anew when their pods, owners or the topology change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mizzen.base.objects import Key, Obj
from mizzen.base.resources import JOBS, POD_GROUPS, Resource
from mizzen.scheduler.core.cluster.state import Cluster
from mizzen.scheduler.core.conventions import hyper_nodes
from mizzen.scheduler.core.conventions.gangs import Surroundings, gangs
from mizzen.scheduler.core.conventions.watched import HYPER_NODES, OPTIONAL, TREES, owner_of
from mizzen.scheduler.core.types import NodeView, PodSpecView

OTHERS = frozenset((*OPTIONAL, JOBS))


class Gangs:
    """Keeps `cluster.gangs`. Nodes pass through here, as HyperNodes add to their labels."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._owners: dict[Resource, dict[Key, Obj]] = {}
        self._owned: dict[tuple[Resource, Key], set[Key]] = {}  # gangs of an owner
        self._classes: Mapping[str, int] = {}
        self._dirty: set[Key] = set()
        self._around: Surroundings | None = None
        self._label_keys = 0
        self._bare: dict[str, NodeView] = {}  # nodes without what HyperNodes add

    def concerns(self, old: PodSpecView | None, new: PodSpecView | None) -> None:
        """A pod came, changed or went."""
        if old is not None and new is not None and old.membership == new.membership:
            return
        self._dirty |= {p.gang for p in (old, new) if p is not None and p.gang is not None}

    def set_owner(self, resource: Resource, key: Key, obj: Obj) -> None:
        """An object that says something of gangs, or of the topology."""
        self._owners.setdefault(resource, {})[key] = obj
        self._changed(resource, key)

    def delete_owner(self, resource: Resource, key: Key) -> None:
        if self._owners.get(resource, {}).pop(key, None) is not None:
            self._changed(resource, key)

    def set_classes(self, classes: Mapping[str, int]) -> None:
        """Priorities by PriorityClass."""
        self._classes = classes
        self._reread()

    def set_node(self, view: NodeView) -> None:
        if self._owners.get(HYPER_NODES):
            self._bare[view.name] = view
            view = self._tiered({view.name: view})[0]
        self._cluster.set_node(view)

    def delete_node(self, name: str) -> None:
        self._bare.pop(name, None)
        self._cluster.delete_node(name)

    def settle(self) -> None:
        """Works out the gangs that something changed about."""
        keys = self._cluster.nodes.label_key_count()
        if keys != self._label_keys:
            self._label_keys = keys
            self._reread()
        if not self._dirty:
            return
        around = self._around
        if around is None:
            labels = self._cluster.nodes.some_labels
            around = self._around = Surroundings(self._owners, self._classes, labels)
        for key in self._dirty:
            members = self._cluster.members.get(key, {})
            found = gangs((pod.membership for pod in members.values()), around)
            self._file(key, found.get(key) is not None)
            if key in found:
                self._cluster.set_gang(found[key])
            else:
                self._cluster.delete_gang(key)
        self._dirty.clear()

    def _file(self, key: Key, is_known: bool) -> None:
        owner = owner_of(key)
        if owner is not None and (is_known or key in self._cluster.members):
            self._owned.setdefault(owner, set()).add(key)
        elif owner is not None and owner in self._owned:
            self._owned[owner].discard(key)
            if not self._owned[owner]:
                del self._owned[owner]

    def _changed(self, resource: Resource, key: Key) -> None:
        if resource == HYPER_NODES:
            self._retier()
        if resource in TREES:
            self._reread()
        self._dirty |= self._owned.get((resource, key), set())
        if resource == POD_GROUPS and key in self._cluster.members:
            self._dirty.add(key)

    def _reread(self) -> None:
        self._around = None
        self._dirty |= self._cluster.members.keys()

    def _retier(self) -> None:
        """HyperNodes changed: their tiers are labels of the nodes in them."""
        if not self._bare:
            self._bare = {view.name: view for view in self._cluster.node_views()}
        for view in self._tiered(self._bare):
            self._cluster.set_node(view)

    def _tiered(self, views: Mapping[str, NodeView]) -> list[NodeView]:
        shaping = self._owners.get(HYPER_NODES, {})
        labels = {name: view.labels for name, view in views.items()}
        tiers = hyper_nodes.labels(shaping.values(), labels)
        return [
            replace(view, labels={**view.labels, **tiers[name]}) if name in tiers else view
            for name, view in views.items()
        ]
