"""The scheduler process: informers in, plans out, one decision at a time.

Nothing is polled. What arrives while a plan is being committed is looked at together afterwards.
A plan that the API server refuses is made again from what the informers know by then.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping

from mizzen.base.clock import Clock, rfc3339
from mizzen.base.objects import Obj, annotations_of, key_of
from mizzen.base.operations import Operation
from mizzen.base.resources import (
    DEVICE_CLASSES,
    DEVICE_TAINT_RULES,
    NODES,
    POD_GROUPS,
    PODS,
    PRIORITY_CLASSES,
    RESOURCE_CLAIMS,
    RESOURCE_SLICES,
    Resource,
)
from mizzen.client.client import Client
from mizzen.client.events import EventRecorder
from mizzen.client.informer import Informer
from mizzen.scheduler.assumed import Assumed, assume_written
from mizzen.scheduler.carry_out import CarryOut
from mizzen.scheduler.cel.selectors import CelSelectors
from mizzen.scheduler.core.conventions.membership import membership
from mizzen.scheduler.core.place import place
from mizzen.scheduler.core.snapshot import Objects, SnapshotBuilder
from mizzen.scheduler.core.types import Plan
from mizzen.scheduler.core.views import wants_placing
from mizzen.scheduler.handed_over import HandedOver, Source
from mizzen.scheduler.optional_kinds import OptionalKinds

COMPONENT = "mizzen-scheduler"
SETTLE_S = 0.001  # what was written together arrives on several watches: look once, not thrice
SETTLE_ROUNDS_MAX = 5

_WATCHED = (
    PODS,
    NODES,
    RESOURCE_CLAIMS,
    RESOURCE_SLICES,
    DEVICE_CLASSES,
    POD_GROUPS,
    PRIORITY_CLASSES,
    DEVICE_TAINT_RULES,
)
_log = logging.getLogger(__name__)


async def run(client: Client, clock: Clock, on_ready: Callable[[], None]) -> None:
    """Schedules until cancelled; `on_ready` is called once all caches are filled."""
    scheduler = Scheduler(client, clock)
    await scheduler.run(on_ready)


async def run_beside(client: Client, clock: Clock, on_ready: Callable[[], None]) -> None:
    """As `run`, on the part of a shared cluster that is handed over. Errors: Overlapping."""
    informers = _informers(client)
    events = EventRecorder(client, COMPONENT, clock)
    narrowed = HandedOver(informers, events)
    await Scheduler(client, clock, narrowed.sources).run(on_ready)


def _informers(client: Client) -> dict[Resource, Informer]:
    return {resource: Informer(client, resource) for resource in _WATCHED}


class Scheduler:
    """Caches, wake-ups and commits around `core.place`."""

    def __init__(
        self, client: Client, clock: Clock, sources: Mapping[Resource, Source] | None = None
    ) -> None:
        self._clock = clock
        self._informers: Mapping[Resource, Source] = sources or _informers(client)
        self._caches = {
            resource: Assumed(informer.objects, lambda informer=informer: informer.revision)
            for resource, informer in self._informers.items()
        }
        self._builder = SnapshotBuilder(CelSelectors())
        events = EventRecorder(client, COMPONENT, clock)
        self._writer = CarryOut(client, clock, events, self._written)
        self._unreadable: dict[str, str] = {}
        self._wake = asyncio.Event()
        self._counts: Counter[str] = Counter()
        self._others = OptionalKinds(client, self._wake.set)
        for resource, informer in self._informers.items():
            informer.add_handler(self._noticed(self._caches[resource]))

    def statistics(self) -> Mapping[str, int]:
        return {
            **self._counts,
            **self._writer.statistics(),
            **self._others.statistics(),
            "unreadable": len(self._unreadable),
        }

    async def run(self, on_ready: Callable[[], None]) -> None:
        async with asyncio.TaskGroup() as group:
            for informer in self._informers.values():
                group.create_task(informer.run())
            group.create_task(self._others.run())
            for informer in self._informers.values():
                await informer.wait_synced()
            await self._others.wait_synced()
            await self._writer.recover()
            on_ready()
            await self._decide_forever()

    # -- the loop ---------------------------------------------------------------------------

    async def _decide_forever(self) -> None:
        again_s = 0.0
        while True:
            await self._wait_until_woken(again_s)
            await self._settle()
            plan = self._plan()
            again_s = max(plan.recheck_after_s, await self._writer.carry_out(plan))

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
        caches = self._caches
        if not any(wants_placing(pod) for pod in caches[PODS].values()):
            return Plan(())
        snapshot, queue, catalogue = self._builder.build(
            Objects(
                pods=caches[PODS],
                nodes=caches[NODES],
                claims=caches[RESOURCE_CLAIMS],
                slices=caches[RESOURCE_SLICES],
                classes=caches[DEVICE_CLASSES],
                pod_groups=caches[POD_GROUPS],
                priority_classes=caches[PRIORITY_CLASSES],
                others=self._others.objects,
                taint_rules=caches[DEVICE_TAINT_RULES],
            )
        )
        for what, problem in self._builder.unreadable.items():
            if what not in self._unreadable:
                _log.warning("%s is passed over: %s", what, problem)
        self._unreadable = dict(self._builder.unreadable)
        plan = place(snapshot, queue, catalogue, self._clock.now_ns())
        self._counts["plans"] += 1
        self._counts["plan_us"] += (self._clock.monotonic_ns() - began_ns) // 1000
        return plan

    def _noticed(self, cache: Assumed) -> Callable[[str, Obj | None, Obj], None]:
        def handle(event: str, old: Obj | None, new: Obj) -> None:
            if event == "DELETED":
                cache.forget(key_of(new))
            if old is None or _matters(old, new):
                self._wake.set()

        return handle

    def _written(self, operation: Operation, answer: Obj) -> None:
        assume_written(self._caches, operation, answer, rfc3339(self._clock.now_ns()))


def _matters(old: Obj, new: Obj) -> bool:
    """Whether a change can change a decision: progress notes and readiness of pods cannot, nor
    what a PodGroup's status says."""
    if old is new:
        return True
    if new.get("kind") == POD_GROUPS.kind:
        return old["spec"] != new["spec"] or annotations_of(old) != annotations_of(new)
    return new.get("kind") != PODS.kind or _placing_part(old) != _placing_part(new)


def _placing_part(pod: Obj) -> tuple[object, ...]:
    status: Obj = pod.get("status") or {}
    metadata: Obj = pod["metadata"]
    return (
        metadata.get("uid"),
        membership(pod),
        metadata.get("deletionTimestamp"),
        pod["spec"].get("nodeName"),
        pod["spec"].get("schedulingGates"),
        status.get("phase"),
        status.get("resourceClaimStatuses"),
    )
