"""A real cluster as a stage for Mizzen: nodes with devices, pods, and the scheduler's process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mizzen.base.errors import AlreadyExists, NotFound
from mizzen.base.names import HANDED_OVER, HANDED_OVER_TO, SYSTEM_NAMESPACE
from mizzen.base.objects import Obj, name_of
from mizzen.base.resources import (
    CONFIG_MAPS,
    DEVICE_CLASSES,
    LEASES,
    NODES,
    POD_GROUPS,
    PODS,
    RESOURCE_CLAIMS,
    RESOURCE_SLICES,
    TRAIN_JOBS,
    Resource,
)
from mizzen.client.client import Client
from support.real_cluster import Cluster

DRIVER = "gpu.example.com"
CLASS = "gpu"
DEADLINE_S = 60.0
POLL_S = 0.02
STOP_S = 10.0


@dataclass
class Stage:
    """The administrator's hands on a real cluster; `clear` leaves it as it was found."""

    cluster: Cluster
    admin: Client
    namespace: str

    async def set_up(self) -> None:
        self.cluster.make_namespace(SYSTEM_NAMESPACE)
        self.cluster.make_namespace(self.namespace)
        selector = {"cel": {"expression": f'device.driver == "{DRIVER}"'}}
        with contextlib.suppress(AlreadyExists):
            await self._new(DEVICE_CLASSES, _named(CLASS), spec={"selectors": [selector]})

    async def add_node(self, name: str, devices: int = 4, *, ours: bool = True) -> None:
        """A ready node, handed over to Mizzen unless said otherwise, with devices of its own."""
        metadata: Obj = _named(name, "")
        spec: Obj = {}
        if ours:
            metadata["labels"] = {HANDED_OVER: HANDED_OVER_TO}
            taint = {"key": HANDED_OVER, "value": HANDED_OVER_TO, "effect": "NoSchedule"}
            spec["taints"] = [taint]
        await self._new(NODES, metadata, spec=spec)
        room = {"cpu": "64", "memory": "256Gi", "pods": "110"}
        ready = {
            "type": "Ready",
            "status": "True",
            "reason": "KubeletReady",
            "message": "",
            "lastHeartbeatTime": "2030-01-01T00:00:00Z",
            "lastTransitionTime": "2030-01-01T00:00:00Z",
        }
        status = {"capacity": room, "allocatable": room, "conditions": [ready]}
        await self.admin.patch(NODES, name, {"status": status}, subresource="status")
        if devices:
            await self.add_slice(name, devices)

    async def add_slice(self, node: str, devices: int, driver: str = DRIVER) -> None:
        spec = {
            "driver": driver,
            "nodeName": node,
            "pool": {"name": node, "generation": 1, "resourceSliceCount": 1},
            "devices": [{"name": f"gpu-{index}"} for index in range(devices)],
        }
        await self._new(RESOURCE_SLICES, _named(f"{node}-{driver}"), spec=spec)

    async def add_claim(self, name: str, count: int = 1) -> Obj:
        exactly = {"deviceClassName": CLASS, "allocationMode": "ExactCount", "count": count}
        spec = {"devices": {"requests": [{"name": "gpu", "exactly": exactly}]}}
        return await self._new(RESOURCE_CLAIMS, _named(name, self.namespace), spec=spec)

    async def add_pod(
        self,
        name: str,
        *,
        claims: Iterable[str] = (),
        gang: str = "",
        scheduler: str = "mizzen",
        **spec: Any,
    ) -> Obj:
        body: Obj = {
            "schedulerName": scheduler,
            "containers": [{"name": "main", "image": "example.com/none"}],
            "resourceClaims": [{"name": c, "resourceClaimName": c} for c in claims],
            **spec,
        }
        if gang:
            body["schedulingGroup"] = {"podGroupName": gang}
        return await self._new(PODS, _named(name, self.namespace), spec=body)

    async def add_gang(self, name: str, size: int, *, minimum: int | None = None) -> None:
        """A PodGroup and its members, each with a claim of one device."""
        policy = {"gang": {"minCount": size if minimum is None else minimum}}
        await self._new(POD_GROUPS, _named(name, self.namespace), spec={"schedulingPolicy": policy})
        for rank in range(size):
            await self.add_claim(f"{name}-{rank}")
        for rank in range(size):
            await self.add_pod(f"{name}-{rank}", claims=(f"{name}-{rank}",), gang=name)

    async def pods(self) -> dict[str, Obj]:
        listed, _ = await self.admin.list(PODS, self.namespace)
        return {name_of(pod): pod for pod in listed}

    async def bound(self) -> dict[str, str]:
        """The node of each pod that has one and is not leaving."""
        return {
            name: pod["spec"]["nodeName"]
            for name, pod in (await self.pods()).items()
            if pod["spec"].get("nodeName") and not pod["metadata"].get("deletionTimestamp")
        }

    async def held(self) -> Counter[str]:
        """How often each device of the cluster is allocated: never more than once."""
        claims, _ = await self.admin.list(RESOURCE_CLAIMS)
        return Counter(
            "/".join((r["driver"], r["pool"], r["device"]))
            for claim in claims
            for r in ((claim.get("status") or {}).get("allocation") or {})
            .get("devices", {})
            .get("results", ())
        )

    async def assert_no_device_twice(self) -> None:
        twice = {device: n for device, n in (await self.held()).items() if n > 1}
        assert not twice, f"allocated more than once: {twice}"

    async def intents(self) -> list[Obj]:
        found, _ = await self.admin.list(
            CONFIG_MAPS, SYSTEM_NAMESPACE, labels="mizzen.dev/intent=true"
        )
        return found

    async def until(self, condition: Any, what: str, deadline_s: float = DEADLINE_S) -> None:
        """Returns once the coroutine function's answer is true."""
        try:
            async with asyncio.timeout(deadline_s):
                while True:
                    if await condition():
                        return
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise AssertionError(f"not within {deadline_s} s: {what}") from None

    async def run_pod(self, name: str, phase: str = "Running") -> None:
        """Says, as a kubelet would, that the pod runs (or has ended)."""
        is_ready = "True" if phase == "Running" else "False"
        status = {"phase": phase, "conditions": [{"type": "Ready", "status": is_ready}]}
        await self.admin.patch(
            PODS, name, {"status": status}, self.namespace, subresource="status", type="strategic"
        )

    async def bury(self) -> None:
        """Ends the pods that were asked to leave, as a kubelet would, and frees their devices, as
        kube-controller-manager would."""
        for name, pod in (await self.pods()).items():
            if pod["metadata"].get("deletionTimestamp"):
                await self._gone(PODS, name, self.namespace)
                for claim in pod["spec"].get("resourceClaims") or ():
                    await self._free(claim["resourceClaimName"])

    async def clear(self) -> None:
        """Removes all that tests make; whoever adds a kind adds it here."""
        with contextlib.suppress(NotFound):  # before the kind is installed
            for job in (await self.admin.list(TRAIN_JOBS, self.namespace))[0]:
                await self._gone(TRAIN_JOBS, name_of(job), self.namespace)
        for resource in (PODS, POD_GROUPS, CONFIG_MAPS, RESOURCE_CLAIMS):
            namespaces = (
                (self.namespace, SYSTEM_NAMESPACE) if resource == CONFIG_MAPS else (self.namespace,)
            )
            for namespace in namespaces:
                for obj in (await self.admin.list(resource, namespace))[0]:
                    if obj["metadata"].get("finalizers"):
                        await self.admin.patch(
                            resource, name_of(obj), {"metadata": {"finalizers": None}}, namespace
                        )
                    await self._gone(resource, name_of(obj), namespace)
        for resource in (RESOURCE_SLICES, NODES, DEVICE_CLASSES):
            for obj in (await self.admin.list(resource))[0]:
                await self._gone(resource, name_of(obj), "")
        await self.end_leases()

    async def end_leases(self) -> None:
        """As if the time of leaders that were killed had run out."""
        for obj in (await self.admin.list(LEASES, SYSTEM_NAMESPACE))[0]:
            await self._gone(LEASES, name_of(obj), SYSTEM_NAMESPACE)

    async def _free(self, claim: str) -> None:
        with contextlib.suppress(NotFound):
            status = {"status": {"allocation": None, "reservedFor": None}}
            await self.admin.patch(
                RESOURCE_CLAIMS, claim, status, self.namespace, subresource="status"
            )

    async def _gone(self, resource: Resource, name: str, namespace: str) -> None:
        with contextlib.suppress(NotFound):
            await self.admin.delete(resource, name, namespace, grace_period_s=0)

    async def _new(self, resource: Resource, metadata: Obj, **parts: Any) -> Obj:
        return await self.admin.create(resource, {"metadata": metadata, **parts})


