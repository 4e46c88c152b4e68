"""How fast `mizzen up` is ready, how fast `down` is done, and what the idle instance weighs.

    python bench/startup.py [RUNS]

Prints the medians of RUNS (default 3) fresh instances and the promise beside each.
Exits 1 when a promise is broken.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time

READY_S = 3.0
IDLE_BYTES = 400 * 2**20
_SETTLE_S = 3.0  # idle means: nothing left over from starting


def main() -> int:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    results = [_measure() for _ in range(runs)]
    medians = {key: statistics.median(r[key] for r in results) for key in results[0]}
    print(f"first up  {medians['up_s']:6.2f} s   (promise: at most {READY_S} s)")
    print(f"up again  {medians['again_s']:6.2f} s   (promise: at most {READY_S} s)")
    print(f"down      {medians['down_s']:6.2f} s")
    print(
        f"idle      {medians['bytes'] / 2**20:6.0f} MiB (promise: at most {IDLE_BYTES >> 20} MiB)"
    )
    slowest_s = max(medians["up_s"], medians["again_s"])
    return 0 if slowest_s <= READY_S and medians["bytes"] <= IDLE_BYTES else 1


def _measure() -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="mizzen-bench-") as home:
        up_s = _timed(home, "up", "--detach")
        time.sleep(_SETTLE_S)
        status = json.loads(_mizzen(home, "status", "-o", "json"))
        down_s = _timed(home, "down")
        again_s = _timed(home, "up", "--detach")
        _mizzen(home, "down")
    return {"up_s": up_s, "again_s": again_s, "down_s": down_s, "bytes": status["memoryBytes"]}


def _timed(home: str, *words: str) -> float:
    began = time.perf_counter()
    _mizzen(home, *words)
    return time.perf_counter() - began


def _mizzen(home: str, *words: str) -> str:
    command = [sys.executable, "-m", "mizzen.cli", "--home", home, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    raise SystemExit(main())
