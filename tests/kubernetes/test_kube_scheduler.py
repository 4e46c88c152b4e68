"""kube-scheduler itself on Mizzen's API server, Mizzen's controllers beside: pods of a Deployment with
devices are bound by it, claims allocated, and what does not fit waits with its reasons."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import orjson
import pytest

from mizzen.base.names import ADMIN
from mizzen.base.objects import Obj, is_terminating, name_of
from mizzen.base.resources import (
    DEPLOYMENTS,
    DEVICE_CLASSES,
    EVENTS,
    LEASES,
    NODES,
    PODS,
    RESOURCE_CLAIM_TEMPLATES,
    RESOURCE_CLAIMS,
    RESOURCE_SLICES,
)
from mizzen.client.client import Client
from mizzen.controllers.run import find_controllers
from support.api_in_process import ApiInProcess
from support.control_planes import kubeconfig_file, own_controllers, upstream_program
from support.ports import free_port

PROGRAM, USER = "kube-scheduler", "system:kube-scheduler"
CONTROLLERS = frozenset(("deployment", "replicaset", "resource-claim", "claim-release", "pod-gc"))
DRIVER, CLASS = "gpu.example.com", "gpu"
NODE_NAMES, DEVICES_EACH = ("node-a", "node-b"), 2
WITHIN_S = 120.0


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ApiInProcess]:
    made = ApiInProcess(tmp_path)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


@contextlib.asynccontextmanager
async def kube_scheduler(server: ApiInProcess, folder: Path) -> AsyncIterator[int]:
    """As upstream runs it: in its own name, led by a Lease, with a port of its own whose clients it
    asks the API server about."""
    config, log, port = kubeconfig_file(server, folder, USER), folder / "scheduler.log", free_port()
    flags = (
        f"--kubeconfig={config}",
        f"--authentication-kubeconfig={config}",
        f"--authorization-kubeconfig={config}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={folder / 'certificates'}",
    )
    async with upstream_program(PROGRAM, flags, log):
        yield port
    lines = log.read_text().splitlines()
    wrong = [line for line in lines if re.match(r"[EF]\d{4} ", line) and "is forbidden" in line]
    assert not wrong, wrong[:5]


def controllers(server: ApiInProcess) -> AbstractAsyncContextManager[None]:
    assert {each.name for each in find_controllers()} >= CONTROLLERS
    return own_controllers(server, lambda each: each.name in CONTROLLERS)


async def add_cluster(admin: Client) -> None:
    selector = {"cel": {"expression": f'device.driver == "{DRIVER}"'}}
    body: Obj = {"metadata": {"name": CLASS}, "spec": {"selectors": [selector]}}
    await admin.create(DEVICE_CLASSES, body)
    room = {"cpu": "8", "memory": "16Gi", "pods": "110"}
    for name in NODE_NAMES:
        await admin.create(NODES, {"metadata": {"name": name}})
        ready = {"type": "Ready", "status": "True", "reason": "Ready", "message": ""}
        status = {"capacity": room, "allocatable": room, "conditions": [ready]}
        await admin.patch(NODES, name, {"status": status}, subresource="status")
        await admin.patch(NODES, name, {"spec": {"taints": None}})
        spec = {
            "driver": DRIVER,
            "nodeName": name,
            "pool": {"name": name, "generation": 1, "resourceSliceCount": 1},
            "devices": [{"name": f"gpu-{index}"} for index in range(DEVICES_EACH)],
        }
        await admin.create(RESOURCE_SLICES, {"metadata": {"name": name}, "spec": spec})
    exactly = {"deviceClassName": CLASS, "allocationMode": "ExactCount", "count": 1}
    claim = {"devices": {"requests": [{"name": "gpu", "exactly": exactly}]}}
    template: Obj = {"metadata": {"name": "one", "namespace": "default"}, "spec": {"spec": claim}}
    await admin.create(RESOURCE_CLAIM_TEMPLATES, template)


async def add_deployment(admin: Client, name: str, replicas: int, **spec: Any) -> None:
    pods = {"containers": [{"name": "c", "image": "example.com/none"}], **spec}
    body: Obj = {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": pods},
        },
    }
    await admin.create(DEPLOYMENTS, body)


async def run_pods(admin: Client) -> None:
    """The kubelets: what is bound runs, what is to go is gone."""
    for pod in await pods_of(admin):
        name = name_of(pod)
        if is_terminating(pod):
            await admin.delete(PODS, name, "default", grace_period_s=0)
        elif pod["spec"].get("nodeName") and pod["status"].get("phase") == "Pending":
            conditions = [*pod["status"]["conditions"], {"type": "Ready", "status": "True"}]
            status: Obj = {"status": {"phase": "Running", "conditions": conditions}}
            await admin.patch(PODS, name, status, "default", subresource="status")


async def pods_of(admin: Client, app: str = "") -> list[Obj]:
    return (await admin.list(PODS, "default", labels=f"app={app}" if app else ""))[0]


async def until(check: Callable[[], Awaitable[object]], what: str, folder: Path) -> None:
    try:
        async with asyncio.timeout(WITHIN_S):
            while not await check():  # noqa: ASYNC110 - it asks the server
                await asyncio.sleep(0.05)
    except TimeoutError:
        tail = (folder / "scheduler.log").read_text()[-3000:]
        raise AssertionError(f"not within {WITHIN_S:g} s: {what}\n{tail}") from None


def held(claims: list[Obj]) -> list[tuple[str, str]]:
    """Pool and device of each allocation."""
    return sorted(
        (result["pool"], result["device"])
        for claim in claims
        for result in claim.get("status", {}).get("allocation", {}).get("devices", {})["results"]
    )


async def test_it_binds_a_deployment_with_devices(server: ApiInProcess, tmp_path: Path) -> None:
    async with (
        server.client(ADMIN) as admin,
        controllers(server),
        kube_scheduler(server, tmp_path) as port,
    ):
        await add_cluster(admin)
        claims = [{"name": "gpu", "resourceClaimTemplateName": "one"}]
        count = len(NODE_NAMES) * DEVICES_EACH
        await add_deployment(admin, "plain", 6)
        await add_deployment(admin, "train", count, resourceClaims=claims)

        async def all_available() -> bool:
            await run_pods(admin)
            found = {name_of(d): d for d in (await admin.list(DEPLOYMENTS, "default"))[0]}
            status = {name: each["status"].get("availableReplicas") for name, each in found.items()}
            return status == {"plain": 6, "train": count}

        await until(all_available, "both Deployments are available", tmp_path)
        listed = (await admin.list(RESOURCE_CLAIMS, "default"))[0]
        every = [(node, f"gpu-{n}") for node in NODE_NAMES for n in range(DEVICES_EACH)]
        assert held(listed) == every, "each device once"
        pods = {name_of(pod): pod for pod in await pods_of(admin, "train")}
        for claim in listed:
            reserved = claim["status"]["reservedFor"]
            assert len(reserved) == 1
            pod = pods[reserved[0]["name"]]
            assert pod["metadata"]["uid"] == reserved[0]["uid"]
            pool = claim["status"]["allocation"]["devices"]["results"][0]["pool"]
            assert pod["spec"]["nodeName"] == pool

        # One more does not fit; it says so, and takes the place of one that goes.
        await admin.patch(DEPLOYMENTS, "train", {"spec": {"replicas": count + 1}}, "default")

        async def one_is_told_why() -> bool:
            events = (await admin.list(EVENTS, "default"))[0]
            waiting = [pod for pod in await pods_of(admin, "train") if not _node(pod)]
            return len(waiting) == 1 and any(
                event["reason"] == "FailedScheduling"
                and event["involvedObject"]["name"] == name_of(waiting[0])
                and "cannot allocate all claims" in event["message"]
                for event in events
            )

        await until(one_is_told_why, "a pod that does not fit has an Event", tmp_path)
        waiting = next(pod for pod in await pods_of(admin, "train") if not _node(pod))
        condition = next(c for c in waiting["status"]["conditions"] if c["type"] == "PodScheduled")
        assert (condition["status"], condition["reason"]) == ("False", "Unschedulable")
        await admin.patch(DEPLOYMENTS, "train", {"spec": {"replicas": count}}, "default")

        async def as_many_as_fit() -> bool:
            await run_pods(admin)
            found = await pods_of(admin, "train")
            return len(found) == count and all(map(_node, found))

        await until(as_many_as_fit, "the surplus is gone, the others have their nodes", tmp_path)
        victim = (await pods_of(admin, "train"))[0]
        await admin.delete(PODS, name_of(victim), "default")

        async def is_replaced() -> bool:
            return await as_many_as_fit() and not any(
                name_of(pod) == name_of(victim) for pod in await pods_of(admin, "train")
            )

        await until(is_replaced, "its device is another pod's", tmp_path)
        assert held((await admin.list(RESOURCE_CLAIMS, "default"))[0]) == every

        lease = await admin.get(LEASES, "kube-scheduler", "kube-system")
        assert lease["spec"]["holderIdentity"]
        await asks_who_its_clients_are(server, admin, port)


async def asks_who_its_clients_are(server: ApiInProcess, admin: Client, port: int) -> None:
    """Its own port lets in whom the API server knows and allows to read metrics (TokenReview,
    SubjectAccessReview), and nobody else."""
    kubeconfig: Any = server.kubeconfig(ADMIN)
    known = kubeconfig["users"][0]["user"]["token"]
    account = {"metadata": {"name": "nobody"}}
    await admin.raw(
        "POST", "/api/v1/namespaces/default/serviceaccounts", body=orjson.dumps(account)
    )
    path = "/api/v1/namespaces/default/serviceaccounts/nobody/token"
    told = json.loads(await admin.raw("POST", path, body=b'{"spec":{}}'))
    seen = [await _metrics(port, token) for token in (known, told["status"]["token"], "forged")]
    assert seen == ["200", "403", "401"]


async def _metrics(port: int, token: str) -> str:
    process = await asyncio.create_subprocess_exec(
        "curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}",
        "-H", f"Authorization: Bearer {token}", f"https://127.0.0.1:{port}/metrics",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(process.communicate(), 30)
    return out.decode()


def _node(pod: Obj) -> str:
    return str(pod["spec"].get("nodeName") or "")
