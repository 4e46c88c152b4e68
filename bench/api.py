"""What an operation on the Kubernetes API costs: its latency, and the CPU of the API server.

    python bench/api.py [--operations 300] [--watchers 20]

A real API server process with its durable store, over TLS, asked by one client at a time, so a
latency is one request's own; the CPU is that of the server's process alone, by the kernel's
accounting, for one alone and for many at once. Writes are on disk when they are answered.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from statistics import median

from measuring import Figure, cpu_us, main

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from mizzen.base.objects import Obj
from mizzen.base.resources import CONFIG_MAPS, PODS
from mizzen.client.client import Client
from support.api_process import ApiServer, running

WARM_UP = 30
CLIENTS = 16


def pod(name: str) -> Obj:
    container = {
        "name": "main",
        "image": "mizzen.dev/python",
        "command": ["python", "-c", "pass"],
        "env": [{"name": "A", "value": "1"}],
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
    }
    return {
        "metadata": {"name": name, "namespace": "default", "labels": {"app": "bench"}},
        "spec": {"containers": [container]},
    }


async def timed(
    server: ApiServer, name: str, count: int, operation: Callable[[int], Awaitable[object]]
) -> list[Figure]:
    """Median latency and CPU per operation, `count` of them one after the other."""
    latencies: list[float] = []
    used = cpu_us(server.process.pid)
    for number in range(count):
        began = time.perf_counter()
        await operation(number)
        latencies.append(time.perf_counter() - began)
    used = cpu_us(server.process.pid) - used
    return [
        Figure(f"{name}, median", 1e3 * median(latencies), "ms"),
        Figure(f"{name}, server's CPU", used / count, "us"),
    ]


async def together(server: ApiServer, client: Client, count: int) -> list[Figure]:
    """Creations from many clients at once: they share commits to the disk, and wake-ups."""

    async def some(first: int) -> None:
        for number in range(first, count, CLIENTS):
            await client.create(PODS, pod(f"t-{number}"))

    began, used = time.perf_counter(), cpu_us(server.process.pid)
    await asyncio.gather(*(some(first) for first in range(CLIENTS)))
    seconds, used = time.perf_counter() - began, cpu_us(server.process.pid) - used
    return [
        Figure(f"create Pods, {CLIENTS} at once", count / seconds, "1/s"),
        Figure(f"create Pods, {CLIENTS} at once, server's CPU each", used / count, "us"),
    ]


async def watched(server: ApiServer, client: Client, count: int, watchers: int) -> list[Figure]:
    """From a write's start until the last of many watchers has its event, and the CPU of each."""
    written = [0.0] * count
    heard: list[list[float]] = [[] for _ in range(count)]
    ready = asyncio.Semaphore(0)

    async def follow() -> None:
        async with aclosing(client.watch(CONFIG_MAPS, "default")) as events:
            left = count
            async for event in events:
                if event.ends_initial_events:
                    ready.release()
                elif event.object["metadata"].get("name", "").startswith("w-"):
                    heard[int(event.object["metadata"]["name"][2:])].append(time.perf_counter())
                    left -= 1
                    if not left:
                        return

    tasks = [asyncio.create_task(follow()) for _ in range(watchers)]
    for _ in tasks:
        await ready.acquire()
    used = cpu_us(server.process.pid)
    for number in range(count):
        written[number] = time.perf_counter()
        await client.create(CONFIG_MAPS, {"metadata": {"name": f"w-{number}"}, "data": {"k": "v"}})
    await asyncio.gather(*tasks)
    used = cpu_us(server.process.pid) - used
    last = [max(times) - began for times, began in zip(heard, written, strict=True)]
    return [
        Figure(f"write to the last of {watchers} watchers, median", 1e3 * median(last), "ms"),
        Figure("each event of these, with its write's share, server's CPU",
               used / (count * watchers), "us"),
    ]  # fmt: skip


async def operations(server: ApiServer, count: int, watchers: int) -> list[Figure]:
    client = Client.from_kubeconfig(server.home.kubeconfig, user_agent="bench")

    async def patch(number: int) -> object:
        status = {"status": {"message": f"number {number}"}}
        return await client.patch(PODS, f"p-{number}", status, "default", subresource="status")

    async with client:
        for number in range(WARM_UP):
            await client.create(PODS, pod(f"warm-{number}"))
            await client.get(PODS, f"warm-{number}", "default")
        figures: list[Figure] = []
        steps: list[tuple[str, int, Callable[[int], Awaitable[object]]]] = [
            ("create a Pod", count, lambda n: client.create(PODS, pod(f"p-{n}"))),
            ("get a Pod", count, lambda n: client.get(PODS, f"p-{n}", "default")),
            ("patch a Pod's status", count, patch),
            (f"list {count + WARM_UP} Pods", 20, lambda _: client.list(PODS, "default")),
        ]
        for name, times, operation in steps:
            figures += await timed(server, name, times, operation)
        figures += await watched(server, client, max(1, count // 4), watchers)
        delete = client.delete
        figures += await together(server, client, count)
        step = lambda n: delete(PODS, f"p-{n}", "default", grace_period_s=0)  # noqa: E731
        return figures + await timed(server, "delete a Pod", count, step)


def measure(arguments: argparse.Namespace) -> list[Figure]:
    with (
        tempfile.TemporaryDirectory(prefix="mizzen-bench-") as home,
        running(Path(home)) as server,
    ):
        return asyncio.run(operations(server, arguments.operations, arguments.watchers))


if __name__ == "__main__":
    options = (("operations", 300, "operations of each sort"), ("watchers", 20, "watchers at once"))
    raise SystemExit(main(__doc__ or "", measure, options))
