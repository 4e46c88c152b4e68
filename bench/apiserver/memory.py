"""What Mizzen's API server holds in memory by its number of pods, and how soon it is ready with them.

    python bench/apiserver/memory.py [--small 10000] [--pods 100000] [--beside 1]
        [--large 0] [--nodes 0]

The same pods are created on both sides, by the driver of `requests.py`; memory is resident, of the
server's processes (kube-apiserver's and etcd's together), 5 s after the last. What is anonymous of it
is the processes' own; the rest is mapped files, which the kernel can take back at any time.
`--large` and `--nodes` build a store of so many pods and nodes without a server, as its own builder
writes one, then open it: `--large 1000000 --nodes 256000` wants 8 GB of disk and of memory each, and
a quarter of an hour. `--pods 0` leaves creating out, `--beside 0` kube-apiserver.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER.parent), str(FOLDER.parent.parent / "tests")]

from measuring import Figure, cpu_us, main  # noqa: E402
from requests import Side, kube_apiserver, load  # noqa: E402

from mizzen.host.process import resident_bytes  # noqa: E402
from mizzen.store import building  # noqa: E402
from mizzen.store.inspection import DATA, FORMAT  # noqa: E402
from mizzen.store.store import ObjectKey, Stored  # noqa: E402
from support.api_process import ApiServer, start  # noqa: E402

READY_S = 3.0
TIMES_LESS = 5.0
_SETTLE_S = 5.0


@dataclass(frozen=True)
class Held:
    """MiB of some processes, `anonymous` of them in no file."""

    resident: float
    anonymous: float


def _held(pids: Sequence[int]) -> Held:
    time.sleep(_SETTLE_S)
    return Held(sum(map(resident_bytes, pids)) / 2**20, sum(map(_anonymous_bytes, pids)) / 2**20)


def _anonymous_bytes(pid: int) -> int:
    """Source: proc(5), /proc/PID/status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("RssAnon:"))


def _steps(arguments: argparse.Namespace) -> list[tuple[int, int]]:
    """(pods in all, pods to create) of each step."""
    totals = sorted({arguments.small, arguments.pods})
    return [(n, n - before) for n, before in zip(totals, [0, *totals], strict=False)]


def _filled(side: Side, arguments: argparse.Namespace) -> Iterator[tuple[int, Held]]:
    for total, more in _steps(arguments):
        load(side, "-do", "create", "-prefix", f"up-to-{total}", "-count", str(more))
        yield total, _held(side.pids)


def _side(server: ApiServer) -> Side:
    pids = [server.process.pid]
    return Side(server.url, server.home.pki / "ca.crt", server.tokens["admin"], pids)


def _stop(server: ApiServer) -> None:
    server.process.terminate()
    server.process.wait(60)


def _timed(root: Path) -> tuple[ApiServer, float]:
    began = time.perf_counter()
    return start(root), time.perf_counter() - began


_NODE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {
        "name": "node-000000000",
        "labels": {
            "kubernetes.io/arch": "amd64",
            "kubernetes.io/os": "linux",
            "kubernetes.io/hostname": "node-000000000",
            "node.kubernetes.io/instance-type": "accelerated-8",
            "topology.kubernetes.io/region": "region-1",
            "topology.kubernetes.io/zone": "region-1-a",
        },
    },
    "spec": {"podCIDR": "10.0.0.0/24", "providerID": "example://region-1-a/node-000000000"},
    "status": {
        "capacity": {"cpu": "192", "memory": "2113000000Ki", "pods": "110"},
        "allocatable": {"cpu": "190", "memory": "2100000000Ki", "pods": "110"},
        "addresses": [
            {"type": "InternalIP", "address": "10.0.0.1"},
            {"type": "Hostname", "address": "node-000000000"},
        ],
        "conditions": [
            {
                "type": type, "status": status, "reason": f"Kubelet{type}",
                "message": f"kubelet has sufficient {type} available",
                "lastHeartbeatTime": "2026-01-01T00:00:00Z",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }
            for type, status in (
                ("MemoryPressure", "False"), ("DiskPressure", "False"),
                ("PIDPressure", "False"), ("Ready", "True"),
            )
        ],
        "nodeInfo": {
            "machineID": "0" * 32, "systemUUID": "0" * 32, "bootID": "0" * 32,
            "kernelVersion": "6.12.0", "osImage": "Linux", "operatingSystem": "linux",
            "architecture": "amd64", "containerRuntimeVersion": "containerd://2.1.0",
            "kubeletVersion": "v1.36.0", "kubeProxyVersion": "",
        },
    },
}  # fmt: skip


