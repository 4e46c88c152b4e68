"""kube-controller-manager's autoscaler and ours on our API server, by metrics behind an APIService: the
same replicas, conditions and events.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mizzen.base.exposition import MetricsRegistry
from mizzen.base.names import ADMIN, IDENTITY_PREFIX
from mizzen.base.resources import HORIZONTAL_POD_AUTOSCALERS
from mizzen.controllers.core import horizontal_pod_autoscaler
from mizzen.controllers.run import find_controllers, run_controllers
from mizzen.host import pki
from mizzen.host.clock import RealClock
from mizzen.host.home import Home
from support.api_in_process import ApiInProcess
from support.autoscaling_scenario import Metrics, Scenario
from support.other_server import other_server
from support.peers import NoPeers, programs

PROGRAM = "kube-controller-manager"
ADDRESS = "127.0.0.19"


@contextlib.asynccontextmanager
async def ours(server: ApiInProcess, folder: Path) -> AsyncIterator[None]:
    async with server.client(f"{IDENTITY_PREFIX}controllers") as client:
        ready = asyncio.Event()
        own = [each for each in find_controllers() if each.resource == HORIZONTAL_POD_AUTOSCALERS]
        task = asyncio.create_task(
            run_controllers(client, RealClock(), ready.set, own, MetricsRegistry())
        )
        await asyncio.wait_for(ready.wait(), 30)
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@contextlib.asynccontextmanager
async def upstreams(server: ApiInProcess, folder: Path) -> AsyncIterator[None]:
    try:
        program = programs(PROGRAM) / PROGRAM
    except NoPeers as error:
        pytest.fail(str(error), pytrace=False)
    config = folder / "kubeconfig"
    config.write_text(json.dumps(server.kubeconfig(ADMIN)))
    flags = (
        f"--kubeconfig={config}", "--controllers=horizontal-pod-autoscaler-controller",
        "--leader-elect=false", "--secure-port=0", "--horizontal-pod-autoscaler-sync-period=1s",
        "--kube-api-qps=500", "--kube-api-burst=500",
    )  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(program, *flags, stdout=log, stderr=log)
        try:
            yield
            assert process.returncode is None, (folder / "log").read_text()[-2000:]
        finally:
            if process.returncode is None:
                process.terminate()
            await asyncio.wait_for(process.wait(), 30)


async def played(folder: Path, controllers: Any, version: str) -> dict[str, Any]:
    folder.mkdir()
    home = Home.locate(str(folder / "metrics"), {})
    home.make()
    files = pki.ensure(home, RealClock(), listen=ADDRESS, port=1)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(files.cert_file, files.key_file)
    metrics, server = Metrics(version), ApiInProcess(folder)
    await server.start()
    try:
        async with (
            other_server(ADDRESS, metrics.answer, tls=tls) as other,
            controllers(server, folder),
            server.client(ADMIN) as admin,
        ):
            return await Scenario(admin, metrics, other).play()
    finally:
        await server.stop()


@pytest.mark.parametrize("version", ["v1beta1", "v1beta2"])
async def test_the_same_replicas_conditions_and_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setattr(horizontal_pod_autoscaler, "PERIOD_S", 1.0)
    theirs = await played(tmp_path / "theirs", upstreams, version)
    own = await played(tmp_path / "ours", ours, version)
    differing = {moment: (theirs[moment], own[moment]) for moment in theirs}
    differing = {moment: (a, b) for moment, (a, b) in differing.items() if a != b}
    assert not differing, "\n".join(
        f"{moment}:\n  ours   {mine}\n  theirs {other}"
        for moment, (other, mine) in differing.items()
    )
