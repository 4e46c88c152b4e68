"""What Mizzen's API server holds in memory by its number of pods, and how soon it is ready with them.

    python bench/apiserver/memory.py [--small 10000] [--pods 100000] [--large 0] [--beside 1]

The same pods are created on both sides, by the driver of `requests.py`; memory is resident, of the
server's processes (kube-apiserver's and etcd's together), 5 s after the last. `--large` builds a
store of so many pods without a server, then opens it (1300000: a million pods and 256,000 nodes need
5 GB). `--beside 0` leaves kube-apiserver out.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER.parent), str(FOLDER.parent.parent / "tests")]

from measuring import Figure, main  # noqa: E402
from requests import Side, kube_apiserver, load  # noqa: E402

from mizzen.host.process import resident_bytes  # noqa: E402
from mizzen.store import building  # noqa: E402
from mizzen.store.inspection import FORMAT  # noqa: E402
from mizzen.store.store import ObjectKey, Stored  # noqa: E402
from support.api_process import ApiServer, start  # noqa: E402

READY_S = 3.0
TIMES_LESS = 5.0
_SETTLE_S = 5.0
_PATTERN = "pod-000000000"  # the name in the template, as long as all others


def _held(pids: Sequence[int]) -> float:
    time.sleep(_SETTLE_S)
    return sum(map(resident_bytes, pids)) / 2**20


def _steps(arguments: argparse.Namespace) -> list[tuple[int, int]]:
    """(pods in all, pods to create) of each step."""
    totals = sorted({arguments.small, arguments.pods})
    return [(n, n - before) for n, before in zip(totals, [0, *totals], strict=False)]


def _filled(side: Side, arguments: argparse.Namespace) -> Iterator[tuple[int, float]]:
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


def _template(server: ApiServer) -> bytes:
    """A pod as the server has stored it, by the name `_PATTERN`."""
    side = _side(server)
    load(side, "-do", "create", "-prefix", _PATTERN.rpartition("-")[0], "-count", "1")
    _, listed = server.call("GET", "/api/v1/pods?limit=1")
    name = listed["items"][0]["metadata"]["name"]
    path = f"/api/v1/namespaces/{listed['items'][0]['metadata']['namespace']}/pods/{name}"
    with server.open("GET", path, None, "admin", "", "application/json") as answer:
        return answer.read().replace(name.encode(), _PATTERN.encode())


def _large(count: int) -> Iterator[Figure]:
    """A store of so many pods, each with text of its own, opened."""
    with tempfile.TemporaryDirectory(prefix="mizzen-bench-") as folder:
        root = Path(folder)
        server = start(root)
        template = _template(server)
        _stop(server)
        store = server.home.store
        for file in store.glob("*.mdb"):
            file.unlink()

        def pods() -> Iterator[Stored]:
            for number in range(count):
                name = f"pod-{number:09}"
                data = template.replace(_PATTERN.encode(), name.encode())
                yield Stored(ObjectKey("pods", "load", name), number + 1, data)

        building.build(store, pods(), (), count, format=FORMAT)
        server, took_s = _timed(root)
        try:
            held = _held([server.process.pid])
        finally:
            _stop(server)
        yield Figure(f"ready with {count:,} pods", took_s, "s")
        yield Figure(f"resident, {count:,} pods", held, "MiB")
        yield Figure(f"a pod, of {count:,}", held * 2**20 / count, "bytes")


def measure(arguments: argparse.Namespace) -> Iterator[Figure]:
    ours: dict[int, float] = {}
    with tempfile.TemporaryDirectory(prefix="mizzen-bench-") as folder:
        root = Path(folder)
        server, empty_s = _timed(root)
        try:
            empty = _held([server.process.pid])
            yield Figure("ready, new store", empty_s, "s")
            yield Figure("resident, empty", empty, "MiB")
            ours.update(_filled(_side(server), arguments))
        finally:
            _stop(server)
        for total, held in ours.items():
            yield Figure(f"resident, {total:,} pods, mizzen", held, "MiB")
            each = (held - empty) * 2**20 / total
            yield Figure(f"a pod more, up to {total:,}, mizzen", each, "bytes")
        server, took_s = _timed(root)
        again = _held([server.process.pid])
        _stop(server)
        most = max(ours)
        yield Figure(f"ready with {most:,} pods", took_s, "s", READY_S)
        yield Figure(f"resident, {most:,} pods, started again", again, "MiB")
    if arguments.beside:
        with kube_apiserver() as side:
            theirs = dict(_filled(side, arguments))
        for total, held in theirs.items():
            yield Figure(f"resident, {total:,} pods, kube-apiserver and etcd", held, "MiB")
        times = theirs[most] / ours[most]
        yield Figure("resident, times less", times, "x", at_least=TIMES_LESS)
    if arguments.large:
        yield from _large(arguments.large)


if __name__ == "__main__":
    sys.exit(
        main(
            __doc__ or "",
            measure,
            [
                ("small", 10_000, "pods at first"),
                ("pods", 100_000, "pods at the end"),
                ("large", 0, "pods in a store that is built, 0 for none"),
                ("beside", 1, "1: kube-apiserver with etcd, too"),
            ],
        )
    )