def _templates(server: ApiServer) -> dict[str, bytes]:
    """A pod and a node as the server has stored them, by names that end in nine zeros."""
    load(_side(server), "-do", "create", "-prefix", "pod", "-count", "1")
    listed = server.call("GET", "/api/v1/pods?limit=1")[1]["items"][0]["metadata"]
    name = listed["name"]
    status, answer = server.call("POST", "/api/v1/nodes", _NODE)
    assert status == 201, answer
    found: dict[str, bytes] = {}
    for resource, own, path in (
        ("nodes", "node-000000000", "nodes/node-000000000"),
        ("pods", name, f"namespaces/{listed['namespace']}/pods/{name}"),
    ):
        with server.open("GET", f"/api/v1/{path}", None, "admin", "", "application/json") as read:
            wanted = f"{resource[:-1]}-000000000"
            found[resource] = read.read().replace(own.encode(), wanted.encode())
    return found


def _large(pods: int, nodes: int) -> Iterator[Figure]:
    """A store of so many objects, each with text of its own, opened."""
    count = pods + nodes
    with tempfile.TemporaryDirectory(prefix="mizzen-bench-") as folder:
        root = Path(folder)
        server = start(root)
        templates = _templates(server)
        empty = _held([server.process.pid])
        _stop(server)
        store = server.home.store
        for file in store.glob("*.mdb"):
            file.unlink()

        def objects() -> Iterator[Stored]:
            revision = 0
            for resource, namespace, many in (("nodes", "", nodes), ("pods", "load", pods)):
                singular, template = resource[:-1], templates[resource]
                for number in range(many):
                    revision += 1
                    name = f"{singular}-{number:09}"
                    data = template.replace(b"%b-000000000" % singular.encode(), name.encode())
                    yield Stored(ObjectKey(resource, namespace, name), revision, data)

        began = time.perf_counter()
        building.build(store, objects(), (), count, format=FORMAT)
        built_s = time.perf_counter() - began
        size = (store / DATA).stat().st_size
        server, took_s = _timed(root)
        used_s = cpu_us(server.process.pid) / 1e6
        try:
            held = _held([server.process.pid])
            began = time.perf_counter()
            server.call("GET", "/api/v1/pods?limit=500")
            listed_s = time.perf_counter() - began
        finally:
            _stop(server)
        what = f"{pods:,} pods and {nodes:,} nodes"
        for resource in ("pods", "nodes"):
            yield Figure(f"JSON of one of the {resource}", len(templates[resource]), "bytes")
        yield Figure(f"store built with {what}", built_s, "s")
        yield Figure(f"its file, with {what}", size / 2**20, "MiB")
        yield Figure(f"ready with {what}", took_s, "s")
        yield Figure(f"CPU until then, {what}", used_s, "s")
        yield Figure(f"resident, {what}", held.resident, "MiB")
        more = (held.resident - empty.resident) * 2**20
        yield Figure(f"an object more, of {count:,}", more / count, "bytes")
        yield Figure(f"first 500 pods listed, of {what}", listed_s * 1e3, "ms")


def measure(arguments: argparse.Namespace) -> Iterator[Figure]:
    if arguments.pods:
        yield from _created(arguments)
    if arguments.large:
        yield from _large(arguments.large, arguments.nodes)


def _created(arguments: argparse.Namespace) -> Iterator[Figure]:
    ours: dict[int, Held] = {}
    with tempfile.TemporaryDirectory(prefix="mizzen-bench-") as folder:
        root = Path(folder)
        server, empty_s = _timed(root)
        try:
            empty = _held([server.process.pid]).resident
            yield Figure("ready, new store", empty_s, "s")
            yield Figure("resident, empty", empty, "MiB")
            ours.update(_filled(_side(server), arguments))
        finally:
            _stop(server)
        for total, held in ours.items():
            yield Figure(f"resident, {total:,} pods, mizzen", held.resident, "MiB")
            yield Figure(f"anonymous of it, {total:,} pods, mizzen", held.anonymous, "MiB")
            each = (held.resident - empty) * 2**20 / total
            yield Figure(f"a pod more, up to {total:,}, mizzen", each, "bytes")
        server, took_s = _timed(root)
        again = _held([server.process.pid]).resident
        _stop(server)
        most = max(ours)
        yield Figure(f"ready with {most:,} pods", took_s, "s", READY_S)
        yield Figure(f"resident, {most:,} pods, started again", again, "MiB")
    if arguments.beside:
        with kube_apiserver() as side:
            theirs = dict(_filled(side, arguments))
        for total, held in theirs.items():
            where = f"{total:,} pods, kube-apiserver and etcd"
            yield Figure(f"resident, {where}", held.resident, "MiB")
            yield Figure(f"anonymous of it, {where}", held.anonymous, "MiB")
        times = theirs[most].resident / ours[most].resident
        yield Figure("resident, times less", times, "x", at_least=TIMES_LESS)
        times = theirs[most].anonymous / ours[most].anonymous
        yield Figure("anonymous, times less", times, "x")


if __name__ == "__main__":
    sys.exit(
        main(
            __doc__ or "",
            measure,
            [
                ("small", 10_000, "pods at first"),
                ("pods", 100_000, "pods at the end"),
                ("large", 0, "pods in a store that is built, 0 for none"),
                ("nodes", 0, "nodes in that store"),
                ("beside", 1, "1: kube-apiserver with etcd, too"),
            ],
        )
    )
