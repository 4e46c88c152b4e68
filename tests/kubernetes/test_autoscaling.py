"""kube-controller-manager's autoscaler and ours on our API server, by metrics behind an APIService: the
same replicas, conditions and events.
"""

from __future__ import annotations

import ssl
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from mizzen.base.names import ADMIN
from mizzen.base.resources import HORIZONTAL_POD_AUTOSCALERS
from mizzen.controllers.core import horizontal_pod_autoscaler
from mizzen.host import pki
from mizzen.host.clock import RealClock
from mizzen.host.home import Home
from support.api_in_process import ApiInProcess
from support.autoscaling_scenario import Metrics, Scenario
from support.control_planes import kubeconfig_file, own_controllers, upstream_program
from support.other_server import other_server

PROGRAM = "kube-controller-manager"
ADDRESS = "127.0.0.19"


def ours(server: ApiInProcess, folder: Path) -> AbstractAsyncContextManager[None]:
    return own_controllers(server, lambda each: each.resource == HORIZONTAL_POD_AUTOSCALERS)


def upstreams(server: ApiInProcess, folder: Path) -> AbstractAsyncContextManager[None]:
    flags = (
        f"--kubeconfig={kubeconfig_file(server, folder)}",
        "--controllers=horizontal-pod-autoscaler-controller",
        "--leader-elect=false", "--secure-port=0", "--horizontal-pod-autoscaler-sync-period=1s",
        "--kube-api-qps=500", "--kube-api-burst=500",
    )  # fmt: skip
    return upstream_program(PROGRAM, flags, folder / "log")


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
