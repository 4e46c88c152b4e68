"""How long a quiet user waits beside a greedy one, on Mizzen's API server and on kube-apiserver.

    python bench/apiserver/fairness.py [--gets 100] [--connections 200]

Both users are service accounts, so of one priority level. The greedy one lists 10 MB on each of its
connections again and again, the quiet one gets one small thing after the other. The driver is that
of `requests.py`; `make bench-api` builds the programs. No get may be refused.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER), str(FOLDER.parent), str(FOLDER.parent.parent / "tests")]

from measuring import Figure, main  # noqa: E402
from requests import DRIVER, Load, Side, load  # noqa: E402

from support.api_process import running  # noqa: E402
from support.http_users import account_token  # noqa: E402
from support.peers import programs  # noqa: E402
from support.real_cluster import real_cluster  # noqa: E402

LISTED, LISTED_BYTES = 100, 100_000
SETTLED_S = 3.0  # until the greedy one has all its connections
Call = Callable[[str, str, Any], tuple[int, Any]]


def measure_side(side: Side, call: Call, arguments: argparse.Namespace) -> tuple[Load, Load]:
    """The quiet user's gets alone, and beside the greedy one."""
    maps = "/api/v1/namespaces/default/configmaps"
    for number in range(LISTED):
        body = {"metadata": {"name": f"load-{number}"}, "data": {"x": "y" * LISTED_BYTES}}
        status, answer = call("POST", maps, body)
        if status != 201:
            raise SystemExit(f"no ConfigMap could be made: {answer}")
    small = {"metadata": {"name": "small-000000"}, "data": {}}
    call("POST", maps, small)
    quiet = Side(side.url, side.authority, account_token(call, "quiet"), side.pids)
    greedy = account_token(call, "greedy")
    gets = ("-do", "get", "-kind", "configmaps", "-prefix", "small", "-objects", "1",
            "-concurrency", "1", "-count", str(arguments.gets))  # fmt: skip
    alone = load(quiet, *gets)
    command = [
        str(programs(DRIVER) / DRIVER), "-server", side.url, "-ca", str(side.authority),
        "-token", greedy, "-do", "list", "-kind", "configmaps", "-count", str(10**9),
        "-concurrency", str(arguments.connections),
    ]  # fmt: skip
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdin is not None and other.stdout is not None
        other.stdout.readline()
        other.stdin.write("\n")
        other.stdin.flush()
        time.sleep(SETTLED_S)
        try:
            return alone, load(quiet, *gets)
        finally:
            other.kill()


def measure(arguments: argparse.Namespace) -> Iterator[Figure]:
    found: dict[str, tuple[Load, Load]] = {}
    with tempfile.TemporaryDirectory(prefix="mizzen-bench-") as folder, running(Path(folder)) as it:
        side = Side(it.url, it.home.pki / "ca.crt", it.tokens["admin"], [it.process.pid])
        found["mizzen"] = measure_side(side, it.call, arguments)
    with (
        tempfile.TemporaryDirectory(prefix="mizzen-bench-") as folder,
        real_cluster(Path(folder), gates=(), runtime_config=(), is_durable=True) as it,
    ):
        pids = [process.pid for process in it.processes]
        side = Side(it.url, it.authority, it.tokens["admin"], pids)
        found["kube-apiserver"] = measure_side(side, it.call, arguments)
    most = found["kube-apiserver"][1].p99_ms
    for name, (alone, beside) in found.items():
        yield Figure(f"a quiet user's gets: p99 alone, {name}", alone.p99_ms, "ms")
        yield Figure(
            f"beside {arguments.connections} greedy lists: p50, {name}", beside.p50_ms, "ms"
        )
        bound = most if name == "mizzen" else None
        beside_ms = beside.p99_ms
        yield Figure(
            f"beside {arguments.connections} greedy lists: p99, {name}", beside_ms, "ms", bound
        )


if __name__ == "__main__":
    sys.exit(
        main(
            __doc__ or "",
            measure,
            [("gets", 100, "of the quiet user"), ("connections", 200, "of the greedy user")],
        )
    )
