"""How long the shim takes from the agent's request to a pod's process that runs.

    python bench/spawning.py [--runs 50]

One after the other, as an agent that starts one pod waits for it; a program that does nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from pathlib import Path
from statistics import median

from measuring import Figure, main

from mizzen.node.runtimes.process.shim_client import Message, Shim

STARTED_MS = 10


def measure(arguments: argparse.Namespace) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="mizzen-bench-") as folder:
        took = asyncio.run(_spawn(Path(folder), arguments.runs))
    return [Figure("a process starts", median(took) * 1e3, "ms", STARTED_MS)]


async def _spawn(folder: Path, runs: int) -> list[float]:
    heard: asyncio.Queue[Message] = asyncio.Queue()
    shim = Shim(folder, heard.put_nowait)
    await shim.connect()
    took: list[float] = []
    for number in range(runs):
        began = time.perf_counter()
        shim.spawn(
            {
                "key": f"pod/main/{number}",
                "argv": ["sleep", "600"],
                "env": {"PATH": os.environ["PATH"]},
                "cwd": str(folder),
                "log": str(folder / f"{number}.log"),
                "record": str(folder / f"{number}.run.json"),
            }
        )
        while (await heard.get())["event"] != "started":
            pass
        took.append(time.perf_counter() - began)
    shim.shutdown()
    await shim.lost.wait()
    await shim.close()
    return took


if __name__ == "__main__":
    raise SystemExit(main(__doc__ or "", measure, (("runs", 50, "processes"),)))
