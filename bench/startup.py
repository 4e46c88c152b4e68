"""How fast `mizzen up` is ready, how fast `down` is done, and what the idle instance weighs.

    python bench/startup.py [--runs 3]

Medians of fresh instances, driven through the command line. Roles are forks of the supervisor and
share pages with it: what they weigh together is the sum of their proportional sizes, where a page
that five of them share counts a fifth in each; the sum of the resident ones, as `mizzen status` and
ps have it, counts it five times.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time

from measuring import Figure, main, medians

from mizzen.host.process import proportional_bytes

FIRST_S = 1.5
AGAIN_S = 1.0
IDLE_MIB = 150
_SETTLE_S = 3.0  # idle means: nothing left over from starting


def measure(arguments: argparse.Namespace) -> list[Figure]:
    found = medians([_measure() for _ in range(arguments.runs)])
    return [
        Figure("first up", found["up_s"], "s", FIRST_S),
        Figure("up again", found["again_s"], "s", AGAIN_S),
        Figure("down", found["down_s"], "s"),
        Figure("idle, all processes, proportional", found["bytes"] / 2**20, "MiB", IDLE_MIB),
        Figure("idle, all processes, resident", found["resident"] / 2**20, "MiB"),
    ]


def _measure() -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="mizzen-bench-") as home:
        up_s = _timed(home, "up", "--detach")
        time.sleep(_SETTLE_S)
        status = json.loads(_mizzen(home, "status", "-o", "json"))
        held = sum(proportional_bytes(process["pid"]) for process in status["processes"])
        down_s = _timed(home, "down")
        again_s = _timed(home, "up", "--detach")
        _mizzen(home, "down")
    return {
        "up_s": up_s,
        "again_s": again_s,
        "down_s": down_s,
        "bytes": held,
        "resident": status["memoryBytes"],
    }


def _timed(home: str, *words: str) -> float:
    began = time.perf_counter()
    _mizzen(home, *words)
    return time.perf_counter() - began


def _mizzen(home: str, *words: str) -> str:
    command = [sys.executable, "-m", "mizzen.cli", "--home", home, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    raise SystemExit(main(__doc__ or "", measure, (("runs", 3, "fresh instances"),)))
