"""The scheduler process: informers in, plans out, one decision at a time.

Nothing is polled. What arrives while a plan is being committed is looked at together afterwards.
A plan that the API server refuses is made again from what the informers know by then.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial

from mizzen.base.clock import Clock, rfc3339
from mizzen.base.exposition import Histogram, MetricsRegistry
from mizzen.base.objects import Key, Obj, key_of
from mizzen.base.operations import Bind, Create, Delete, Operation, Patch
from mizzen.base.resources import NODES, PODS, RESOURCE_CLAIMS, Resource
from mizzen.client.client import Client
from mizzen.client.compact import CompactObjects
from mizzen.client.events import EventRecorder
from mizzen.client.informer import Informer
from mizzen.client.metrics import collector_of
from mizzen.client.syncing import report_syncing
from mizzen.scheduler.assumed import Assumed, assume_written
from mizzen.scheduler.carry_out import CarryOut
from mizzen.scheduler.core.cluster.objects import WATCHED, Feed
from mizzen.scheduler.core.dra.model import SelectorsBusy
from mizzen.scheduler.core.place import BUSY_S, place
from mizzen.scheduler.core.placing.what_if import WhatIf
from mizzen.scheduler.core.queueing_hints import matters
from mizzen.scheduler.core.types import Plan
from mizzen.scheduler.core.views import is_settled
from mizzen.scheduler.device_selectors import CelSelectors
from mizzen.scheduler.metrics import collect, collect_partition
from mizzen.scheduler.node_partition import NodePartition, Source
from mizzen.scheduler.optional_kinds import OptionalKinds
from mizzen.scheduler.queue_policies import optional_kinds, queue_policies

COMPONENT = "mizzen-scheduler"
SETTLE_S = 0.001  # what was written together arrives on several watches: look once, not thrice
SETTLE_ROUNDS_MAX = 5
# Seconds; kube-scheduler's for an attempt (1 ms to 16 s, doubled), though one of ours is for all.
PLAN_S_BOUNDS = tuple(0.001 * 2**n for n in range(15))
PARSED_MAX = 8192  # objects of a kind that wait or were just placed
SETTLED_MAX = 2048  # others; as many as come at a time, so that each is read before it is packed

_log = logging.getLogger(__name__)


async def run(
    client: Client,
    clock: Clock,
    on_ready: Callable[[], None],
    metrics: MetricsRegistry,
    on_syncing: Callable[[int], None] = lambda objects: None,
) -> None:
    """Schedules until cancelled; `on_ready` is called once all caches are filled, `on_syncing`
    before that, now and then, once they hold very many objects."""
    informers = _informers(client)
    scheduler = Scheduler(client, clock, informers)
    _register(metrics, client, scheduler, informers)
    await scheduler.run(on_ready, on_syncing)


async def run_beside(
    client: Client, clock: Clock, on_ready: Callable[[], None], metrics: MetricsRegistry
) -> None:
    """As `run`, on the part of a shared cluster that is handed over. Errors: Overlapping."""
    informers = _informers(client)
    events = EventRecorder(client, COMPONENT, clock)
    partition = NodePartition(informers, events)
    scheduler = Scheduler(client, clock, partition.sources, is_narrowed=True)
    _register(metrics, client, scheduler, informers)
    metrics.register(partial(collect_partition, partition.statistics))
    await scheduler.run(on_ready)


def _register(
    metrics: MetricsRegistry,
    client: Client,
    scheduler: Scheduler,
    informers: Mapping[Resource, Informer],
) -> None:
    metrics.register(partial(collect, scheduler.statistics, scheduler.plan_seconds))
    metrics.register(collector_of(client, scheduler.events, informers))


def _informers(client: Client) -> dict[Resource, Informer]:
    return {resource: Informer(client, resource, cache=_cache(resource)) for resource in WATCHED}


def _cache(resource: Resource) -> CompactObjects | None:
    """A compact cache for kinds of which there are very many: read once, and when they change."""
    if resource == PODS:
        return CompactObjects(PARSED_MAX, SETTLED_MAX, is_settled)
    if resource == NODES:
        return CompactObjects(SETTLED_MAX)
    return CompactObjects(PARSED_MAX) if resource == RESOURCE_CLAIMS else None


class Scheduler:
    """Caches, wake-ups and commits around `core.place`."""

    def __init__(
        self,
        client: Client,
        clock: Clock,
        informers: Mapping[Resource, Source] | None = None,
        *,
        is_narrowed: bool = False,
    ) -> None:
        self._clock = clock
        self._is_narrowed = is_narrowed
        self._informers: Mapping[Resource, Source] = informers or _informers(client)
        self._caches = {
            resource: Assumed(informer.objects, lambda informer=informer: informer.revision)
            for resource, informer in self._informers.items()
        }
        self._selectors = CelSelectors(is_patient=False)
        self._policies = queue_policies()
        self._feed = Feed(self._selectors, policies=self._policies)
        self._what_if = WhatIf(self._feed.cluster)
        self._dirty: dict[tuple[Resource, Key], None] = {}  # objects that have changed
        self._postponed: dict[tuple[Resource, Key], None] = {}  # of these, who has to wait
        self._synced_optional: dict[tuple[Resource, Key], Obj] = {}
        self._optional_changed = False
        self.events = EventRecorder(client, COMPONENT, clock)
        self._writer = CarryOut(client, clock, self.events, self._written)
        self._unreadable: dict[str, str] = {}
        self._failing: set[tuple[str, str]] = set()  # what the last plan failed on, and how
        self._wake = asyncio.Event()
        self._counts: Counter[str] = Counter()
        self.plan_seconds = Histogram(PLAN_S_BOUNDS)
        self._optional = OptionalKinds(client, self._on_optional_change, optional_kinds())
        for resource, informer in self._informers.items():
            informer.add_handler(self._event_handler(resource))

    def statistics(self) -> Mapping[str, int]:
        return {
            **self._counts,
            **self._writer.statistics(),
            **self._optional.statistics(),
            **self._selectors.statistics(),
            "waiting": len(self._feed.cluster.waiting),
            "unreadable": len(self._unreadable),
        }

    async def run(
        self,
        on_ready: Callable[[], None],
        on_syncing: Callable[[int], None] = lambda objects: None,
    ) -> None:
        async with asyncio.TaskGroup() as group:
            syncing = group.create_task(report_syncing(self._informers, on_syncing))
            group.create_task(self._optional.run())
            await self._fill(group)
            await self._optional.wait_synced()
            syncing.cancel()
            await self._writer.recover(self._caches[PODS], self._caches[RESOURCE_CLAIMS])
            on_ready()
            await self._decide_forever()

    async def _fill(self, group: asyncio.TaskGroup) -> None:
        """Follows all sources, pods after all else, which they refer to; the feed is told of what
        comes as it comes, while it is still parsed. Returns once all is known."""
        reading = group.create_task(self._read_on())
        try:
            late = [] if self._is_narrowed else [PODS]  # what is narrowed comes when all is there
            early = [resource for resource in self._informers if resource not in late]
            for part in (early, late):
                for resource in part:
                    group.create_task(self._informers[resource].run())
                for resource in part:
                    await self._informers[resource].wait_synced()
        finally:
            reading.cancel()
        self._wake.set()

    async def _read_on(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            self._selectors.begin_turn()
            self._apply_changes()

    # -- the loop ---------------------------------------------------------------------------

    async def _decide_forever(self) -> None:
        again_s = 0.0
        while True:
            await self._wait_until_woken(again_s)
            await self._settle()
            plan = self._plan()
            again_s = max(plan.recheck_after_s, await self._writer.carry_out(plan))
            if self._postponed:
                again_s = min(again_s or BUSY_S, BUSY_S)

    async def _wait_until_woken(self, at_most_s: float) -> None:
        """Returns when something changed, or after `at_most_s` (0: only when something changed)."""
        if at_most_s <= 0:
            await self._wake.wait()
            return
        try:
            async with asyncio.timeout(at_most_s):
                await self._wake.wait()
        except TimeoutError:
            self._counts["rechecks"] += 1

    async def _settle(self) -> None:
        """Returns once nothing has arrived for a moment, or after a few of them."""
        for _ in range(SETTLE_ROUNDS_MAX):
            self._wake.clear()
            await asyncio.sleep(SETTLE_S)
            if not self._wake.is_set():
                return
        self._wake.clear()

    def _plan(self) -> Plan:
        began_ns = self._clock.monotonic_ns()
        self._selectors.begin_turn()
        self._apply_changes()
        if not self._feed.cluster.waiting and not self._feed.cluster.deserted:
            return Plan(())
        self._selectors.begin_turn()  # what is new does not keep what is known from being placed
        self._feed.settle()
        plan = place(self._what_if, self._clock.now_ns(), self._policies)
        self.plan_seconds.observe((self._clock.monotonic_ns() - began_ns) / 1e9)
        failing = {(subject, repr(error)) for subject, error in plan.failures}
        for subject, error in plan.failures:
            self._counts["failures"] += 1
            if (subject, repr(error)) not in self._failing:  # else it was logged, plans ago
                _log.error("no decision about %s", subject, exc_info=error)
        self._failing = failing
        return plan

    # -- what changed ------------------------------------------------------------------------

    def _apply_changes(self) -> None:
        """The feed hears of every object that changed since the last time, as it is by now; those
        whose selectors have to wait are told of the next time."""
        self._postponed.clear()
        for resource, key in sorted(self._dirty, key=_apply_order):
            obj = self._caches[resource].get(key)
            try:
                if obj is None:
                    self._feed.delete(resource, key)
                elif not self._feed.knows(resource, key, obj):
                    self._feed.upsert(resource, obj)
            except SelectorsBusy:
                self._counts["postponed"] += 1
                self._postponed[resource, key] = None
                continue
            if self._feed.unreadable or self._unreadable:
                self._report_unreadable(resource, key, obj)
        self._dirty.clear()
        self._dirty.update(self._postponed)
        if self._optional_changed:
            self._optional_changed = False
            self._apply_optional()

    def _report_unreadable(self, resource: Resource, key: Key, obj: Obj | None) -> None:
        """An object that cannot be read is told so once."""
        what = f'{resource.kind} "{key}"'
        problem = self._feed.unreadable.get(what, "")
        if not problem or obj is None:
            self._unreadable.pop(what, None)
        elif self._unreadable.get(what) != problem:
            self._unreadable[what] = problem
            _log.warning("%s is passed over: %s", what, problem)
            about = {**obj, "apiVersion": resource.api_version, "kind": resource.kind}
            text = f"{what} is passed over by the scheduler, which cannot read it: {problem}"
            self.events.event(about, "Warning", "Unreadable", text)

    def _apply_optional(self) -> None:
        now = {
            (r, key): obj
            for r, listed in self._optional.objects.items()
            for key, obj in listed.items()
        }
        for known in [known for known in self._synced_optional if known not in now]:
            self._feed.delete(*known)
        for (resource, key), obj in now.items():
            if self._synced_optional.get((resource, key)) is not obj:
                self._feed.upsert(resource, obj)
        self._synced_optional = now

    def _on_optional_change(self) -> None:
        self._optional_changed = True
        self._wake.set()

    def _event_handler(self, resource: Resource) -> Callable[[str, Obj | None, Obj], None]:
        cache = self._caches[resource]

        def handle(event: str, old: Obj | None, new: Obj) -> None:
            key = key_of(new)
            self._dirty[resource, key] = None
            if event == "DELETED":
                cache.forget(key)
            if not self._wake.is_set() and matters(resource, event, old, new):
                self._wake.set()

        return handle

    def _written(self, operation: Operation, answer: Obj) -> None:
        assume_written(self._caches, operation, answer, rfc3339(self._clock.now_ns()))
        resource = PODS if isinstance(operation, Bind) else operation.resource
        if resource in self._caches:
            key = key_of(operation.object) if isinstance(operation, Create) else _key(operation)
            self._dirty[resource, key] = None


def _key(operation: Bind | Delete | Patch) -> Key:
    return Key(operation.namespace, operation.name)


def _apply_order(changed: tuple[Resource, Key]) -> int:
    return WATCHED.index(changed[0])
