"""Runs every controller: informers feed one view, changes make keys due, workers reconcile."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial

from mizzen.base import registry
from mizzen.base.clock import Clock
from mizzen.base.clock_steps import ClockSteps
from mizzen.base.errors import AlreadyExists, ApiError, TooManyRequests, Unavailable
from mizzen.base.exposition import MetricsRegistry
from mizzen.base.objects import Obj
from mizzen.base.resources import PODS, Resource
from mizzen.client.backoff import Backoff
from mizzen.client.client import Client
from mizzen.client.compact import CompactObjects
from mizzen.client.events import EventRecorder
from mizzen.client.informer import Informer
from mizzen.client.metrics import collector_of
from mizzen.client.syncing import report_syncing
from mizzen.controllers.core.actions import Controller
from mizzen.controllers.core.bootstrap import defaults
from mizzen.controllers.core.view import View
from mizzen.controllers.metrics import collect
from mizzen.controllers.worker import Worker

log = logging.getLogger("mizzen.controllers")
COMPONENT = "mizzen-controllers"
# Of pods there may be a hundred thousand. Those of the Jobs at work should be among the parsed.
PODS_PARSED_MAX = 2048
CLOCK_LOOK_S = 5.0
# Kubernetes has controllers for all else: Jobs, claims of templates, owners, nodes.
_OWN = ("trainjob", "model-endpoint")


async def run(
    client: Client,
    clock: Clock,
    on_ready: Callable[[], None],
    metrics: MetricsRegistry,
    on_syncing: Callable[[int], None] = lambda objects: None,
) -> None:
    """Serves until cancelled; `on_ready` is called once the caches are filled, `on_syncing`
    before that, now and then, once they hold very many objects."""
    found = find_controllers()
    await run_controllers(client, clock, on_ready, found, metrics, on_syncing=on_syncing)


async def run_beside(
    client: Client, clock: Clock, on_ready: Callable[[], None], metrics: MetricsRegistry
) -> None:
    """As `run`, on a cluster whose own controllers do what is not particular to Mizzen."""
    own = [c for c in find_controllers() if c.name in _OWN]
    await run_controllers(client, clock, on_ready, own, metrics, makes_defaults=False)


def find_controllers() -> list[Controller]:
    """Every module of `controllers.core` with a `CONTROLLER`, in name order."""
    return [controller for _, controller in registry.collect(f"{__package__}.core", "CONTROLLER")]


async def run_controllers(
    client: Client,
    clock: Clock,
    on_ready: Callable[[], None],
    controllers: Sequence[Controller],
    metrics: MetricsRegistry,
    *,
    makes_defaults: bool = True,
    on_syncing: Callable[[int], None] = lambda objects: None,
) -> None:
    """As `run`, for these controllers alone."""
    recorder = EventRecorder(client, COMPONENT, clock)
    informers = {
        resource: Informer(
            client, resource, cache=CompactObjects(PODS_PARSED_MAX) if resource == PODS else None
        )
        for controller in controllers
        for resource in controller.resources
    }
    view = View({resource: informer.objects for resource, informer in informers.items()})
    for index in {index for controller in controllers for index in controller.indexes}:
        view.add_index(index)
    for digest in {id(d): d for controller in controllers for d in controller.digests}.values():
        view.add_digest(digest)
    workers = [Worker(c, view, client, clock, recorder, informers) for c in controllers]
    metrics.register(partial(collect, workers))
    metrics.register(collector_of(client, recorder, informers))
    for resource, informer in informers.items():
        _connect(resource, informer, view, workers)
    async with asyncio.TaskGroup() as group:
        for resource, informer in informers.items():
            group.create_task(informer.run(), name=f"informer {resource.plural}")
        syncing = group.create_task(report_syncing(informers, on_syncing))
        if makes_defaults:
            await create_defaults(client)
        for informer in informers.values():
            await informer.wait_synced()
        syncing.cancel()
        for worker in workers:
            worker.start(group)
        group.create_task(_heed_clock_steps(clock, workers))
        on_ready()
        log.info("%d controllers watch %d resources", len(workers), len(informers))


async def _heed_clock_steps(clock: Clock, workers: Sequence[Worker]) -> None:
    """Timers run on the steady clock, schedules by the wall: after a machine slept, or NTP stepped,
    whatever is due by now is due."""
    steps = ClockSteps(clock)
    while True:
        await asyncio.sleep(CLOCK_LOOK_S)
        if by_ns := steps.forward_ns():
            log.warning("the clock was set forward by %.0f s", by_ns / 1e9)
            for worker in workers:
                worker.bring_forward(by_ns / 1e9)


async def create_defaults(client: Client) -> None:
    """Makes the built-in objects that are missing; what exists is the user's and stays."""
    for create in defaults():
        backoff = Backoff()
        while True:
            try:
                await client.create(create.resource, create.object)
            except AlreadyExists:
                break
            except (Unavailable, TooManyRequests) as error:
                log.warning("built-in %s waits: %s", create.resource.kind, error)
                await asyncio.sleep(backoff.next_s())
            except ApiError as error:
                log.error("built-in %s is refused: %s", create.resource.kind, error)
                break
            else:
                break


def _connect(resource: Resource, informer: Informer, view: View, workers: Sequence[Worker]) -> None:
    """Each change goes into the view first, then to every controller that it concerns."""
    concerned = [worker for worker in workers if resource in worker.controller.resources]

    def changed(type: str, old: Obj | None, new: Obj) -> None:
        is_gone = type == "DELETED"
        key = view.apply(resource, old, None if is_gone else new)
        for worker in concerned:
            worker.notice(resource, key, old, new)

    informer.add_handler(changed)
    informer.add_progress_handler(lambda revision: view.note_revision(resource, revision))
