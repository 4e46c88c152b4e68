"""kube-controller-manager itself against our API server, and our controllers beside it: the same end."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mizzen.base.exposition import MetricsRegistry
from mizzen.base.names import ADMIN, IDENTITY_PREFIX
from mizzen.controllers.run import find_controllers, run_controllers
from mizzen.host.clock import RealClock
from support.api_in_process import ApiInProcess
from support.peers import NoPeers, programs
from support.workload_scenario import WORKLOADS, Scenario

PROGRAM = "kube-controller-manager"
CONTROLLERS = (
    "deployment-controller",
    "replicaset-controller",
    "replicationcontroller-controller",
    "statefulset-controller",
    "daemonset-controller",
)


@contextlib.asynccontextmanager
async def ours(server: ApiInProcess, folder: Path) -> AsyncIterator[None]:
    """Mizzen's controllers."""
    async with server.client(f"{IDENTITY_PREFIX}controllers") as client:
        ready = asyncio.Event()
        own = [each for each in find_controllers() if each.resource in WORKLOADS]
        running = run_controllers(client, RealClock(), ready.set, own, MetricsRegistry())
        task = asyncio.create_task(running)
        await asyncio.wait_for(ready.wait(), 30)
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@contextlib.asynccontextmanager
async def upstreams(server: ApiInProcess, folder: Path) -> AsyncIterator[None]:
    """Upstream's program with the same controllers."""
    try:
        program = programs(PROGRAM) / PROGRAM
    except NoPeers as error:
        pytest.fail(str(error), pytrace=False)
    config = folder / "kubeconfig"
    config.write_text(json.dumps(server.kubeconfig(ADMIN)))
    flags = (
        f"--kubeconfig={config}",
        f"--controllers={','.join(CONTROLLERS)}",
        "--leader-elect=false",
        "--secure-port=0",
        "--kube-api-qps=500",
        "--kube-api-burst=500",
    )
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(program, *flags, stdout=log, stderr=log)
        try:
            yield
            assert process.returncode is None, (folder / "log").read_text()[-2000:]
        finally:
            if process.returncode is None:
                process.terminate()
            await asyncio.wait_for(process.wait(), 30)


async def played(folder: Path, controllers: Any) -> dict[str, Any]:
    folder.mkdir()
    server = ApiInProcess(folder)
    await server.start()
    try:
        async with controllers(server, folder), server.client(ADMIN) as admin:
            return await Scenario(admin).play()
    finally:
        await server.stop()


async def test_the_same_end_as_with_upstreams_controllers(tmp_path: Path) -> None:
    theirs = await played(tmp_path / "theirs", upstreams)
    own = await played(tmp_path / "ours", ours)
    for name, moments in theirs.items():
        for number, moment in enumerate(moments):
            assert own[name][number] == moment, (name, number)
