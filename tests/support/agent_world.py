"""One node with its agent, and the API that it meets, in the test's own process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mizzen.base.errors import NotFound
from mizzen.base.objects import Obj
from mizzen.base.resources import PODS
from mizzen.client.client import Client
from mizzen.host import pki
from mizzen.host.clock import RealClock
from mizzen.host.home import Home
from mizzen.node.run import NodeConfig, run

DEADLINE_S = 10.0


class World:
    """One node, its agent, and the API it meets."""

    def __init__(self, client: Client, folder: Path) -> None:
        self.client = client
        places = [folder / name for name in ("node", "shm", "cp", "out")]
        tls = pki.load(Home.locate(str(folder / "home"), {})).kubelet
        self.config = NodeConfig("testnode", *places, 201, tls, 1)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        ready = asyncio.Event()
        work = run(self.client, self.config, RealClock(), ready.set)
        self._task = asyncio.create_task(work)
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait({self._task, waiting}, timeout=DEADLINE_S, return_when="FIRST_COMPLETED")
        assert ready.is_set(), self._task

    async def stop(self) -> None:
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def pod(self, name: str, *argv: str, **spec: Any) -> None:
        container = {"name": "main", "image": "mizzen.dev/python", "command": list(argv)}
        container |= spec.pop("container", {})
        full = {"nodeName": "testnode", "restartPolicy": "Never", "containers": [container], **spec}
        await self.client.create(
            PODS, {"metadata": {"name": name, "namespace": "default"}, "spec": full}
        )

    async def until(self, name: str, test: Callable[[Obj], object]) -> Obj:
        last: Obj = {}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DEADLINE_S):
                while True:
                    last = await self.client.get(PODS, name, "default")
                    if test(last):
                        return last
                    await asyncio.sleep(0.01)
        raise AssertionError(f"not in time: {last.get('status')}")

    async def until_gone(self, name: str) -> None:
        async with asyncio.timeout(DEADLINE_S):
            with contextlib.suppress(NotFound):
                while True:
                    await self.client.get(PODS, name, "default")
                    await asyncio.sleep(0.01)

    async def log(self, name: str) -> list[str]:
        return [line.decode().rstrip("\n") async for line in self.client.logs(name, "default")]


def phase(name: str) -> Callable[[Obj], bool]:
    return lambda pod: (pod.get("status") or {}).get("phase") == name
