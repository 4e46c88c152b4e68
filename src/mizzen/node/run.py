"""The node agent as a process: informers in, agent, heartbeat and reports out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from mizzen.base import names, quantity
from mizzen.base.clock import Clock
from mizzen.base.errors import ApiError
from mizzen.base.exposition import MetricsRegistry
from mizzen.base.objects import Obj, uid_of
from mizzen.base.resources import PODS, RESOURCE_CLAIMS, RUNTIME_CLASSES, TRAIN_JOBS
from mizzen.client.client import Client
from mizzen.client.informer import Informer
from mizzen.client.metrics import collector_of
from mizzen.host import private
from mizzen.host.process_metrics import collect_process
from mizzen.node import folder
from mizzen.node.agent import Agent
from mizzen.node.boundary import run_forever
from mizzen.node.config import NodeConfig
from mizzen.node.kubelet.server import NodeServer, NodeView
from mizzen.node.metrics import collect
from mizzen.node.publish import Publisher, capacity, discover
from mizzen.node.runtimes.registry import Runtimes

log = logging.getLogger("mizzen.node")

PUBLISH_AGAIN_S = 0.5
__all__ = ["NodeConfig", "run"]


async def run(
    client: Client, config: NodeConfig, clock: Clock, on_ready: Callable[[], None]
) -> None:
    """Runs this machine as a node until cancelled; being cancelled ends its pods' processes.

    `on_ready` is called once the node is published and its pods are known. A killed agent
    leaves its pods running and adopts them when it is back.
    """
    for place in (config.state_dir, config.pods_dir, config.shm):
        private.make_folder(place)
    runtimes = Runtimes.of_this_machine(config.state_dir)
    devices = discover(config, runtimes.default.guarantees.limits)
    agent = Agent(client, config, clock, runtimes, devices, capacity())

    def claimed_milli() -> int:
        held = (
            a.device
            for a in agent.context.allocated.values()
            if a.device.driver == names.CPU_DRIVER
        )
        return sum(quantity.to_milli(d.capacity["cpu"]) for d in held)

    publisher = Publisher(client, config, clock, devices, runtimes, claimed_milli)
    pods = Informer(client, PODS, fields=f"spec.nodeName={config.node_name}")
    claims = Informer(client, RESOURCE_CLAIMS)
    jobs = Informer(client, TRAIN_JOBS)
    classes = Informer(client, RUNTIME_CLASSES)
    agent.context.claims, runtimes.classes = claims.objects, classes.objects
    metrics = MetricsRegistry(collect_process)
    view = NodeView(pods.objects, config.pods_dir, clock, metrics, agent.slots)
    server = NodeServer(config.tls, view)
    metrics.register(partial(collect, agent, server.statistics))
    services = agent.services
    informers = {
        each.resource: each
        for each in (pods, claims, jobs, classes, services.services, services.slices)
    }
    metrics.register(collector_of(client, agent.events, informers))
    await agent.start()
    try:
        await _work(client, agent, server, publisher, pods, claims, jobs, classes, on_ready)
    except asyncio.CancelledError:
        await agent.stop()
        raise
    except BaseException:  # a fault of the agent's own: its pods go on without it
        await agent.close()
        raise
    finally:
        await server.close()


async def _work(
    client: Client,
    agent: Agent,
    server: NodeServer,
    publisher: Publisher,
    pods: Informer,
    claims: Informer,
    jobs: Informer,
    classes: Informer,
    on_ready: Callable[[], None],
) -> None:
    def on_claim(kind: str, old: Obj | None, new: Obj) -> None:
        with agent.boundary.around(new, agent.observe_claims):
            agent.observe_claims()

    def on_pod(kind: str, old: Obj | None, new: Obj) -> None:
        agent.observe(kind, new)

    def on_job(kind: str, old: Obj | None, new: Obj) -> None:
        with agent.boundary.around(new):
            agent.gangs.job_changed(kind, new)

    async with asyncio.TaskGroup() as group:

        def start(name: str, loop: Callable[[], Coroutine[Any, Any, None]]) -> None:
            group.create_task(run_forever(name, loop), name=name)

        services = agent.services
        synced = (claims, jobs, classes, services.services, pods)
        for informer in (*synced, services.slices):
            start(informer.resource.plural, informer.run)
        for informer in synced:
            await informer.wait_synced()
        services.connect()
        await agent.usage.resume()
        jobs.add_handler(on_job)
        pods.add_handler(on_pod)  # after the sync: peers' addresses are known together
        claims.add_handler(on_claim)
        agent.settle({uid_of(pod) for pod in pods.objects.values()})
        publisher.port = await server.open()
        await _publish(publisher)
        group.create_task(
            agent.runtimes.watch(), name="runtimes"
        )  # no pod can run without: it may end us
        start("publisher", publisher.run)
        start("reporter", agent.reporter.run)
        start("gangs", agent.gangs.run)
        start("usage", agent.usage.run)
        start("services", services.run)
        start("tokens", agent.tokens.run)
        start("folder", lambda: folder.run(client, agent.config.node_name, agent.clock))
        on_ready()


async def _publish(publisher: Publisher) -> None:
    """Publishes the machine to the API, retried until it succeeds."""
    while True:
        try:
            await publisher.publish()
            return
        except ApiError as error:
            log.warning("the node is not published: %s", error.message)
            await asyncio.sleep(PUBLISH_AGAIN_S)
