"""The same load on a real kube-apiserver, by kube-scheduler and by Mizzen's scheduler.

    python bench/scheduling/kubernetes.py [--nodes 5000] [--pods 3000] [--only plain gangs]

Each side gets a cluster of its own: etcd, kube-apiserver, nodes and ResourceSlices; for Mizzen they
are handed over to it. Then, for each case, the pods are created and the scheduler is started. The
cases are those of `embedded.py`: `plain` pods; a third as many with a DRA device each (`devices`);
about a quarter as many in `gangs` of 8. Pods per second are counted from the first binding to the
last. CPU is what a process used from the scheduler's start to the last binding, less what starting
it for a single pod costs. etcd does not wait for the disk, on either side. `make test-kubernetes`
builds the programs.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER), str(FOLDER.parent), str(FOLDER.parent.parent / "tests")]

from embedded import CASES, GANG, Watched, check_devices, cluster, pod  # noqa: E402
from measuring import Figure, as_json, cpu_us, table  # noqa: E402

from mizzen.base.names import HANDED_OVER, HANDED_OVER_TO, SYSTEM_NAMESPACE  # noqa: E402
from mizzen.base.objects import Obj  # noqa: E402
from mizzen.base.operations import Create, Operation, Patch  # noqa: E402
from mizzen.base.resources import EVENTS, NODES, PODS, RESOURCE_CLAIMS  # noqa: E402
from mizzen.client.client import Client  # noqa: E402
from support.real_cluster import Cluster, real_cluster  # noqa: E402
from support.second_home import component  # noqa: E402

SIDES = {"kube-scheduler": "default-scheduler", "mizzen": "mizzen"}
DIVISORS = {"plain": 1, "devices": 3, "gangs": 4}
AT_ONCE = 64
WITHIN_S = 600.0
# What is to be reached: kube-scheduler's CPU per pod at least so many times ours, and ours
# at least so many times its pods per second.
CPU_RATIO = {"plain": 10.0, "devices": 10.0}
RATE_RATIO = {"plain": 1.0, "devices": 2.0, "gangs": 1.0}

_Cpu = dict[str, float]  # by process, in us


@contextlib.asynccontextmanager
async def scheduler(side: str, server: Cluster) -> AsyncIterator[dict[str, int]]:
    """The side's scheduler; the processes that work then, by name."""
    names = ("etcd", "API server")
    pids = {name: each.pid for name, each in zip(names, server.processes, strict=False)}
    if side == "mizzen":
        async with component("scheduler", server.kubeconfig()) as process:
            yield {**pids, "scheduler": process.popen.pid}
    else:
        with server.kube_scheduler() as popen:
            yield {**pids, "scheduler": popen.pid}


def handed_over(operations: Iterable[Operation]) -> Iterator[Operation]:
    """Nodes with the label and the taint that give them to Mizzen."""
    taint = {"key": HANDED_OVER, "value": HANDED_OVER_TO, "effect": "NoSchedule"}
    for operation in operations:
        if isinstance(operation, Create) and operation.resource == NODES:
            labels = {**operation.object["metadata"]["labels"], HANDED_OVER: HANDED_OVER_TO}
            metadata = {**operation.object["metadata"], "labels": labels}
            obj: Obj = {**operation.object, "metadata": metadata, "spec": {"taints": [taint]}}
            yield replace(operation, object=obj)
        else:
            yield operation


def for_scheduler(operations: Iterable[Operation], name: str) -> Iterator[Operation]:
    for operation in operations:
        if isinstance(operation, Create) and operation.resource == PODS:
            spec = {**operation.object["spec"], "schedulerName": name}
            yield replace(operation, object={**operation.object, "spec": spec})
        else:
            yield operation


async def write(client: Client, operations: Iterable[Operation]) -> None:
    """Many at once: creations first, then the patches of what they made."""
    listed = list(operations)
    for kind in (Create, Patch):
        waiting = iter([operation for operation in listed if isinstance(operation, kind)])

        async def some(waiting: Iterator[Operation]) -> None:
            for operation in waiting:
                await client.commit([operation])

        await asyncio.gather(*(some(waiting) for _ in range(AT_ONCE)))


