"""Who acts on an API server of ours in a test: upstream's programs, or controllers of ours."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from mizzen.base.exposition import MetricsRegistry
from mizzen.base.names import ADMIN, IDENTITY_PREFIX
from mizzen.controllers.run import find_controllers, run_controllers
from mizzen.host.clock import RealClock
from support.api_in_process import ApiInProcess
from support.peers import NoPeers, programs


def kubeconfig_file(server: ApiInProcess, folder: Path, user: str = "") -> Path:
    """The admin's, who asks in the name of `user` where there is one."""
    content: Any = server.kubeconfig(ADMIN)
    if user:
        content["users"][0]["user"]["as"] = user
    path = folder / "kubeconfig"
    path.write_text(json.dumps(content))
    return path


@contextlib.asynccontextmanager
async def upstream_program(name: str, flags: Sequence[str], log: Path) -> AsyncIterator[None]:
    """One of the peers, which must still run at the end; what it says is in the log."""
    try:
        program = programs(name) / name
    except NoPeers as error:
        pytest.fail(str(error), pytrace=False)
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(program, *flags, stdout=out, stderr=out)
        try:
            yield
            assert process.returncode is None, log.read_text()[-3000:]
        finally:
            if process.returncode is None:
                process.terminate()
            await asyncio.wait_for(process.wait(), 30)


@contextlib.asynccontextmanager
async def own_controllers(
    server: ApiInProcess, is_wanted: Callable[[Any], bool]
) -> AsyncIterator[None]:
    """Those of Mizzen's controllers that are wanted."""
    async with server.client(f"{IDENTITY_PREFIX}controllers") as client:
        ready = asyncio.Event()
        own = [each for each in find_controllers() if is_wanted(each)]
        running = run_controllers(client, RealClock(), ready.set, own, MetricsRegistry())
        task = asyncio.create_task(running)
        try:
            await asyncio.wait_for(ready.wait(), 30)
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
