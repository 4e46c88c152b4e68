"""Training that goes on until it is told to end: small steps, each with a real sum over the ranks.

    python patient_training.py STEPS FILE

While FILE is not there each step rests a little, and longer the more steps are done, so that 1000
of them last 18 minutes however quick the machine is; once it is there they are computed as fast as
they can be. So whoever tests neither waits for steps nor runs out of them.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from mizzen import train

ROWS = np.random.default_rng(7).standard_normal((96, 4096), np.float32)
GLOBAL_BATCH = 6
RATE = 1e-4
REST_S = 0.02  # the first one
DOUBLED_EVERY = 120  # steps


def distance(weights, rows):
    """How far the rows are from their weights, and where to go."""
    away = weights - rows.mean(0)
    return (away * away).mean(), away


def main() -> None:
    steps, told = int(sys.argv[1]), Path(sys.argv[2])
    job = train.init(steps=steps, framework="jax")
    fresh = np.zeros(ROWS.shape[1], np.float32)
    towards = job.compile(distance, lambda size: (fresh, ROWS[: GLOBAL_BATCH // size]))
    for world in job.worlds():
        weights = world.restore(lambda: fresh)
        for rows in world.data(ROWS, GLOBAL_BATCH):
            loss, away = world.mean(towards(weights, rows))
            weights = weights - RATE * away
            if not told.exists():
                time.sleep(REST_S * 2 ** (world.done / DOUBLED_EVERY))
            world.step(weights, loss=loss)


if __name__ == "__main__":
    main()
