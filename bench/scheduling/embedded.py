"""Scheduling end to end on Mizzen's own API server: from the first binding to the last.

    python bench/scheduling/embedded.py [--nodes 5000] [--pods 6000] [--only plain gangs]

A real API server process with its durable store, over TLS, and a real scheduler process. Nodes,
ResourceSlices, claims, PodGroups and pods are there before the scheduler starts; a watcher in this
process follows the pods. Whatever the processes need of this machine is inside the figures.

Cases: `plain` pods; `devices`: one DRA device for each pod through its ResourceClaim; `gangs` of 8.
Writes are counted from the history of the API server, Events by what their `count` says. CPU is
what each process used from the scheduler's start until the last Event was written.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER.parent), str(FOLDER.parent.parent / "tests")]

import orjson  # noqa: E402
from measuring import Figure, as_json, cpu_us, table  # noqa: E402

from mizzen.base.objects import Obj  # noqa: E402
from mizzen.base.operations import Create, Operation, Patch  # noqa: E402
from mizzen.base.resources import (  # noqa: E402
    DEVICE_CLASSES,
    EVENTS,
    NODES,
    POD_GROUPS,
    PODS,
    RESOURCE_CLAIMS,
    RESOURCE_SLICES,
)
from mizzen.client.client import Client  # noqa: E402
from mizzen.client.informer import Informer  # noqa: E402
from mizzen.compose.pulse import SYNCING  # noqa: E402
from support.api_process import ApiServer, running  # noqa: E402

OPERATIONS_PER_PLAN = 200
DEVICES_PER_NODE = 8
GANG = 8
DRIVER = "gpu.example.com"
WITHIN_S = 100.0  # all pods bound; all Events written


# -- what is there beforehand ------------------------------------------------------------------


def node(name: str) -> Obj:
    return {"metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}}}


def node_status() -> Obj:
    room = {"cpu": "64", "memory": "512Gi", "pods": "110"}
    ready = {"type": "Ready", "status": "True"}
    return {"status": {"capacity": room, "allocatable": room, "conditions": [ready]}}


def resource_slice(name: str) -> Obj:
    devices = [
        {
            "name": f"gpu-{index}",
            "attributes": {"index": {"int": index}, "model": {"string": "H200"}},
            "capacity": {"memory": {"value": "141Gi"}},
        }
        for index in range(DEVICES_PER_NODE)
    ]
    pool = {"name": name, "generation": 1, "resourceSliceCount": 1}
    return {
        "metadata": {"name": f"{name}-gpu"},
        "spec": {"driver": DRIVER, "pool": pool, "nodeName": name, "devices": devices},
    }


def device_class() -> Obj:
    expression = f'device.driver == "{DRIVER}" && device.attributes["{DRIVER}"].model == "H200"'
    return {
        "metadata": {"name": "gpu"},
        "spec": {"selectors": [{"cel": {"expression": expression}}]},
    }


def claim(name: str) -> Obj:
    request = {"name": "gpu", "exactly": {"deviceClassName": "gpu"}}
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"devices": {"requests": [request]}},
    }


def pod(name: str, *, devices: bool = False, gang: str = "") -> Obj:
    container: Obj = {
        "name": "main",
        "image": "registry.example.com/train:1",
        "command": ["python", "-m", "train"],
        "env": [{"name": "RANK", "value": "0"}],
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
    }
    spec: Obj = {"containers": [container], "schedulerName": "mizzen"}
    if devices:
        spec["resourceClaims"] = [{"name": "gpu", "resourceClaimName": name}]
        container["resources"]["claims"] = [{"name": "gpu"}]
    if gang:
        spec["schedulingGroup"] = {"podGroupName": gang}
    metadata = {"name": name, "namespace": "default", "labels": {"app": "bench"}}
    return {"metadata": metadata, "spec": spec}


def pod_group(name: str) -> Obj:
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"schedulingPolicy": {"gang": {"minCount": GANG}}},
    }


def cluster(nodes: int) -> Iterator[Operation]:
    yield Create(DEVICE_CLASSES, device_class())
    for index in range(nodes):
        name = f"n{index:05d}"
        yield Create(NODES, node(name))
        yield Patch(NODES, "", name, node_status(), subresource="status")
        yield Create(RESOURCE_SLICES, resource_slice(name))


def plain(pods: int) -> Iterator[Operation]:
    for index in range(pods):
        yield Create(PODS, pod(f"p{index:06d}"))


def with_devices(pods: int) -> Iterator[Operation]:
    for index in range(pods):
        yield Create(RESOURCE_CLAIMS, claim(f"d{index:06d}"))
        yield Create(PODS, pod(f"d{index:06d}", devices=True))


def gangs(pods: int) -> Iterator[Operation]:
    for gang in range(pods // GANG):
        yield Create(POD_GROUPS, pod_group(f"g{gang:05d}"))
        for rank in range(GANG):
            yield Create(PODS, pod(f"g{gang:05d}-{rank}", gang=f"g{gang:05d}"))


@dataclass(frozen=True)
class Case:
    """`divisor`: how many times fewer pods than `--pods` it gets; `at_least` pods per second."""

    create: Callable[[int], Iterator[Operation]]
    at_least: float
    divisor: int = 1


CASES = {
    "plain": Case(plain, 2000),
    "devices": Case(with_devices, 1000, 2),
    "gangs": Case(gangs, 2000),
}


# -- measuring ---------------------------------------------------------------------------------


@dataclass
class Watched:
    """When pods were seen bound, in seconds of the monotonic clock."""

    wanted: int
    first_s: float = 0.0
    last_s: float = 0.0
    nodes: dict[str, str] = field(default_factory=dict[str, str])
    listed: asyncio.Event = field(default_factory=asyncio.Event)

    async def follow(self, client: Client) -> None:
        """Returns once all are bound. Errors: AssertionError when one is bound twice."""
        all_bound = asyncio.Event()

        def handle(type: str, old: Obj | None, new: Obj) -> None:
            if node := new["spec"].get("nodeName"):
                self._note(new["metadata"]["name"], node)
                if len(self.nodes) == self.wanted:
                    all_bound.set()

        informer = Informer(client, PODS, "default")  # an API server may end a slow watch
        informer.add_handler(handle)
        running = asyncio.create_task(informer.run())
        await informer.wait_synced()
        self.listed.set()
        await all_bound.wait()
        running.cancel()

    def _note(self, name: str, node: str) -> None:
        known = self.nodes.setdefault(name, node)
        assert known == node, f"{name} was on {known} and is on {node}"
        if self.listed.is_set():  # it was not bound before
            self.last_s = time.perf_counter()
            self.first_s = self.first_s or self.last_s


@contextlib.contextmanager
def scheduler(server: ApiServer) -> Iterator[subprocess.Popen[bytes]]:
    """A scheduler process, from the moment it is ready: its caches are filled."""
    reader, writer = os.pipe()
    home = str(server.home.root)
    command = [sys.executable, "-m", "mizzen.compose", "scheduler", "--home", home]
    process = subprocess.Popen([*command, "--ready-fd", str(writer)], pass_fds=(writer,))
    os.close(writer)
    try:
        with os.fdopen(reader, "rb") as pipe:
            said = next((line for line in pipe if not line.startswith(SYNCING)), b"")
            assert said == b"ready\n", "the scheduler did not start"
        yield process
    finally:
        process.terminate()
        process.wait(30)


async def commit(client: Client, operations: Iterator[Operation]) -> None:
    batch: list[Operation] = []
    for operation in operations:
        batch.append(operation)
        if len(batch) == OPERATIONS_PER_PLAN:
            await client.commit(batch)
            batch.clear()
    await client.commit(batch)


async def history(client: Client, since: int) -> tuple[Counter[str], Counter[str]]:
    """Writes by verb and resource, and revisions by their plan; both after a revision."""
    writes: Counter[str] = Counter()
    plans: Counter[str] = Counter()
    async with aclosing(client.lines("/mizzen/v1/history", params={"since": str(since)})) as lines:
        async for line in lines:
            entry: dict[str, Any] = orjson.loads(line)
            writes[f"{entry['verb']} {entry['resource']}"] += 1
            plans[entry.get("plan") or ""] += 1
    plans.pop("", None)
    return writes, plans


async def events_told(client: Client, least: int) -> int:
    """Waits until the Events written tell of so many; how many they do."""
    told = 0
    async with aclosing(client.watch(EVENTS)) as events:
        counts: dict[str, int] = {}
        async for event in events:
            if event.type != "BOOKMARK":
                name = event.object["metadata"]["name"]
                told -= counts.get(name, 0)
                counts[name] = event.object.get("count") or 1
                told += counts[name]
            if told >= least:
                break
    return told


def check_devices(claims: Sequence[Obj]) -> None:
    """Errors: AssertionError when a device was given to two claims."""
    given = Counter(
        (result["pool"], result["device"])
        for found in claims
        for result in found.get("status", {}).get("allocation", {}).get("devices", {})["results"]
    )
    twice = [device for device, count in given.items() if count > 1]
    assert not twice, f"given twice: {twice}"


async def measure(name: str, server: ApiServer, nodes: int, pods: int) -> list[Figure]:
    case = CASES[name]
    client = Client.from_kubeconfig(server.home.kubeconfig, user_agent="bench")
    async with client:
        await commit(client, cluster(nodes))
        used = cpu_us(server.process.pid)
        await commit(client, case.create(pods))
        created = cpu_us(server.process.pid) - used
        watched = Watched(pods)
        following = asyncio.create_task(watched.follow(client))
        await watched.listed.wait()
        (_, revision) = await client.list(POD_GROUPS)
        with scheduler(server) as process:
            began_s = time.perf_counter()
            pids = {
                "API server": server.process.pid,
                "scheduler": process.pid,
                "watcher": os.getpid(),
            }
            before = {who: cpu_us(pid) for who, pid in pids.items()}
            await asyncio.wait_for(following, WITHIN_S)
            told = await asyncio.wait_for(events_told(client, pods), WITHIN_S)
            told_s = time.perf_counter() - watched.last_s
            after = {who: cpu_us(pid) for who, pid in pids.items()}
        seconds = watched.last_s - watched.first_s
        writes, plans = await history(client, revision)
        if name == "devices":
            check_devices((await client.list(RESOURCE_CLAIMS))[0])
    ready_s = watched.last_s - began_s
    return [
        Figure(f"{name}: first to last of {pods} bindings", pods / seconds, "pods/s",
               at_least=case.at_least),
        Figure(f"{name}: from the first look at them to the last", pods / ready_s, "pods/s",
               at_least=case.at_least),
        *(Figure(f"{name}: CPU of the {who}", (after[who] - before[who]) / pods, "us/pod")
          for who in pids),
        Figure(f"{name}: CPU of the API server to create them", created / pods, "us/pod"),
        Figure(f"{name}: memory of the API server", memory_mb(server.process.pid), "MB"),
        Figure(f"{name}: Plans", len(plans), ""),
        *(Figure(f"{name}: {what}", count, "writes") for what, count in sorted(writes.items())),
        Figure(f"{name}: Events told of", told, ""),
        Figure(f"{name}: the last of them, after the last binding", told_s, "s"),
    ]  # fmt: skip


def memory_mb(pid: int) -> float:
    """Resident memory. Source: proc(5), `VmRSS` in kB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1e3


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nodes", type=int, default=5000, metavar="N", help="nodes (5000)")
    parser.add_argument("--pods", type=int, default=6000, metavar="N",
                        help="pods of plain and gangs, half as many with devices (6000)")  # fmt: skip
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES), metavar="CASE")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    arguments = parser.parse_args()
    figures: list[Figure] = []
    for name in arguments.only:
        pods = arguments.pods // CASES[name].divisor // GANG * GANG
        with (
            tempfile.TemporaryDirectory(prefix="mizzen-bench-") as home,
            running(Path(home)) as server,
        ):
            figures += asyncio.run(measure(name, server, arguments.nodes, pods))
    print(table(figures))
    if arguments.json:
        arguments.json.write_text(as_json(figures))
    return 0 if all(figure.holds for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
