"""The informers of a shared cluster, filtered to the nodes handed over to Mizzen.

The scheduler behind it sees a cluster of its own: nodes without the taint that keeps others away,
pods that wait for it or stand on those nodes, slices that only those nodes reach.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Protocol

from mizzen.base.objects import Key, Obj, key_of, name_of
from mizzen.base.resources import NODES, PODS, RESOURCE_CLAIMS, RESOURCE_SLICES, Resource
from mizzen.client.events import EventRecorder
from mizzen.client.informer import Handler, Informer
from mizzen.scheduler.core.shared_cluster.doubles import Double, Holders
from mizzen.scheduler.core.shared_cluster.handover import Handover, Overlap, without_taint

_log = logging.getLogger(__name__)


class Source(Protocol):
    """The part of an informer that the scheduler needs."""

    @property
    def objects(self) -> Mapping[Key, Obj]: ...
    @property
    def revision(self) -> int: ...
    def add_handler(self, handler: Handler) -> None: ...
    async def wait_synced(self) -> None: ...
    async def run(self) -> None: ...


class Overlapping(Exception):
    """Two schedulers could hand out the same; the message lists every place and remedy."""

    def __init__(self, overlaps: Iterable[Overlap]) -> None:
        lines = "\n".join(f"- {overlap}" for overlap in overlaps)
        super().__init__(
            f"Mizzen does not start beside another scheduler on the same ground:\n{lines}"
        )


class FilteredInformer:
    """Part of one informer's objects; told of changes as an informer tells."""

    def __init__(self, informer: Informer, owner: NodePartition) -> None:
        self.objects: dict[Key, Obj] = {}
        self._informer = informer
        self._owner = owner
        self._handlers: list[Handler] = []

    @property
    def revision(self) -> int:
        return self._informer.revision

    def add_handler(self, handler: Handler) -> None:
        self._handlers.append(handler)
        for obj in list(self.objects.values()):
            handler("ADDED", None, obj)

    async def wait_synced(self) -> None:
        await self._owner.wait_published()

    async def run(self) -> None:
        await self._informer.run()

    def put(self, obj: Obj) -> None:
        key = key_of(obj)
        old = self.objects.get(key)
        self.objects[key] = obj
        for handler in self._handlers:
            handler("ADDED" if old is None else "MODIFIED", old, obj)

    def drop(self, key: Key) -> None:
        old = self.objects.pop(key, None)
        if old is not None:
            for handler in self._handlers:
                handler("DELETED", old, old)