def _named(name: str, namespace: str = "") -> Obj:
    return {"name": name, "namespace": namespace} if namespace else {"name": name}


@dataclass
class Process:
    """A role of `mizzen.compose` on a real cluster; what it logs is kept in `lines`."""

    popen: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    is_ready: threading.Event = field(default_factory=threading.Event)

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait()

    @property
    def log(self) -> str:
        return "".join(self.lines)


@contextlib.asynccontextmanager
async def component(
    role: str, kubeconfig: Path, *arguments: str, env: Mapping[str, str] | None = None
) -> AsyncIterator[Process]:
    """The process for as long as the block; a short lease, so that successors need not wait."""
    popen = _start(role, kubeconfig, arguments, env or {})
    process = Process(popen)

    def read() -> None:
        assert popen.stdout is not None
        for line in popen.stdout:
            process.lines.append(line)
            if line == "ready\n":
                process.is_ready.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        yield process
    finally:
        if popen.poll() is None:
            popen.terminate()
            try:  # not on this thread: a proxy of this loop may still have to answer it
                await asyncio.to_thread(popen.wait, STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
        await asyncio.to_thread(reader.join, STOP_S)
        assert "Traceback" not in process.log, process.log
        assert popen.stdout is not None
        popen.stdout.close()


async def until_ready(process: Process) -> None:
    """Returns once it leads and its caches are filled."""
    for _ in range(int(DEADLINE_S / POLL_S)):
        if process.is_ready.is_set():
            return
        assert process.popen.poll() is None, f"it ended: {process.log}"
        await asyncio.sleep(POLL_S)
    raise AssertionError(f"not ready after {DEADLINE_S} s: {process.log}")


def _start(
    role: str, kubeconfig: Path, arguments: Iterable[str], env: Mapping[str, str]
) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "mizzen.compose", role, "--kubeconfig", str(kubeconfig)]
    return subprocess.Popen(
        [*command, "--lease-seconds", "3", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **env},
    )


async def install(stage: Stage) -> list[str]:
    """What `mizzen install` says, line by line."""
    config = str(stage.cluster.kubeconfig())
    command = [sys.executable, "-m", "mizzen.cli", "install", "--kubeconfig", config]
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


async def kubeconfig_of(stage: Stage, account: str, server: str = "") -> Path:
    """With a token of the ServiceAccount, as its pods would have it."""
    path = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/serviceaccounts/{account}/token"
    status, answer = await asyncio.to_thread(stage.cluster.call, "POST", path, {"spec": {}})
    assert status == 201, answer
    return stage.cluster.kubeconfig(account, server, token=str(answer["status"]["token"]))
