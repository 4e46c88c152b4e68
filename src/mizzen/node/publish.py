"""Publishes this machine to the API: Node, heartbeat Lease, ResourceSlices."""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mizzen import __version__
from mizzen.base import names, quantity
from mizzen.base.clock import Clock, rfc3339, rfc3339_micro
from mizzen.base.errors import AlreadyExists, ApiError, Conflict, NotFound
from mizzen.base.objects import Obj, has_condition
from mizzen.base.registry import collect
from mizzen.base.resources import LEASES, NAMESPACES, NODES, RESOURCE_SLICES
from mizzen.client.client import Client
from mizzen.node import pressure
from mizzen.node.config import HOST_IP, NodeConfig
from mizzen.node.core.devices import Device, slices
from mizzen.node.runtimes.registry import Runtimes

LEASE_NAMESPACE = "kube-node-lease"
LEASE_DURATION_S = 40
HEARTBEAT_S = 10.0
PODS_MAX = 110
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def discover(config: NodeConfig, enforcement: str) -> list[Device]:
    """Every device of this machine, by all plug-ins in name order."""
    found: list[Device] = []
    for _, plugin in collect("mizzen.node.devices", "discover"):
        found += plugin(config, enforcement)
    return found


def capacity() -> dict[str, str]:
    """The machine's resources as quantities: the CPUs this process may use, memory, disk, pods."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    disk = os.statvfs("/")
    return {
        "cpu": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory // 1024}Ki",
        "ephemeral-storage": f"{disk.f_blocks * disk.f_frsize // 1024}Ki",
        "pods": str(PODS_MAX),
    }


def allocatable(total: Mapping[str, str], claimed_milli: int) -> dict[str, str]:
    """Capacity less the CPU of allocated cores: what unclaimed pods share."""
    shared = max(quantity.to_milli(total["cpu"]) - claimed_milli, 0)
    return {**total, "cpu": quantity.format_milli(shared)}


class Publisher:
    """Keeps Node, Lease and slices true."""

    def __init__(
        self,
        client: Client,
        config: NodeConfig,
        clock: Clock,
        devices: Sequence[Device],
        runtimes: Runtimes,
        claimed_milli: Callable[[], int],
    ) -> None:
        self._client = client
        self._config = config
        self._clock = clock
        self._devices = devices
        self._runtimes = runtimes
        self._claimed_milli = claimed_milli
        self._total = capacity()
        self._written_milli = -1
        self.port = 0  # of the agent's own API; set before anything is published

    async def publish(self) -> None:
        """Writes everything once; errors: ApiError when the API refuses."""
        await self._beat()  # first: a lease from before the restart would condemn the new node
        await self._publish_node()
        await self._publish_slices()

    async def run(self) -> None:
        """Heartbeats, and the allocatable CPU as claims come and go, until cancelled."""
        beaten = 0.0
        loop = asyncio.get_running_loop()
        while True:
            try:
                if self._claimed_milli() != self._written_milli:
                    await self._write_allocatable()
                if loop.time() - beaten >= HEARTBEAT_S:
                    await self._beat()
                    await self._mend()
                    beaten = loop.time()
            except NotFound:
                await self._republish()
            except ApiError:
                pass  # an outage: the next round tries again
            await asyncio.sleep(1.0)

    async def _mend(self) -> None:
        """Restores Ready where a silence (a suspended machine) was taken for an end, and
        updates the node's pressure conditions."""
        node = await self._client.get(NODES, self._config.node_name)
        now = {p.kind: p.is_true for p in pressure.look(self._config.state_dir)} | {"Ready": True}
        if any(has_condition(node, kind) != is_true for kind, is_true in now.items()):
            await self._publish_node()

    async def _republish(self) -> None:
        try:
            await self.publish()
        except ApiError:
            return  # tried again by the next heartbeat

    async def _publish_node(self) -> None:
        name = self._config.node_name
        labels = {
            names.HOSTNAME_LABEL: name,
            "kubernetes.io/arch": _architecture(),
            "kubernetes.io/os": "linux",
        }
        node: Obj = {"metadata": {"name": name, "labels": labels}, "spec": {}}
        try:
            await self._client.create(NODES, node)
        except AlreadyExists:
            await self._client.patch(NODES, name, {"metadata": {"labels": labels}})
        await self._client.patch(NODES, name, {"status": self._status()}, subresource="status")

    def _status(self) -> Obj:
        now = rfc3339(self._clock.now_ns())
        self._written_milli = self._claimed_milli()
        conditions = [
            _condition(p.kind, str(p.is_true), p.reason, p.text, now)
            for p in pressure.look(self._config.state_dir)
        ]
        held = (
            f"{r.handler} (isolation: {r.guarantees.isolation}, limits: {r.guarantees.limits})"
            for r in self._runtimes
        )
        text = f"the agent runs pods by {'; '.join(held)}"
        conditions.append(_condition("Ready", "True", "KubeletReady", text, now))
        return {
            "capacity": self._total,
            "allocatable": allocatable(self._total, self._written_milli),
            "conditions": conditions,
            "addresses": [
                {"type": "InternalIP", "address": HOST_IP},
                {"type": "Hostname", "address": self._config.node_name},
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self.port}},
            "nodeInfo": _node_info(self._runtimes.default.handler),
            "runtimeHandlers": [{"name": runtime.handler} for runtime in self._runtimes],
        }

    async def _write_allocatable(self) -> None:
        milli = self._claimed_milli()
        patch = {"status": {"allocatable": allocatable(self._total, milli)}}
        await self._client.patch(NODES, self._config.node_name, patch, subresource="status")
        self._written_milli = milli

    async def _publish_slices(self) -> None:
        """Slices as they should be; the pool's generation rises when the content changed."""
        node = self._config.node_name
        existing, _ = await self._client.list(RESOURCE_SLICES, fields=f"spec.nodeName={node}")
        old = {s["metadata"]["name"]: s for s in existing if s["spec"].get("nodeName") == node}
        generation: dict[str, int] = {}
        for entry in old.values():
            driver = entry["spec"]["driver"]
            generation[driver] = max(
                generation.get(driver, 1), int(entry["spec"]["pool"]["generation"])
            )
        wanted = {s["metadata"]["name"]: s for s in slices(self._devices, node, generation)}
        changed = {
            s["spec"]["driver"]
            for name, s in wanted.items()
            if name not in old or old[name]["spec"].get("devices") != s["spec"]["devices"]
        }
        for driver in changed & generation.keys():
            generation[driver] += 1
        for body in slices(self._devices, node, generation):
            await self._put_slice(body, old.get(body["metadata"]["name"]))
        for name in old.keys() - wanted.keys():
            await self._client.delete(RESOURCE_SLICES, name)

    async def _put_slice(self, body: Obj, old: Obj | None) -> None:
        if old is None:
            try:
                await self._client.create(RESOURCE_SLICES, body)
            except AlreadyExists:
                old = await self._client.get(RESOURCE_SLICES, body["metadata"]["name"])
        if old is not None and old["spec"] != body["spec"]:
            body["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
            await self._client.update(RESOURCE_SLICES, body)

    async def _beat(self) -> None:
        node = self._config.node_name
        spec = {
            "holderIdentity": node,
            "leaseDurationSeconds": LEASE_DURATION_S,
            "renewTime": rfc3339_micro(self._clock.now_ns()),
        }
        try:
            await self._client.patch(LEASES, node, {"spec": spec}, LEASE_NAMESPACE)
        except NotFound:
            await self._make_lease(node, spec)

    async def _make_lease(self, node: str, spec: Obj) -> None:
        lease = {"metadata": {"name": node, "namespace": LEASE_NAMESPACE}, "spec": spec}
        try:
            await self._client.create(LEASES, lease)
        except NotFound:
            with contextlib.suppress(AlreadyExists, Conflict):  # somebody else made it
                await self._client.create(NAMESPACES, {"metadata": {"name": LEASE_NAMESPACE}})
            await self._client.create(LEASES, lease)
        except AlreadyExists:
            pass  # made between patch and create


def _condition(kind: str, status: str, reason: str, message: str, now: str) -> Obj:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastHeartbeatTime": now,
        "lastTransitionTime": now,
    }


def _architecture() -> str:
    machine = platform.machine()
    return _ARCHITECTURES.get(machine, machine)


def _node_info(runtime: str) -> Obj:
    return {
        "machineID": _read("/etc/machine-id") or socket.gethostname(),
        "systemUUID": "",
        "bootID": _read("/proc/sys/kernel/random/boot_id"),
        "kernelVersion": platform.release(),
        "osImage": _os_name(),
        "containerRuntimeVersion": f"{runtime}://{__version__}",
        "kubeletVersion": f"v{'.'.join(names.KUBERNETES_VERSION)}.0+mizzen.{__version__}",
        "kubeProxyVersion": "",
        "operatingSystem": "linux",
        "architecture": _architecture(),
    }


def _os_name() -> str:
    for line in _read("/etc/os-release").splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.split("=", 1)[1].strip('"')
    return "Linux"


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
