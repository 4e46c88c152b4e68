"""Tokens of pods are asked for once, and renewed before they end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from mizzen.base.objects import Obj, uid_of
from mizzen.base.resources import PODS, SERVICE_ACCOUNTS
from mizzen.base.service_accounts import MOUNT_PATH
from mizzen.client.client import Client
from mizzen.host.token_signer import unverified_claims
from mizzen.node.core.environment import Unresolved
from mizzen.node.core.pod import new_pod
from mizzen.node.core.projection import TokenWish
from mizzen.node.podfiles import PodFiles
from mizzen.node.runtimes.process.cgroups import Cgroups
from mizzen.node.runtimes.process.runtime import ProcessRuntime
from mizzen.node.slot import Slot
from mizzen.node.tokens import PodTokens
from support.agent_world import DEADLINE_S, World, phase
from support.api_handlers import NS, Clock
from support.api_in_process import api_server
from support.mounting import may_mount

WISH = TokenWish("vault", 600)


async def make_pod(client: Client, account: str) -> Obj:
    wish = {"path": "token", "audience": "vault", "expirationSeconds": 600}
    volume = {"name": "v", "projected": {"sources": [{"serviceAccountToken": wish}]}}
    spec = {"containers": [{"name": "c", "image": "i"}], "serviceAccountName": account,
            "volumes": [volume]}  # fmt: skip
    return await client.create(PODS, {"metadata": {"name": account, "namespace": "default"},
                                      "spec": spec})  # fmt: skip


def test_a_token_is_of_the_pod_and_is_renewed_at_four_fifths(tmp_path: Path) -> None:
    async def run() -> None:
        async with api_server(tmp_path / "api") as client:
            metadata = {"name": "robot", "namespace": "default"}
            await client.create(SERVICE_ACCOUNTS, {"metadata": metadata})
            pod = await make_pod(client, "robot")
            clock, slots = Clock(), dict[str, Slot]()
            files = PodFiles(tmp_path, uid_of(pod))
            state = new_pod(pod, "127.9.0.2", clock.now_ns())
            slots[uid_of(pod)] = Slot(
                uid_of(pod), state, files, ProcessRuntime(tmp_path, Cgroups("best-effort", {}))
            )
            tokens = PodTokens(client, clock, slots)
            first = (await tokens.read(pod))[WISH]
            claims = unverified_claims(first)
            assert claims["aud"] == ["vault"] and claims["exp"] - claims["iat"] == 600
            assert claims["kubernetes.io"]["pod"]["uid"] == uid_of(pod)
            written = files.volume("v") / "token"
            clock.ns += 479 * NS
            await tokens.renew()
            assert not written.exists()
            written.write_text(first)
            written.chmod(0o440)
            clock.ns += 2 * NS
            await tokens.renew()
            renewed = written.read_text()
            assert unverified_claims(renewed)["jti"] != claims["jti"]
            assert written.stat().st_mode & 0o777 == 0o440, "whoever could read it still can"

    asyncio.run(run())


def test_an_account_that_is_gone_gives_no_token(tmp_path: Path) -> None:
    async def run() -> None:
        async with api_server(tmp_path) as client:
            metadata = {"name": "nobody", "namespace": "default"}
            await client.create(SERVICE_ACCOUNTS, {"metadata": metadata})
            pod = await make_pod(client, "nobody")
            await client.delete(SERVICE_ACCOUNTS, "nobody", "default")
            with pytest.raises(Unresolved, match='serviceaccounts "nobody" not found') as caught:
                await PodTokens(client, Clock(), {}).read(pod)
            assert caught.value.reason == "FailedMount"

    asyncio.run(run())


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with api_server(tmp_path / "home") as client:
        made = World(client, tmp_path)
        await made.start()
        yield made
        await made.stop()


async def test_a_pod_has_a_token_of_its_own_account(world: World) -> None:
    """What a cluster mounts at /var/run/secrets/kubernetes.io/serviceaccount lies in a folder."""
    metadata = {"name": "robot", "namespace": "default"}
    await world.client.create(SERVICE_ACCOUNTS, {"metadata": metadata})
    sources: list[Obj] = [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
        {"downwardAPI": {"items": [
            {"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
    ]  # fmt: skip
    script = """
import json, os, pathlib
folder = pathlib.Path(os.environ["MIZZEN_VOLUME_API"])
print((folder / "namespace").read_text())
print((folder / "token").read_text())
"""
    volumes = [{"name": "api", "projected": {"sources": sources}}]
    await world.pod("own", "python", "-c", script, serviceAccountName="robot", volumes=volumes)
    await world.until("own", phase("Succeeded"))
    namespace, token = await world.log("own")
    assert namespace == "default"
    body = json.dumps({"spec": {"token": token}}).encode()
    path = "/apis/authentication.k8s.io/v1/tokenreviews"
    status = json.loads(await world.client.raw("POST", path, body=body))["status"]
    assert status["user"]["username"] == "system:serviceaccount:default:robot"
    assert status["user"]["extra"]["authentication.kubernetes.io/pod-name"] == ["own"]


_READS = """
import os, pathlib
from mizzen.base.service_accounts import MOUNT_PATH
folder = pathlib.Path(os.environ["MIZZEN_SERVICE_ACCOUNT"])
if os.path.exists(MOUNT_PATH + "/token"):
    folder = pathlib.Path(MOUNT_PATH)
print(folder)
print(oct((folder / "token").stat().st_mode & 0o777), (folder / "namespace").read_text())
print((folder / "ca.crt").read_text().splitlines()[0])
print((folder / "token").read_text())
"""


async def test_a_pod_that_asks_for_nothing_finds_the_api_as_its_account(world: World) -> None:
    """Where clients look if this machine lets us mount, else where the variable says."""
    await world.pod("own", "python", "-c", _READS)
    pod = await world.until(
        "own", lambda found: phase("Succeeded")(found) or phase("Failed")(found)
    )
    said = await world.log("own")
    assert len(said) == 4, said
    folder, rights, authority, token = said
    assert rights == "0o400 default" and authority == "-----BEGIN CERTIFICATE-----"
    claims = unverified_claims(token)
    assert claims["sub"] == "system:serviceaccount:default:default"
    assert claims["kubernetes.io"]["pod"]["uid"] == uid_of(pod)
    volume = world.config.pods_dir / uid_of(pod) / "pod.volumes"
    assert folder == MOUNT_PATH or Path(folder).parent == volume
    assert (folder == MOUNT_PATH) is may_mount()
    assert not any(Path(MOUNT_PATH).iterdir()) or not may_mount(), "nothing is shown to others"
    await world.client.delete(PODS, "own", "default")
    await world.until_gone("own")
    async with asyncio.timeout(DEADLINE_S):
        while True:
            if not volume.exists():
                break
            await asyncio.sleep(0.01)
