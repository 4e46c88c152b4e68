"""The same load on a real kube-apiserver, by kube-scheduler and by Mizzen's scheduler.

    python bench/scheduling/kubernetes.py [--nodes 5000] [--pods 2400] [--only plain gangs]

Each side gets a cluster of its own: etcd, kube-apiserver, nodes and ResourceSlices; for Mizzen they
are handed over to it. Its scheduler starts, binds 64 pods, and stands still (SIGSTOP) while the pods
of a round are created; then it goes on. So all pods are there beforehand, and what starting costs
is in no figure. The cases are those of `embedded.py`: `plain` pods; a fourth as many with a DRA
device each (`devices`); half as many in `gangs` of 8. Each is measured in several rounds, one after
the other in the same cluster; the figures are their medians.

Pods per second are counted from the first binding to the last. CPU is what each process used from
then until the last Event was told; an Event that is combined from several counts for all of them.
Writes are revisions of etcd, Events and leases among them. etcd does not wait for the disk, on
either side. `make test-kubernetes` builds the programs.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

FOLDER = Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER), str(FOLDER.parent), str(FOLDER.parent.parent / "tests")]

from embedded import CASES, GANG, Watched, check_devices, cluster, pod  # noqa: E402
from measuring import Figure, as_json, cpu_us, table  # noqa: E402

from mizzen.base.names import HANDED_OVER, HANDED_OVER_TO, SYSTEM_NAMESPACE  # noqa: E402
from mizzen.base.objects import Obj  # noqa: E402
from mizzen.base.operations import Create, Operation, Patch  # noqa: E402
from mizzen.base.resources import EVENTS, NODES, POD_GROUPS, PODS, RESOURCE_CLAIMS  # noqa: E402
from mizzen.client.client import Client  # noqa: E402
from mizzen.client.informer import Informer  # noqa: E402
from support.real_cluster import Cluster, real_cluster  # noqa: E402
from support.second_home import component  # noqa: E402

SIDES = {"kube-scheduler": "default-scheduler", "mizzen": "mizzen"}
DIVISORS = {"plain": 1, "devices": 4, "gangs": 2}
AT_ONCE = 64
WITHIN_S = 200.0
SILENCE_S = 2.0  # without a further Event: all are told
# What is to be reached: kube-scheduler's CPU per pod at least so many times ours, and ours
# at least so many times its pods per second.
CPU_RATIO = {"plain": 10.0, "devices": 10.0}
RATE_RATIO = {"plain": 1.0, "devices": 2.0, "gangs": 1.0}


@contextlib.asynccontextmanager
async def scheduler(side: str, server: Cluster) -> AsyncIterator[dict[str, int]]:
    """The side's scheduler; the processes that work then, by name."""
    names = ("etcd", "API server")
    pids = {name: each.pid for name, each in zip(names, server.processes, strict=False)}
    if side == "mizzen":
        lease = ("--lease-seconds", str(round(WITHIN_S)))  # it is not renewed while it stands still
        async with component("scheduler", server.kubeconfig(), *lease) as process:
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


def of_round(operations: Iterable[Operation], number: int) -> Iterator[Operation]:
    """The same objects under names that no other round has."""
    for operation in operations:
        assert isinstance(operation, Create)
        metadata = {**operation.object["metadata"]}
        metadata["name"] = f"r{number}{metadata['name']}"
        obj: Obj = {**operation.object, "metadata": metadata}
        spec = {**obj["spec"]}
        if claims := spec.get("resourceClaims"):
            renamed = f"r{number}{claims[0]['resourceClaimName']}"
            spec["resourceClaims"] = [{**claims[0], "resourceClaimName": renamed}]
        if group := spec.get("schedulingGroup"):
            spec["schedulingGroup"] = {"podGroupName": f"r{number}{group['podGroupName']}"}
        yield replace(operation, object={**obj, "spec": spec})


