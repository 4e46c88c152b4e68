"""What the library adds to a 200 ms step without staging: reading, logging, reporting, control.

    python bench/train_overhead.py [--steps 25]

The share of the loop's time that was not the step itself. The step spins on the clock, so its own length is known exactly.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from measuring import Figure, main

from mizzen import train

STEP_S = 0.2
LIMIT = 0.01


def measure(arguments: argparse.Namespace) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="mizzen-bench-") as folder:
        os.environ["MIZZEN_OUTPUT"] = folder
        with output_in(os.path.join(folder, "log")):
            found = run(arguments.steps)
    return [
        Figure("step", found["step_ms"], "ms"),
        Figure("added to each step", found["added_ms_per_step"], "ms"),
        Figure("added / step", found["overhead"], "x", LIMIT),
    ]


@contextmanager
def output_in(path: str) -> Iterator[None]:
    """Sends file descriptor 1 into a file: the library writes its progress there itself."""
    kept = os.dup(1)
    with open(path, "w") as log:
        os.dup2(log.fileno(), 1)
        try:
            yield
        finally:
            os.dup2(kept, 1)
            os.close(kept)


def run(steps: int) -> dict[str, float]:
    rows = np.random.default_rng(0).integers(0, 256, (30_000, 257), dtype=np.uint16)
    state = {"w": np.zeros(800_000, np.float32)}
    job = train.init(steps=steps, stage_every=1_000_000_000)
    computed = total = 0.0
    for world in job.worlds():
        world.restore(lambda: state)
        began = last = time.perf_counter()
        for _ in world.data(rows, global_batch=6):
            start = time.perf_counter()
            while time.perf_counter() - start < STEP_S:
                pass
            computed += time.perf_counter() - start
            if world.done < steps - 1:
                last = time.perf_counter()
                final = computed
            world.step(state, loss=1.0)
        total = last - began  # the last step stages, as the end of every formation does
    return {
        "steps": steps - 1,
        "step_ms": round(1e3 * final / (steps - 1), 3),
        "added_ms_per_step": round(1e3 * (total - final) / (steps - 1), 3),
        "overhead": round((total - final) / final, 5),
    }


if __name__ == "__main__":
    raise SystemExit(main(__doc__ or "", measure, (("steps", 25, "steps of 200 ms"),)))