async def bound(side: str, server: Cluster, client: Client, pods: int) -> tuple[Watched, _Cpu]:
    """Starts the scheduler on `pods` that wait, until they are bound; CPU of each process."""
    listed, _ = await client.list(PODS, "default")
    waiting = [each for each in listed if not each["spec"].get("nodeName")]
    assert len(waiting) == pods, f"{len(waiting)} pods wait, {pods} were made"
    watched = Watched(len(listed))
    following = asyncio.create_task(watched.follow(client))
    await watched.listed.wait()
    before = {each.pid: cpu_us(each.pid) for each in server.processes}
    async with scheduler(side, server) as pids:
        await asyncio.wait_for(following, WITHIN_S)
        used = {who: cpu_us(pid) - before.get(pid, 0.0) for who, pid in pids.items()}
    return watched, used


async def side_of(
    side: str, nodes: int, pods: int, cases: Iterable[str]
) -> dict[str, dict[str, float]]:
    """The side's figures of each case."""
    found: dict[str, dict[str, float]] = {}
    with (
        tempfile.TemporaryDirectory(prefix="mizzen-bench-") as folder,
        real_cluster(Path(folder)) as server,
    ):
        server.make_namespace(SYSTEM_NAMESPACE)
        async with Client.from_kubeconfig(server.kubeconfig(), user_agent="bench") as client:
            made = cluster(nodes)
            await write(client, handed_over(made) if side == "mizzen" else made)
            await write(client, for_scheduler([Create(PODS, pod("first"))], SIDES[side]))
            _, idle = await bound(side, server, client, 1)
            for case in cases:
                count = pods // DIVISORS[case] // GANG * GANG
                await write(client, for_scheduler(CASES[case].create(count), SIDES[side]))
                found[case] = await measure(side, server, client, count, idle)
                if case == "devices":
                    check_devices((await client.list(RESOURCE_CLAIMS))[0])
    return found


async def measure(
    side: str, server: Cluster, client: Client, pods: int, idle: _Cpu
) -> dict[str, float]:
    told = sum(e.get("count") or 1 for e in (await client.list(EVENTS))[0])
    watched, used = await bound(side, server, client, pods)
    events = (await client.list(EVENTS))[0]
    rate = {"pods/s": pods / max(1e-9, watched.last_s - watched.first_s)}
    cpu = {f"CPU of {who}": max(0.0, used[who] - idle[who]) / pods for who in used}
    return rate | cpu | {"Events by then": sum(e.get("count") or 1 for e in events) - told}


def compared(case: str, theirs: dict[str, float], ours: dict[str, float]) -> list[Figure]:
    units = {"pods/s": "pods/s", "Events by then": ""}
    figures = [
        Figure(f"{case}: {what}, {side}", found[what], units.get(what, "us/pod"))
        for what in ours
        for side, found in (("kube-scheduler", theirs), ("mizzen", ours))
    ]
    rates = ours["pods/s"] / theirs["pods/s"]
    cpus = theirs["CPU of scheduler"] / max(1.0, ours["CPU of scheduler"])
    return [
        *figures,
        Figure(f"{case}: our pods/s over theirs", rates, "x", at_least=RATE_RATIO[case]),
        Figure(f"{case}: their CPU per pod over ours", cpus, "x", at_least=CPU_RATIO.get(case)),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nodes", type=int, default=5000, metavar="N", help="nodes (5000)")
    parser.add_argument("--pods", type=int, default=3000, metavar="N", help="plain pods (3000)")
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES), metavar="CASE")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    arguments = parser.parse_args()
    os.environ.setdefault("MIZZEN_LOG_LEVEL", "WARNING")
    sides = {
        side: asyncio.run(side_of(side, arguments.nodes, arguments.pods, arguments.only))
        for side in SIDES
    }
    figures: list[Figure] = []
    for case in arguments.only:
        figures += compared(case, sides["kube-scheduler"][case], sides["mizzen"][case])
    print(table(figures))
    if arguments.json:
        arguments.json.write_text(as_json(figures))
    return 0 if all(figure.holds for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