@contextlib.contextmanager
def standing_still(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@dataclass
class Told:
    """What the Events say that were written since it began to listen."""

    counts: dict[str, int] = field(default_factory=dict[str, int])
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def hear(self, type: str, old: Obj | None, new: Obj) -> None:
        count = new.get("count") or (new.get("series") or {}).get("count") or 1
        self.counts[new["metadata"]["name"]] = count
        self.changed.set()

    async def all(self, wanted: int) -> None:
        """Returns once they tell of so many, or no more come."""
        with contextlib.suppress(TimeoutError):
            while self.total < wanted:
                self.changed.clear()
                await asyncio.wait_for(self.changed.wait(), SILENCE_S)


@contextlib.asynccontextmanager
async def listening(client: Client) -> AsyncIterator[Told]:
    told = Told()
    informer = Informer(client, EVENTS)
    running = asyncio.create_task(informer.run())
    await informer.wait_synced()
    informer.add_handler(lambda *event: told.hear(*event))
    told.counts.clear()
    try:
        yield told
    finally:
        running.cancel()


async def side_of(
    side: str, nodes: int, pods: int, cases: Iterable[str], rounds: int
) -> dict[str, dict[str, float]]:
    """The side's figures of each case."""
    found: dict[str, dict[str, float]] = {}
    with (
        tempfile.TemporaryDirectory(prefix="mizzen-bench-") as folder,
        real_cluster(Path(folder)) as server,
    ):
        server.make_namespace(SYSTEM_NAMESPACE)
        async with Client.from_kubeconfig(server.kubeconfig(), user_agent="bench") as client:
            say(f"{side}: creates {nodes} nodes")
            made = cluster(nodes)
            await write(client, handed_over(made) if side == "mizzen" else made)
            async with scheduler(side, server) as pids:
                first = [Create(PODS, pod(f"first{index}")) for index in range(AT_ONCE)]
                await bound(client, pids, list(for_scheduler(first, SIDES[side])))
                for case in cases:
                    count = max(GANG, pods // DIVISORS[case] // GANG * GANG)
                    measured: list[dict[str, float]] = []
                    for number in range(rounds):
                        load = of_round(CASES[case].create(count), number)
                        listed = list(for_scheduler(load, SIDES[side]))
                        measured.append(await bound(client, pids, listed))
                        say(f"{side}: {case}: {measured[-1]['pods/s']:,.0f} pods/s")
                    found[case] = {what: median(m[what] for m in measured) for what in measured[0]}
            check_devices([c for c in (await client.list(RESOURCE_CLAIMS))[0] if c.get("status")])
    return found


async def bound(
    client: Client, pids: dict[str, int], operations: list[Operation]
) -> dict[str, float]:
    """Creates what is in `operations` while the scheduler stands still; its figures until all
    pods are bound and the Events of it told. Errors: TimeoutError."""
    pods = sum(isinstance(o, Create) and o.resource == PODS for o in operations)
    before, _ = await client.list(PODS, "default")
    with standing_still(pids["scheduler"]):
        await write(client, operations)
        watched = Watched(len(before) + pods)
        following = asyncio.create_task(watched.follow(client))
        await watched.listed.wait()
        _, revision = await client.list(POD_GROUPS)
        used = {who: cpu_us(pid) for who, pid in pids.items()}
    async with listening(client) as told:
        await asyncio.wait_for(following, WITHIN_S)
        await told.all(pods)
    cpu = {f"CPU of {who}": (cpu_us(pid) - used[who]) / pods for who, pid in pids.items()}
    _, last = await client.list(POD_GROUPS)
    return {
        "pods/s": pods / max(1e-9, watched.last_s - watched.first_s),
        **cpu,
        "writes": (last - revision) / pods,
        "Event writes": len(told.counts) / pods,
        "Events told of": told.total / pods,
    }


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def unit(what: str) -> str:
    return "us/pod" if what.startswith("CPU") else "/pod" if what != "pods/s" else what


def compared(case: str, theirs: dict[str, float], ours: dict[str, float]) -> list[Figure]:
    figures = [
        Figure(f"{case}: {what}, {side}", found[what], unit(what))
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
    parser.add_argument("--pods", type=int, default=2400, metavar="N", help="plain pods (2400)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="of each case (3)")
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES), metavar="CASE")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    arguments = parser.parse_args()
    os.environ.setdefault("MIZZEN_LOG_LEVEL", "WARNING")
    sides = {
        side: asyncio.run(
            side_of(side, arguments.nodes, arguments.pods, arguments.only, arguments.rounds)
        )
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
