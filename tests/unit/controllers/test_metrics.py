"""What becomes of reconciles in the metrics."""

from __future__ import annotations

import asyncio
from pathlib import Path

from mizzen.base.errors import Retry, Terminal
from mizzen.base.exposition import MetricsRegistry
from mizzen.base.resources import CONFIG_MAPS
from mizzen.controllers.core.actions import Controller, RequeueAfter
from mizzen.controllers.run import run_controllers
from mizzen.host.clock import RealClock
from support.api_in_process import api_server
from support.exposition import read
from support.waiting import until


def config_map(name):
    return {"metadata": {"name": name, "namespace": "default"}}


def reconcile(view, key, now_ns):
    match key.name:
        case "later":
            return [RequeueAfter(600)]
        case "wishes":
            raise Retry(600)
        case "hopeless":
            raise Terminal("no")
        case "faulty":
            raise ValueError("a bug")
    return []


async def test_reconciles_are_counted_by_how_they_ended(tmp_path: Path) -> None:
    controller = Controller("test", CONFIG_MAPS, reconcile)
    metrics, ready = MetricsRegistry(), asyncio.Event()

    def count(family: str, /, **labels: str) -> float:
        wanted = frozenset(f'{key}="{each}"' for key, each in labels.items())
        return read(metrics.render())[family, wanted]

    def ended(result: str) -> float:
        name = "controller_runtime_reconcile_total"
        return count(name, controller="test", result=result)

    async with api_server(tmp_path) as client:
        running = run_controllers(client, RealClock(), ready.set, [controller], metrics)
        task = asyncio.create_task(running)
        await asyncio.wait_for(ready.wait(), 10)
        try:
            for name in ("later", "wishes", "hopeless", "well", "faulty"):
                await client.create(CONFIG_MAPS, config_map(name))
            await until(lambda: ended("requeue_after") == 2 and ended("error") >= 2, "all ended")
            assert ended("success") >= 1
            failures = "mizzen_controller_failures_total"
            assert count(failures, controller="test", reason="terminal") == 1
            assert count(failures, controller="test", reason="failed") >= 1
            assert count("workqueue_retries_total", name="test") >= 1
            assert count("mizzen_workqueue_delayed", name="test") >= 2
            assert count("mizzen_client_requests_total", method="POST") >= 5
            assert count("mizzen_informer_objects", resource="configmaps") >= 5
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
