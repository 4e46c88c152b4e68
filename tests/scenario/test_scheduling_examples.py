"""Every file of examples/scheduling is taken by the API server and does what it says.

API server, controllers and scheduler are real; nodes are objects only, so pods get bound and
no further.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml

from mizzen.base.exposition import MetricsRegistry
from mizzen.base.names import ADMIN, IDENTITY_PREFIX
from mizzen.base.objects import Obj
from mizzen.base.resources import (
    DEVICE_CLASSES,
    JOBS,
    NODES,
    POD_GROUPS,
    PODS,
    RESOURCE_CLAIM_TEMPLATES,
    RESOURCE_CLAIMS,
    RESOURCE_SLICES,
    TRAIN_JOBS,
    Resource,
)
from mizzen.client.client import Client
from mizzen.client.informer import Informer
from mizzen.controllers.run import run as run_controllers
from mizzen.host.clock import RealClock
from mizzen.scheduler.run import run as run_scheduler
from support.api_in_process import api_clients
from support.waiting import until

FOLDER = Path(__file__).parents[2] / "examples" / "scheduling"
RESOURCES = {
    resource.kind: resource
    for resource in (
        DEVICE_CLASSES,
        JOBS,
        POD_GROUPS,
        PODS,
        RESOURCE_CLAIM_TEMPLATES,
        RESOURCE_SLICES,
        TRAIN_JOBS,
    )
}
BLOCK, RACK = "topology.mizzen.dev/block", "topology.mizzen.dev/rack"
ROOT = "resource.kubernetes.io/pcieRoot"
START_S = 20.0


class Cluster:
    """Nodes `node-a`... of one CPU each, dealt out to racks of two, and racks to blocks of four.

    So nodes of one rack are not neighbours by name.
    """

    def __init__(self, admin: Client, pods: Informer) -> None:
        self.admin = admin
        self.pods = pods

    async def add_nodes(self, names: str) -> None:
        for index, letter in enumerate(names):
            rack = index % max(1, len(names) // 2)
            labels = {RACK: f"r{rack}", BLOCK: f"b{rack // 4}"}
            name = f"node-{letter}"
            amounts = {"cpu": "1", "memory": "8Gi", "pods": "110"}
            await self.admin.create(NODES, {"metadata": {"name": name, "labels": labels}})
            ready = {"type": "Ready", "status": "True"}
            status = {"capacity": amounts, "allocatable": amounts, "conditions": [ready]}
            await self.admin.patch(NODES, name, {"status": status}, subresource="status")

    async def apply(self, file: str) -> None:
        for obj in yaml.safe_load_all((FOLDER / file).read_text()):
            resource: Resource = RESOURCES[obj["kind"]]
            assert obj["apiVersion"] == resource.api_version
            await self.admin.create(resource, obj)

    async def bound(self, count: int) -> dict[str, str]:
        """The node of each pod, once so many have one."""

        def nodes() -> dict[str, str]:
            return {
                key.name: pod["spec"]["nodeName"]
                for key, pod in self.pods.objects.items()
                if pod["spec"].get("nodeName")
            }

        await until(lambda: len(nodes()) >= count, f"{count} pods are bound", START_S)
        return nodes()

    async def label(self, node: str, key: str) -> str:
        return (await self.admin.get(NODES, node))["metadata"]["labels"][key]

    async def devices(self) -> list[str]:
        """All devices that are allocated."""
        claims, _ = await self.admin.list(RESOURCE_CLAIMS, "default")
        return [
            f"{result['driver']}/{result['pool']}/{result['device']}"
            for claim in claims
            for result in claim["status"]["allocation"]["devices"]["results"]
        ]


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Cluster]:
    identities = (ADMIN, f"{IDENTITY_PREFIX}controllers", f"{IDENTITY_PREFIX}scheduler")
    async with api_clients(folder, *identities) as (admin, controllers, scheduler):
        pods = Informer(admin, PODS)
        ready = [asyncio.Event(), asyncio.Event()]
        clock = RealClock()
        tasks = [
            asyncio.create_task(pods.run()),
            asyncio.create_task(
                run_controllers(controllers, clock, ready[0].set, MetricsRegistry())
            ),
            asyncio.create_task(run_scheduler(scheduler, clock, ready[1].set, MetricsRegistry())),
        ]
        async with asyncio.timeout(START_S):
            for event in ready:
                await event.wait()
            await pods.wait_synced()
        yield Cluster(admin, pods)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with running(tmp_path) as made:
        yield made


async def test_a_gang_is_in_one_rack(cluster: Cluster) -> None:
    await cluster.add_nodes("abcdef")
    await cluster.apply("gang-in-a-rack.yaml")
    nodes = await cluster.bound(4)
    assert len({await cluster.label(node, RACK) for node in nodes.values()}) == 1
    group = await cluster.admin.get(POD_GROUPS, "allreduce", "default")
    (told,) = group["status"]["conditions"]
    assert (told["type"], told["status"]) == ("PodGroupScheduled", "True")


async def test_a_block_with_runs_of_ranks_in_racks(cluster: Cluster) -> None:
    await cluster.add_nodes("abcdefghijklmnop")
    await cluster.apply("multi-level.yaml")
    nodes = await cluster.bound(8)
    assert len({await cluster.label(node, BLOCK) for node in nodes.values()}) == 1
    for first in (0, 4):
        run = [nodes[f"llama-node-0-{rank}"] for rank in range(first, first + 4)]
        assert len({await cluster.label(node, RACK) for node in run}) == 1


def a_device(name: str, root: str, **attributes: str) -> Obj:
    told = {key: {"string": value} for key, value in attributes.items()}
    return {"name": name, "attributes": {ROOT: {"string": root}, **told}}


async def test_gpu_and_nic_share_a_pcie_root(cluster: Cluster) -> None:
    await cluster.add_nodes("a")
    listed = {
        "gpu.example.com": [
            a_device("gpu-0", "pci0000:00", type="gpu"),
            a_device("gpu-1", "pci0000:80", type="gpu"),
        ],
        "nic.example.com": [a_device("nic-1", "pci0000:80")],
    }
    for driver, devices in listed.items():
        pool = {"name": "node-a", "generation": 1, "resourceSliceCount": 1}
        spec = {"driver": driver, "nodeName": "node-a", "pool": pool, "devices": devices}
        await cluster.admin.create(RESOURCE_SLICES, {"metadata": {"name": driver}, "spec": spec})
    await cluster.apply("gpu-with-nic.yaml")
    await cluster.bound(1)
    assert sorted(await cluster.devices()) == [
        "gpu.example.com/node-a/gpu-1",
        "nic.example.com/node-a/nic-1",
    ]


async def test_partitions_of_one_gpu_never_overlap(cluster: Cluster) -> None:
    await cluster.add_nodes("a")
    await cluster.apply("mig-partitions.yaml")
    await cluster.bound(2)
    assert sorted(await cluster.devices()) == [
        "gpu.example.com/node-a/gpu-0-mig-1g-2",
        "gpu.example.com/node-a/gpu-0-mig-2g-0",
    ]


async def test_a_leader_and_workers_start_together(cluster: Cluster) -> None:
    await cluster.add_nodes("ab")
    await cluster.apply("leader-and-workers.yaml")
    nodes = await cluster.bound(3)
    assert "serve-leader" in nodes


def test_every_example_is_tested() -> None:
    text = Path(__file__).read_text()
    missing = [file.name for file in FOLDER.iterdir() if f'"{file.name}"' not in text]
    assert not missing
