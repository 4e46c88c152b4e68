"""What the library adds to a 200 ms step without staging: reading, logging, reporting, control.

Run: python bench/train_overhead.py [--steps 25]. Prints JSON: the share of the loop's time that was
not the step itself. The step spins on the clock, so its own length is known exactly.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time

import numpy as np

from mizzen import train

STEP_S = 0.2
LIMIT = 0.01


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=25)
    steps = parser.parse_args().steps
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MIZZEN_OUTPUT"] = folder
        report = os.dup(1)
        os.dup2(os.open(os.path.join(folder, "log"), os.O_WRONLY | os.O_CREAT), 1)
        found = run(steps)
        os.dup2(report, 1)
    print(json.dumps({**found, "limit": LIMIT, "within": found["overhead"] <= LIMIT}, indent=1))


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
    main()
