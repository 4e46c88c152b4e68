"""Nodes that pretend: pods bound to them are said to run, and nothing is started.

    python tests/conformance/hollow_nodes.py KUBECONFIG [--nodes 3]

For specs that need a scheduler and nodes but no program in a pod. A pod without readiness probe is
Running and Ready at once, unless its image is one of those that specs use for there is none; one
that is deleted goes at once. The nodes say what they are by the
label `type=hollow`. Source of the idea: Kubernetes' kubemark.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import time
from pathlib import Path

from mizzen.base.clock import rfc3339
from mizzen.base.errors import ApiError, NotFound
from mizzen.base.objects import Key, Obj, key_of
from mizzen.base.resources import LEASES, NODES, PODS
from mizzen.client.client import Client
from mizzen.client.informer import Informer

CAPACITY = {
    "cpu": "32",
    "memory": "64Gi",
    "ephemeral-storage": "100Gi",
    "pods": "110",
}
HEARTBEAT_S = 10.0
NO_IMAGES = (
    ":404",
    ":nonexistent",
    ":non-existent",
)  # how names of images end that no registry has
LEASE_NAMESPACE = "kube-node-lease"


class HollowNodes:
    """Some nodes, their heartbeats, and the status of the pods that are bound to them."""

    def __init__(self, client: Client, count: int) -> None:
        self._client = client
        self._names = tuple(f"hollow-{number}" for number in range(count))
        self._pods = Informer(client, PODS)
        self._changed: asyncio.Queue[Key] = asyncio.Queue()
        self._addresses = 0

    async def run(self) -> None:
        """Runs until it is cancelled."""
        for index, name in enumerate(self._names):
            await self._register(name, f"10.200.0.{index + 1}")
        self._pods.add_handler(lambda kind, old, new: self._changed.put_nowait(key_of(new)))
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pods.run())
            group.create_task(self._beat())
            while True:
                key = await self._changed.get()
                with contextlib.suppress(ApiError):  # changed meanwhile: told again
                    await self._serve(key)

    async def _register(self, name: str, address: str) -> None:
        labels = {
            "type": "hollow",
            "kubernetes.io/hostname": name,
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
        }
        with contextlib.suppress(NotFound):
            await self._client.delete(NODES, name)
        await self._client.create(NODES, {"metadata": {"name": name, "labels": labels}})
        now = rfc3339(time.time_ns())
        condition = {
            "type": "Ready",
            "status": "True",
            "reason": "KubeletReady",
            "message": "nothing runs here: a node that pretends",
            "lastHeartbeatTime": now,
            "lastTransitionTime": now,
        }
        status = {
            "capacity": CAPACITY,
            "allocatable": CAPACITY,
            "conditions": [condition],
            "addresses": [
                {"type": "InternalIP", "address": address},
                {"type": "Hostname", "address": name},
            ],
        }
        await self._client.patch(NODES, name, {"status": status}, subresource="status")

    async def _beat(self) -> None:
        while True:
            for name in self._names:
                now = rfc3339(time.time_ns()).removesuffix("Z") + ".000000Z"
                spec = {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": now}
                metadata = {"name": name, "namespace": LEASE_NAMESPACE}
                lease = {"metadata": metadata, "spec": spec}
                try:
                    await self._client.patch(LEASES, name, {"spec": spec}, LEASE_NAMESPACE)
                except NotFound:
                    with contextlib.suppress(ApiError):
                        await self._client.create(LEASES, lease)
                except ApiError as error:
                    print(f"heartbeat of {name}: {error}", file=sys.stderr)
            await asyncio.sleep(HEARTBEAT_S)

    async def _serve(self, key: Key) -> None:
        pod = self._pods.objects.get(key)
        if pod is None or pod["spec"].get("nodeName") not in self._names:
            return
        if "deletionTimestamp" in pod["metadata"]:
            await self._client.delete(PODS, key.name, key.namespace, grace_period_s=0)
            return
        if any(str(c.get("image")).endswith(NO_IMAGES) for c in pod["spec"]["containers"]):
            return
        if pod.get("status", {}).get("phase", "Pending") == "Pending":
            self._addresses += 1
            address = f"10.201.{self._addresses // 250 % 250}.{self._addresses % 250 + 1}"
            status = running(pod, address, rfc3339(time.time_ns()))
            patch = {"status": status}
            await self._client.patch(PODS, key.name, patch, key.namespace, subresource="status")


def running(pod: Obj, address: str, now: str) -> Obj:
    """The status of a pod all of whose containers run."""
    spec = pod["spec"]
    types = ("PodReadyToStartContainers", "Initialized", "ContainersReady", "Ready", "PodScheduled")
    return {
        "phase": "Running",
        "startTime": now,
        "hostIP": "10.200.0.1",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "conditions": [
            {"type": each, "status": "True", "lastTransitionTime": now} for each in types
        ],
        "initContainerStatuses": [
            _container(each, {"terminated": {"exitCode": 0, "reason": "Completed",
                                             "startedAt": now, "finishedAt": now}})
            for each in spec.get("initContainers") or []
        ],
        "containerStatuses": [
            _container(each, {"running": {"startedAt": now}}) for each in spec["containers"]
        ],
    }  # fmt: skip


def _container(container: Obj, state: Obj) -> Obj:
    return {
        "name": container["name"],
        "image": container.get("image", ""),
        "imageID": "",
        "containerID": f"hollow://{container['name']}",
        "ready": True,
        "started": True,
        "restartCount": 0,
        "state": state,
    }


async def pretend(kubeconfig: Path, count: int) -> None:
    async with Client.from_kubeconfig(kubeconfig, user_agent="hollow-nodes") as client:
        await HollowNodes(client, count).run()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("kubeconfig", type=Path)
    parser.add_argument("--nodes", type=int, default=3)
    arguments = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(pretend(arguments.kubeconfig, arguments.nodes))
