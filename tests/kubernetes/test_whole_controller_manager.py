"""kube-controller-manager as it comes, alone on Mizzen's API server: every controller that upstream
turns on, each in the name of its own ServiceAccount, led by a Lease."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from mizzen.base.errors import NotFound
from mizzen.base.names import ADMIN
from mizzen.base.objects import Obj, is_terminating, name_of
from mizzen.base.resources import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    JOBS,
    LEASES,
    NAMESPACES,
    NODES,
    PODS,
    REPLICA_SETS,
    RESOURCE_CLAIM_TEMPLATES,
    RESOURCE_CLAIMS,
    SERVICES,
)
from mizzen.client.client import Client
from support.api_in_process import ApiInProcess
from support.control_planes import kubeconfig_file, upstream_program

PROGRAM, USER = "kube-controller-manager", "system:kube-controller-manager"
WITHIN_S = 150.0


@contextlib.asynccontextmanager
async def controller_manager(server: ApiInProcess, folder: Path) -> AsyncIterator[Path]:
    """The program; yields its log."""
    log = folder / "manager.log"
    flags = (
        f"--kubeconfig={kubeconfig_file(server, folder, USER)}",
        "--use-service-account-credentials=true",
        "--secure-port=0",
        "--kube-api-qps=500",
        "--kube-api-burst=500",
    )
    async with upstream_program(PROGRAM, flags, log):
        yield log


async def run_pods(admin: Client) -> None:
    """Scheduler and kubelet: every pod runs, those of Jobs end, what is to go is gone."""
    for pod in (await admin.list(PODS, "work"))[0]:
        name, spec = name_of(pod), pod["spec"]
        if is_terminating(pod):
            with contextlib.suppress(NotFound):
                await admin.delete(PODS, name, "work", grace_period_s=0)
        elif not spec.get("nodeName"):
            target = {"kind": "Node", "name": "node-a"}
            body: Obj = {"metadata": {"name": name}, "target": target}
            await admin.raw(
                "POST", PODS.path("work", name, "binding"), body=json.dumps(body).encode()
            )
        elif (pod.get("status") or {}).get("phase") == "Pending":
            ends = spec["restartPolicy"] == "Never"
            number = int(name.encode().hex()[-4:], 16) % 200 + 10
            status: Obj = {
                "phase": "Succeeded" if ends else "Running",
                "podIP": f"10.1.0.{number}",
                "podIPs": [{"ip": f"10.1.0.{number}"}],
                "conditions": [{"type": "Ready", "status": "False" if ends else "True"}],
            }
            await admin.patch(PODS, name, {"status": status}, "work", subresource="status")


async def until(check: Callable[[], Awaitable[object]], what: str, log: Path) -> None:
    try:
        async with asyncio.timeout(WITHIN_S):
            while not await check():  # noqa: ASYNC110 - it asks the server
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(
            f"not within {WITHIN_S:g} s: {what}\n{log.read_text()[-3000:]}"
        ) from None


def _named(name: str, namespace: str = "work", **parts: Any) -> Obj:
    return {"metadata": {"name": name, "namespace": namespace}, **parts}


async def fill(admin: Client) -> None:
    """Something for the controllers of apps, batch, discovery, resource and the core."""
    await admin.create(NAMESPACES, {"metadata": {"name": "work"}})
    await admin.create(NODES, {"metadata": {"name": "node-a"}})
    exactly = {"deviceClassName": "gpu", "allocationMode": "ExactCount", "count": 1}
    claim = {"devices": {"requests": [{"name": "gpu", "exactly": exactly}]}}
    await admin.create(RESOURCE_CLAIM_TEMPLATES, _named("one", spec={"spec": claim}))
    containers = [{"name": "c", "image": "example.com/none", "ports": [{"containerPort": 80}]}]
    claims = [{"name": "gpu", "resourceClaimTemplateName": "one"}]
    web = {"metadata": {"labels": {"app": "web"}},
           "spec": {"containers": containers, "resourceClaims": claims}}  # fmt: skip
    selector = {"matchLabels": {"app": "web"}}
    deployment = {"replicas": 3, "selector": selector, "template": web}
    await admin.create(DEPLOYMENTS, _named("web", spec=deployment))
    service = {"selector": {"app": "web"}, "ports": [{"port": 80}]}
    await admin.create(SERVICES, _named("web", spec=service))
    once = {"spec": {"containers": containers, "restartPolicy": "Never"}}
    job = {"completions": 3, "parallelism": 2, "template": once}
    await admin.create(JOBS, _named("once", spec=job))


async def test_its_controllers_do_their_work(tmp_path: Path) -> None:
    server = ApiInProcess(tmp_path)
    await server.start()
    try:
        async with server.client(ADMIN) as admin, controller_manager(server, tmp_path) as log:
            await fill(admin)
            await _everything_works(admin, log)
            await _goes_with_its_owner(admin, log)
            lease = await admin.get(LEASES, PROGRAM, "kube-system")
            assert lease["spec"]["holderIdentity"]
        assert not _complaints(log), _complaints(log)[:10]
    finally:
        await server.stop()


async def _everything_works(admin: Client, log: Path) -> None:
    async def is_done() -> bool:
        await run_pods(admin)
        web = await admin.get(DEPLOYMENTS, "web", "work")
        once = await admin.get(JOBS, "once", "work")
        ready = web.get("status", {}).get("readyReplicas"), once.get("status", {}).get("succeeded")
        return ready == (3, 3)

    await until(is_done, "the Deployment is ready, the Job has succeeded", log)

    async def is_routed() -> bool:
        slices = (await admin.list(ENDPOINT_SLICES, "work"))[0]
        ready = [
            e for each in slices for e in each.get("endpoints") or () if e["conditions"]["ready"]
        ]
        return len(ready) == 3

    await until(is_routed, "the Service has three endpoints", log)
    claims = (await admin.list(RESOURCE_CLAIMS, "work"))[0]
    owners = sorted(each["metadata"]["ownerReferences"][0]["name"] for each in claims)
    pods = (await admin.list(PODS, "work", labels="app=web"))[0]
    assert owners == sorted(map(name_of, pods)), "one for each pod, from the template"
    root = await admin.get(CONFIG_MAPS, "kube-root-ca.crt", "work")
    assert "BEGIN CERTIFICATE" in root["data"]["ca.crt"]


async def _goes_with_its_owner(admin: Client, log: Path) -> None:
    await admin.delete(DEPLOYMENTS, "web", "work")

    async def is_gone() -> bool:
        await run_pods(admin)
        sets = (await admin.list(REPLICA_SETS, "work"))[0]
        pods = (await admin.list(PODS, "work", labels="app=web"))[0]
        return not sets and not pods

    await until(is_gone, "ReplicaSets and pods go with their Deployment", log)
    await admin.delete(NAMESPACES, "work")

    async def is_empty() -> bool:
        await run_pods(admin)
        with contextlib.suppress(NotFound):
            await admin.get(NAMESPACES, "work")
            return False
        return True

    await until(is_empty, "the namespace goes with all that is in it", log)


def _complaints(log: Path) -> list[str]:
    """What it was refused, what it could not watch, what it could not read."""
    wrong = re.compile(
        r"is forbidden|[Ff]ailed to watch|could not find the requested resource|no kind"
    )
    lines = log.read_text(errors="replace").splitlines()
    return [line for line in lines if re.match(r"[EFW]\d{4} ", line) and wrong.search(line)]
