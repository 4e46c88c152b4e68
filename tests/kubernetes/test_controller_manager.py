"""kube-controller-manager itself against our API server, and our controllers beside it: the same end."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from mizzen.base.names import ADMIN
from support.api_in_process import ApiInProcess
from support.control_planes import kubeconfig_file, own_controllers, upstream_program
from support.workload_scenario import WORKLOADS, Scenario

PROGRAM = "kube-controller-manager"
CONTROLLERS = (
    "deployment-controller",
    "replicaset-controller",
    "replicationcontroller-controller",
    "statefulset-controller",
    "daemonset-controller",
)


def ours(server: ApiInProcess, folder: Path) -> AbstractAsyncContextManager[None]:
    return own_controllers(server, lambda each: each.resource in WORKLOADS)


def upstreams(server: ApiInProcess, folder: Path) -> AbstractAsyncContextManager[None]:
    """Upstream's program with the same controllers."""
    flags = (
        f"--kubeconfig={kubeconfig_file(server, folder)}",
        f"--controllers={','.join(CONTROLLERS)}",
        "--leader-elect=false",
        "--secure-port=0",
        "--kube-api-qps=500",
        "--kube-api-burst=500",
    )
    return upstream_program(PROGRAM, flags, folder / "log")


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
