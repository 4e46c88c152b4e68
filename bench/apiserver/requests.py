"""The same requests to Mizzen's API server and to kube-apiserver with etcd: CPU, rates, latencies.

    python bench/apiserver/requests.py [--operations 3000] [--listed 10000] [--rounds 3]

One driver (`tests/kubernetes/peers/load`), TLS, HTTP/1.1, JSON, 64 requests at once; every write is
on disk when it is answered, on both sides. Both have their authorization, validation, admission and
managed fields on. Mizzen's server runs first, then the other, each alone on the machine but for the
driver. CPU is of the server's processes (kube-apiserver and etcd together) while the requests last;
figures are medians over the rounds. `make bench-api` builds the programs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

FOLDER = Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER.parent), str(FOLDER.parent.parent / "tests")]

from measuring import Figure, cpu_us, main  # noqa: E402

from support.api_process import running  # noqa: E402
from support.peers import programs  # noqa: E402
from support.real_cluster import real_cluster  # noqa: E402

DRIVER = "upstream-load"
AT_ONCE = 64
WATCHERS = 100
WATCHED = 1000
LISTS = 10
WITHIN_S = 300
# kube-apiserver's and etcd's CPU in times of ours, at least.
UNLIKE = "create a Pod, no two specs alike"
ELSEWHERE = "unlike"  # a namespace, so that what is listed stays the same
CPU_RATIOS = {
    "create a Pod": 8.0, UNLIKE: None, "get a Pod": 8.0, "apply a Pod": 4.0, "patch a Pod": 7.0,
}  # fmt: skip
LIST_RATIO = 10.0
EVENTS_RATIO = 4.0


@dataclass(frozen=True)
class Side:
    """A server that answers, and the processes it consists of."""

    url: str
    authority: Path
    token: str
    pids: Sequence[int]


@dataclass(frozen=True)
class Load:
    """What the driver said, and the server's CPU in seconds meanwhile."""

    count: int
    seconds: float
    p50_ms: float
    p99_ms: float
    bytes: int
    cpu_s: float

    @property
    def cpu_us_each(self) -> float:
        return 1e6 * self.cpu_s / self.count


def load(side: Side, *options: str) -> Load:
    """One run of the driver. Errors: SystemExit when a request was refused."""
    command = [
        str(programs(DRIVER) / DRIVER), "-server", side.url, "-ca", str(side.authority),
        "-token", side.token, "-concurrency", str(AT_ONCE), *options,
    ]  # fmt: skip
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as driver:
        assert driver.stdin is not None and driver.stdout is not None
        if driver.stdout.readline() != "ready\n":
            raise SystemExit(f"{' '.join(command)} did not begin")
        used = sum(cpu_us(pid) for pid in side.pids)
        driver.stdin.write("\n")
        driver.stdin.flush()
        said = json.loads(driver.stdout.readline())
        used = sum(cpu_us(pid) for pid in side.pids) - used
    if said["errors"]:
        raise SystemExit(f"{said['errors']} requests failed: {said['first_error']}")
    return Load(
        said["count"], said["seconds"], said["p50_ms"], said["p99_ms"], said["bytes"], used / 1e6
    )


@contextlib.contextmanager
def mizzen() -> Iterator[Side]:
    """Mizzen's API server, a process of its own with an empty store."""
    with tempfile.TemporaryDirectory(prefix="mizzen-bench-") as folder, running(Path(folder)) as it:
        it.call("POST", "/api/v1/namespaces", {"metadata": {"name": ELSEWHERE}})
        yield Side(it.url, it.home.pki / "ca.crt", it.tokens["admin"], [it.process.pid])


@contextlib.contextmanager
def kube_apiserver() -> Iterator[Side]:
    """kube-apiserver with etcd, which waits for the disk, its gates as upstream has them."""
    with (
        tempfile.TemporaryDirectory(prefix="mizzen-bench-") as folder,
        real_cluster(Path(folder), gates=(), runtime_config=(), is_durable=True) as it,
    ):
        it.make_namespace(ELSEWHERE)
        pids = [process.pid for process in it.processes]
        yield Side(it.url, it.authority, it.tokens["admin"], pids)


