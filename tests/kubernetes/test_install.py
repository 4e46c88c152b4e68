"""`mizzen install` on a real API server: it takes everything, and the identities suffice."""

from __future__ import annotations

import asyncio
import subprocess
import sys

from mizzen.base.names import SYSTEM_NAMESPACE
from mizzen.compose.install import resource_of
from mizzen.compose.manifests import COMPONENTS, manifests
from support.second_home import Stage, component, until_ready


async def test_everything_is_created_once_and_updated_after_that(stage: Stage) -> None:
    first = await mizzen_install(stage)
    assert all(line.endswith(("created", "updated")) for line in first), first
    for obj in manifests():
        namespace = obj["metadata"].get("namespace", "")
        await stage.admin.get(resource_of(obj), obj["metadata"]["name"], namespace)
    again = await mizzen_install(stage)
    assert len(again) == len(manifests())
    assert not any(line.endswith("created") for line in again), again


async def test_the_scheduler_needs_no_more_than_its_role(stage: Stage) -> None:
    await mizzen_install(stage)
    await stage.add_node("ours")
    kubeconfig = stage.cluster.kubeconfig(
        "mizzen-scheduler", token=await token_of(stage, "mizzen-scheduler")
    )
    async with component("scheduler", kubeconfig) as scheduler:
        await until_ready(scheduler)
        await stage.add_gang("train", 2)

        async def is_bound() -> bool:
            return len(await stage.bound()) == 2

        await stage.until(is_bound, "the gang is bound")
        assert "orbidden" not in scheduler.log, scheduler.log


async def mizzen_install(stage: Stage) -> list[str]:
    """What the command says, line by line."""
    config = str(stage.cluster.kubeconfig())
    command = [sys.executable, "-m", "mizzen.cli", "install", "--kubeconfig", config]
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


async def token_of(stage: Stage, account: str) -> str:
    """A token of the ServiceAccount, as its pods would have it."""
    assert account in COMPONENTS
    path = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/serviceaccounts/{account}/token"
    status, answer = await asyncio.to_thread(stage.cluster.call, "POST", path, {"spec": {}})
    assert status == 201, answer
    return str(answer["status"]["token"])
