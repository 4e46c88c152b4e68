"""All controllers against the real API server."""

import asyncio
import time

import pytest

from mizzen.base.exposition import MetricsRegistry
from mizzen.base.names import CPU_CORE_RESOURCE, FORMATION_SIZE, JOIN_READY, MIN_NODES
from mizzen.base.objects import Key
from mizzen.base.operations import Patch
from mizzen.base.resources import (
    DEVICE_CLASSES,
    JOBS,
    MODEL_ENDPOINTS,
    NODES,
    PODS,
    RESOURCE_CLAIMS,
    TRAIN_JOBS,
)
from mizzen.client.informer import Informer
from mizzen.controllers.run import create_defaults, run
from mizzen.host.clock import RealClock
from support.api_in_process import api_server
from support.waiting import until


@pytest.fixture
async def cluster(tmp_path):
    """A client and pods as watched, with the controllers running."""
    async with api_server(tmp_path) as client:
        ready = asyncio.Event()
        pods = Informer(client, PODS)
        tasks = [
            asyncio.create_task(run(client, RealClock(), ready.set, MetricsRegistry())),
            asyncio.create_task(pods.run()),
        ]
        await asyncio.wait_for(ready.wait(), 20)
        await pods.wait_synced()
        yield client, pods
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def train_job(nodes=3):
    return {
        "metadata": {
            "name": "t",
            "namespace": "default",
            "annotations": {MIN_NODES: "1"},
        },
        "spec": {
            "runtimeRef": {"name": "jax-distributed"},
            "trainer": {
                "numNodes": nodes,
                "command": ["python", "train.py"],
                "resourcesPerNode": {"limits": {CPU_CORE_RESOURCE: "1"}},
            },
        },
    }


def endpoint():
    return {
        "metadata": {"name": "m", "namespace": "default"},
        "spec": {"model": {"path": "/m.gguf"}, "replicas": {"min": 0, "max": 2}},
    }


async def bind_ready(client, *names):
    for name in names:
        status = {"phase": "Running", "conditions": [{"type": JOIN_READY, "status": "True"}]}
        await client.raw(
            "POST",
            PODS.path("default", name, "binding"),
            body=b'{"apiVersion":"v1","kind":"Binding","metadata":{"name":"%s"},'
            b'"target":{"kind":"Node","name":"n"}}' % name.encode(),
        )
        await client.commit([Patch(PODS, "default", name, {"status": status}, "status")])


def size_of(pods, name):
    pod = pods.objects.get(Key("default", name), {"metadata": {}})
    return (pod["metadata"].get("annotations") or {}).get(FORMATION_SIZE)


async def test_a_train_job_forms_shrinks_and_completes(cluster):
    client, pods = cluster
    await client.create(TRAIN_JOBS, train_job())
    await until(lambda: len(pods.objects) == 3, "three pods")
    assert len((await client.list(RESOURCE_CLAIMS))[0]) == 3
    names = [f"t-node-0-{rank}" for rank in range(3)]
    await add_node(client)
    await bind_ready(client, *names)
    await until(lambda: [size_of(pods, n) for n in names] == ["3"] * 3, "a formation of 3")
    await client.delete(PODS, names[2], "default")
    await until(lambda: size_of(pods, names[0]) == "2", "a formation of 2")
    for name in names[:2]:
        done = {"status": {"phase": "Succeeded"}}
        await client.commit([Patch(PODS, "default", name, done, "status")])

    async def is_complete():
        job = await client.get(TRAIN_JOBS, "t", "default")
        return any(c["type"] == "Complete" for c in job["status"].get("conditions", []))

    deadline = time.monotonic() + 10
    while not await is_complete():
        assert time.monotonic() < deadline, await client.get(TRAIN_JOBS, "t", "default")


async def test_demand_makes_a_replica_at_once(cluster):
    client, pods = cluster
    await client.create(MODEL_ENDPOINTS, endpoint())
    demand = {"status": {"demand": {"replicas": 1, "cause": "first request"}}}
    seen = asyncio.Event()
    pods.add_handler(lambda type, old, new: seen.set())
    await client.commit([Patch(MODEL_ENDPOINTS, "default", "m", demand, "status")])
    await asyncio.wait_for(seen.wait(), 10)
    assert list(pods.objects) == [Key("default", "m-0")]


async def test_a_job_runs_to_completion(cluster):
    client, pods = cluster
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]}}
    metadata = {"name": "j", "namespace": "default"}
    await client.create(JOBS, {"metadata": metadata, "spec": {"template": template}})
    await until(lambda: len(pods.objects) == 1, "a pod")
    (key,) = pods.objects
    done = {"status": {"phase": "Succeeded"}}
    await client.commit([Patch(PODS, "default", key.name, done, "status")])
    await until(lambda: "finalizers" not in pods.objects[key]["metadata"], "counted")
    job = await client.get(JOBS, "j", "default")
    assert job["status"]["succeeded"] == 1


async def test_changed_defaults_survive_a_restart(cluster):
    client, _ = cluster
    name = "cpu-core.mizzen.dev"
    change = {"spec": {"extendedResourceName": "example.com/core"}}
    await client.patch(DEVICE_CLASSES, name, change)
    await client.delete(DEVICE_CLASSES, "gpu.mizzen.dev")
    await create_defaults(client)
    found = {o["metadata"]["name"]: o for o in (await client.list(DEVICE_CLASSES))[0]}
    assert set(found) == {name, "gpu.mizzen.dev", "simulated.mizzen.dev"}
    assert found[name]["spec"]["extendedResourceName"] == "example.com/core"


async def add_node(client):
    await client.create(NODES, {"metadata": {"name": "n"}, "spec": {}})