def rows(side: Side, arguments: argparse.Namespace) -> dict[str, list[Load]]:
    """Every kind of request, `rounds` times each."""
    count, found = str(arguments.operations), dict[str, list[Load]]()
    for round in range(arguments.rounds):
        names = ("-prefix", f"pod-{round}", "-count", count)
        for what in ("create", "get", "apply", "patch"):
            found.setdefault(f"{what} a Pod", []).append(load(side, "-do", what, *names))
        # Ours remembers what follows from a spec, as pods come from templates: both are shown.
        unlike = ("-namespace", ELSEWHERE, "-prefix", f"unlike-{round}", "-count", count)
        found.setdefault(UNLIKE, []).append(load(side, "-do", "create", "-distinct", *unlike))
    created = arguments.rounds * arguments.operations
    if created < arguments.listed:
        more = ("-prefix", "more", "-count", str(arguments.listed - created))
        load(side, "-do", "create", *more)
    for _ in range(arguments.rounds):
        lists = load(side, "-do", "list", "-count", str(LISTS), "-concurrency", "1")
        found.setdefault("list", []).append(lists)
    for round in range(arguments.rounds):
        options = ("-watchers", str(WATCHERS), "-count", str(WATCHED), "-prefix", f"seen-{round}")
        found.setdefault("watch", []).append(load(side, "-do", "watch", *options))
    return found


def measure(arguments: argparse.Namespace) -> Iterator[Figure]:
    with mizzen() as side:
        ours = rows(side, arguments)
    with kube_apiserver() as side:
        theirs = rows(side, arguments)

    def of(name: str, value: Callable[[Load], float]) -> tuple[float, float]:
        first, second = ours[name], theirs[name]
        return median(value(each) for each in first), median(value(each) for each in second)

    for name, ratio in CPU_RATIOS.items():
        ours_us, theirs_us = of(name, lambda each: each.cpu_us_each)
        yield Figure(f"{name}: CPU, kube-apiserver and etcd", theirs_us, "us")
        yield Figure(f"{name}: CPU, mizzen", ours_us, "us")
        yield Figure(f"{name}: CPU, times less", theirs_us / ours_us, "x", at_least=ratio)
        ours_s, theirs_s = of(name, lambda each: each.count / each.seconds)
        yield Figure(f"{name}: rate, kube-apiserver", theirs_s, "1/s")
        yield Figure(f"{name}: rate, mizzen", ours_s, "1/s")
        ours_ms, theirs_ms = of(name, lambda each: each.p99_ms)
        yield Figure(f"{name}: p99, kube-apiserver", theirs_ms, "ms")
        yield Figure(f"{name}: p99, mizzen", ours_ms, "ms")
    ours_mb, theirs_mb = of("list", lambda each: each.bytes / 1e6 / each.cpu_s)
    yield Figure("list Pods as JSON, kube-apiserver and etcd", theirs_mb, "MB/CPU-s")
    yield Figure("list Pods as JSON, mizzen", ours_mb, "MB/CPU-s")
    yield Figure("list Pods as JSON: times more", ours_mb / theirs_mb, "x", at_least=LIST_RATIO)
    ours_s, theirs_s = of("watch", lambda each: each.count / each.seconds)
    yield Figure(f"{WATCHERS} watchers: events/s, kube-apiserver", theirs_s, "1/s")
    yield Figure(f"{WATCHERS} watchers: events/s, mizzen", ours_s, "1/s")
    times = ours_s / theirs_s
    yield Figure(f"{WATCHERS} watchers: events/s, times", times, "x", at_least=EVENTS_RATIO)
    ours_ms, theirs_ms = of("watch", lambda each: each.p99_ms)
    yield Figure(f"{WATCHERS} watchers: p99, kube-apiserver", theirs_ms, "ms")
    yield Figure(f"{WATCHERS} watchers: p99, mizzen", ours_ms, "ms", at_most=theirs_ms)


if __name__ == "__main__":
    sys.exit(
        main(
            __doc__ or "",
            measure,
            [
                ("operations", 3000, "requests of a kind in each round"),
                ("listed", 10_000, "pods in the namespace when it is listed, at least"),
                ("rounds", 3, "rounds, whose median counts"),
            ],
        )
    )
