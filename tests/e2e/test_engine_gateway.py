"""Gateway and engines as real processes against a real API server; the test plays the node agent.

Addresses 127.88.0.x stand for two pods of the endpoint.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest

from mizzen.base.engines.openvino_genai import PROFILE
from mizzen.base.names import ENDPOINT
from mizzen.base.objects import Obj, owner_reference, uid_of
from mizzen.base.resources import MODEL_ENDPOINTS, PODS
from mizzen.base.serving import socket_name
from mizzen.client.client import Client
from mizzen.compose.settings import Settings, StartOptions, save, settle
from mizzen.host import pki
from mizzen.host.clock import RealClock
from mizzen.host.home import Home
from support.engine_process import EngineProcess, engine_process
from support.tiny_gguf import write_tiny_gguf
from support.waiting import until

BATCH = 4
LONG: dict[str, Any] = {"ignore_eos": True}


@dataclass
class Cluster:
    home: Home
    client: Client
    url: str
    key: str
    model: Path
    roles: dict[str, subprocess.Popen[str]]
    sockets: list[Path]
    openai: openai.AsyncOpenAI
    engines: dict[str, EngineProcess] = field(default_factory=dict)

    async def demand(self, name: str = "tiny") -> Obj:
        endpoint = await self.client.get(MODEL_ENDPOINTS, name, "default")
        return (endpoint.get("status") or {}).get("demand") or {}

    async def until_demand(self, replicas: int) -> Obj:
        found: Obj = {}
        async with asyncio.timeout(60):
            while found.get("replicas") != replicas:
                found = await self.demand()
        return found

    async def add_pod(self, index: int, address: str) -> None:
        name = f"tiny-{index}"
        endpoint = await self.client.get(MODEL_ENDPOINTS, "tiny", "default")
        pod: Obj = {
            "metadata": {
                "name": name,
                "namespace": "default",
                "labels": {ENDPOINT: "tiny"},
                "ownerReferences": [owner_reference(endpoint)],
            },
            "spec": {"containers": [{"name": "engine", "image": "mizzen.dev/engine"}]},
        }
        made = await self.client.create(PODS, pod)
        self.home.serving.mkdir(mode=0o700, exist_ok=True)
        (self.home.serving / socket_name(uid_of(made))).symlink_to(self.sockets[index])
        status = {
            "phase": "Running",
            "podIP": address,
            "conditions": [{"type": "Ready", "status": "True"}],
        }
        await self.client.patch(PODS, name, {"status": status}, "default", subresource="status")


def start_role(home: Home, role: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "mizzen.compose", role, "--home", str(home.root)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    if process.stdout.readline() != "ready\n":
        stop(process)
        raise AssertionError(f"the {role} did not start")
    return process


def stop(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    process.wait(60)
    if process.stdout:
        process.stdout.close()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.gguf"
    return write_tiny_gguf(path, width=128, layers=4, context=2048)


@pytest.fixture(scope="module")
def sockets() -> Iterator[list[Path]]:
    with tempfile.TemporaryDirectory(prefix="mizzen-") as folder:
        yield [Path(folder) / f"{index}.sock" for index in range(2)]


@pytest.fixture(scope="module")
def replicas(model: Path, sockets: list[Path]) -> Iterator[list[EngineProcess]]:
    """Two engines, as two pods would run them."""
    with ExitStack() as stack:
        started = [
            stack.enter_context(
                engine_process(
                    model, "--max-batch-size", str(BATCH), host=f"127.88.0.{index + 2}",
                    port=PROFILE.port, socket=sockets[index],
                )
            )
            for index in range(2)
        ]  # fmt: skip
        for engine in started:
            engine.wait_until_healthy()
        yield started


@pytest.fixture
async def cluster(tmp_path: Path, model: Path, sockets: list[Path]) -> AsyncIterator[Cluster]:
    home = Home.locate(str(tmp_path / "home"), os.environ)
    home.make()
    settings = settle(Settings(), StartOptions())
    save(home, settings)
    pki.ensure(home, RealClock(), listen=settings.listen, port=settings.port)
    client = Client.from_kubeconfig(home.kubeconfig, user_agent="test")
    url = f"http://127.0.0.1:{settings.gateway_port}"
    key = pki.load_api_keys(home)[0]
    asking = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=60)
    roles: dict[str, subprocess.Popen[str]] = {}
    try:
        for role in ("apiserver", "gateway"):
            roles[role] = start_role(home, role)
        yield Cluster(home, client, url, key, model, roles, sockets, asking)
    finally:
        await asking.close()
        await client.close()
        for role in reversed(roles):
            stop(roles[role])


async def make_endpoint(cluster: Cluster, **spec: Any) -> None:
    body: Obj = {
        "metadata": {"name": "tiny", "namespace": "default"},
        "spec": {
            "model": {"path": str(cluster.model)},
            "replicas": {"min": 1, "max": 2},
            "scaling": {"targetConcurrency": BATCH, "scaleDownDelaySeconds": 0},
            "engine": {"maxBatchSize": BATCH},
            **spec,
        },
    }
    await cluster.client.create(MODEL_ENDPOINTS, body)


async def models(cluster: Cluster) -> list[str]:
    return [card.id async for card in cluster.openai.models.list()]


async def until_listed(cluster: Cluster) -> None:
    async with asyncio.timeout(60):
        while "tiny" not in await models(cluster):
            pass


async def test_a_burst_tips_the_demand_and_uses_the_new_replica(
    cluster: Cluster, replicas: list[EngineProcess]
) -> None:
    await make_endpoint(cluster)
    await until_listed(cluster)
    await cluster.add_pod(0, "127.88.0.2")

    async def ask(number: int) -> tuple[str, str]:
        """The serving replica and the finish reason."""
        raw = await cluster.openai.completions.with_raw_response.create(
            model="tiny", prompt=f"number {number}", max_tokens=400, extra_body=LONG
        )
        answer = raw.parse()
        return raw.headers["x-mizzen-replica"], str(answer.choices[0].finish_reason)

    tasks = [asyncio.create_task(ask(number)) for number in range(4 * BATCH)]
    demand = await cluster.until_demand(2)
    assert demand["cause"].startswith(f"{BATCH + 1} requests in flight against {BATCH} per")
    await cluster.add_pod(1, "127.88.0.3")
    answers = await asyncio.gather(*tasks)
    assert {replica for replica, _ in answers} == {"tiny-0", "tiny-1"}
    assert {reason for _, reason in answers} == {"length"}
    await cluster.until_demand(1)
    headers = {"Authorization": f"Bearer {cluster.key}"}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.get(f"{cluster.url}/debug/decisions") as response,
    ):
        decisions = (await response.json())["decisions"]
    assert [decision["replicas"] for decision in decisions] == [2, 1]
    tipped = decisions[0]
    assert tipped["acknowledged"] - tipped["arrived"] < 1_000_000_000
    endpoint = await cluster.client.get(MODEL_ENDPOINTS, "tiny", "default")
    assert endpoint["status"]["url"] == f"{cluster.url}/v1"


async def test_cancelling_at_the_gateway_frees_the_engines_slot(
    cluster: Cluster, replicas: list[EngineProcess]
) -> None:
    await make_endpoint(cluster)
    await cluster.add_pod(0, "127.88.0.2")
    await until_listed(cluster)
    stream = await cluster.openai.completions.create(
        model="tiny", prompt="endless", max_tokens=2000, stream=True, extra_body=LONG
    )
    await anext(aiter(stream))
    assert replicas[0].metric("vllm:num_requests_running") == 1
    await stream.close()
    await until(
        lambda: replicas[0].metric("vllm:num_requests_running") == 0, "the slot is free", 0.2
    )


async def test_terminating_pods_get_nothing_and_a_restart_writes_nothing(
    cluster: Cluster, replicas: list[EngineProcess]
) -> None:
    await make_endpoint(cluster, scaling={"scaleDownDelaySeconds": 30})
    await until_listed(cluster)
    for index in range(2):
        await cluster.add_pod(index, f"127.88.0.{index + 2}")
    await cluster.client.patch(
        MODEL_ENDPOINTS,
        "tiny",
        {"status": {"demand": {"replicas": 2, "cause": "before"}}},
        "default",
        subresource="status",
    )
    await cluster.client.patch(
        PODS, "tiny-0", {"metadata": {"finalizers": ["test.mizzen.dev/hold"]}}, "default"
    )
    stop(cluster.roles["gateway"])
    cluster.roles["gateway"] = start_role(cluster.home, "gateway")
    await cluster.client.delete(PODS, "tiny-0", "default")
    deadline = asyncio.get_running_loop().time() + 10
    served = ""
    while served != "tiny-1" and asyncio.get_running_loop().time() < deadline:
        raw = await cluster.openai.completions.with_raw_response.create(
            model="tiny", prompt="x", max_tokens=1
        )
        served = raw.headers["x-mizzen-replica"]
    assert served == "tiny-1"
    assert (await cluster.demand())["cause"] == "before"