class NodePartition:
    """Follows labels, taints and pods of others, and shows or hides objects accordingly."""

    def __init__(self, informers: Mapping[Resource, Informer], events: EventRecorder) -> None:
        self._informers = informers
        self._events = events
        self._handover = Handover(informers[RESOURCE_CLAIMS].objects)
        self._holders = Holders()
        self._nodes = FilteredInformer(informers[NODES], self)
        self._pods = FilteredInformer(informers[PODS], self)
        self._slices = FilteredInformer(informers[RESOURCE_SLICES], self)
        self._pods_on: dict[str, dict[Key, None]] = {}
        self._slices_on: dict[str, dict[Key, None]] = {}  # "": reached by more than one node
        self._shown: set[str] = set()  # nodes
        self._reported: dict[tuple[Resource, Key], str] = {}
        self._is_published = False
        self._publishing = asyncio.Lock()
        self._counts: Counter[str] = Counter()
        informers[NODES].add_handler(self._node_changed)
        informers[PODS].add_handler(self._pod_changed)
        informers[RESOURCE_SLICES].add_handler(self._slice_changed)
        informers[RESOURCE_CLAIMS].add_handler(self._claim_changed)

    @property
    def sources(self) -> Mapping[Resource, Source]:
        """In place of the informers."""
        narrowed = {NODES: self._nodes, PODS: self._pods, RESOURCE_SLICES: self._slices}
        return {**self._informers, **narrowed}

    def statistics(self) -> Mapping[str, int]:
        return {
            "nodes_handed_over": len(self._shown),
            "overlaps": len(self._reported),
            "devices_allocated_twice": self._counts["doubles"],
        }

    async def wait_published(self) -> None:
        """Returns once the narrowed caches are filled. Errors: Overlapping."""
        for informer in self._informers.values():
            await informer.wait_synced()
        async with self._publishing:
            if self._is_published:
                return
            slices = self._informers[RESOURCE_SLICES].objects.values()
            overlaps = self._handover.overlaps(slices)
            if overlaps:
                raise Overlapping(overlaps)
            self._is_published = True
            for node in self._informers[NODES].objects.values():
                self._show_node(name_of(node))
            for pod in self._informers[PODS].objects.values():
                self._show_pod(pod)
            for item in slices:
                self._show_slice(item)
        _log.info("%d nodes are handed over to Mizzen", len(self._shown))

    # -- changes -----------------------------------------------------------------------------

    def _node_changed(self, type: str, old: Obj | None, new: Obj) -> None:
        if type == "DELETED":
            self._handover.forget_node(name_of(new))
        else:
            self._handover.learn_node(new)
        reaches_otherwise = old is None or type == "DELETED" or _labels(old) != _labels(new)
        self._show_node(name_of(new), is_reach_new=reaches_otherwise)

    def _pod_changed(self, type: str, old: Obj | None, new: Obj) -> None:
        key = key_of(new)
        if old is not None:  # after a gap it may be another pod of this name, elsewhere
            self._pods_on.get(_node_of(old), {}).pop(key, None)
        if type == "DELETED":
            changed = self._handover.forget_pod(key)
            self._pods.drop(key)
        else:
            changed = self._handover.learn_pod(new)
            if _node_of(new):
                self._pods_on.setdefault(_node_of(new), {})[key] = None
        for node in changed:
            self._show_node(node)
        if type != "DELETED":
            self._show_pod(new)

    def _slice_changed(self, type: str, old: Obj | None, new: Obj) -> None:
        key = key_of(new)
        if old is not None:
            self._slices_on.get(_node_of(old), {}).pop(key, None)
        if type == "DELETED":
            self._reported.pop((RESOURCE_SLICES, key), None)
            self._slices.drop(key)
            return
        self._slices_on.setdefault(_node_of(new), {})[key] = None
        self._show_slice(new)

    def _claim_changed(self, type: str, old: Obj | None, new: Obj) -> None:
        if type == "DELETED":
            self._holders.forget(key_of(new))
            return
        for double in self._holders.learn(new):
            self._report_double(double)

    # -- showing -----------------------------------------------------------------------------

    def _show_node(self, name: str, *, is_reach_new: bool = False) -> None:
        """Brings a node, and with it what stands on it or is reached from it, up to date."""
        if not self._is_published:
            return
        key = Key("", name)
        self._report(NODES, key, self._handover.node_problem(name))
        was, is_ours = name in self._shown, self._handover.is_ours(name)
        if is_ours:
            self._shown.add(name)
            self._nodes.put(without_taint(self._informers[NODES].objects[key]))
        elif was:
            self._shown.discard(name)
        if was != is_ours:
            for pod in list(self._pods_on.get(name, ())):
                self._show_pod(self._informers[PODS].objects[pod])
            self._show_slices_on(name)
        if not is_ours:
            self._nodes.drop(key)
        if was != is_ours or is_reach_new:
            self._show_slices_on("")

    def _show_slices_on(self, node: str) -> None:
        for key in list(self._slices_on.get(node, ())):
            self._show_slice(self._informers[RESOURCE_SLICES].objects[key])

    def _show_pod(self, pod: Obj) -> None:
        if not self._is_published:
            return
        if self._handover.shows_pod(pod):
            self._pods.put(pod)
        else:
            self._pods.drop(key_of(pod))

    def _show_slice(self, item: Obj) -> None:
        if not self._is_published:
            return
        self._report(RESOURCE_SLICES, key_of(item), self._handover.slice_problem(item))
        if self._handover.shows_slice(item):
            self._slices.put(item)
        else:
            self._slices.drop(key_of(item))

    # -- telling ---------------------------------------------------------------------------------

    def _report(self, resource: Resource, key: Key, overlap: Overlap | None) -> None:
        """Says once what is wrong, and once that it is mended."""
        if overlap is None:
            if self._reported.pop((resource, key), ""):
                _log.info('%s "%s" is Mizzen\'s alone again', resource.kind, key)
            return
        if self._reported.get((resource, key)) != str(overlap):
            self._reported[resource, key] = str(overlap)
            _log.error("left alone: %s", overlap)
            text = f"{overlap.what}; {overlap.remedy}"
            self._events.event(overlap.about, "Warning", "SchedulersOverlap", text)

    def _report_double(self, double: Double) -> None:
        self._counts["doubles"] += 1
        _log.error("%s", double)
        for key in double.claims:
            claim = self._informers[RESOURCE_CLAIMS].objects.get(key)
            if claim is not None:
                self._events.event(claim, "Warning", "DeviceAllocatedTwice", str(double))


def _labels(obj: Obj) -> Mapping[str, str]:
    return obj["metadata"].get("labels") or {}


def _node_of(obj: Obj) -> str:
    """Of a pod or slice: the one node it belongs to, "" if none or several."""
    return obj["spec"].get("nodeName") or ""
