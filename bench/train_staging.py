"""What staging costs against a bare memcpy of the same arrays, in one run, by turns.

    python bench/train_staging.py [--rounds 40]

Medians in ms of CPU and their ratio for a
state like the example's (36 leaves, 10 MB) and one eight times its size. Between measurements
32 MB of other memory are touched, as a training step does, so neither side finds its data in
the cache. The checksum and all bookkeeping are part of staging; preparing the buffers is not. Both copy
into shared memory that is already mapped.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
from measuring import Figure, main

from mizzen.train import state
from mizzen.train.files import create_rank, map_buffers, open_rank
from mizzen.train.staging import Stage

LIMIT = 1.2


def leaves(scale: int) -> dict[str, np.ndarray]:
    """Twelve parameters of the example model, each with two moments."""
    shapes = {
        "embedding": (261, 128), "attention_norm": (4, 128), "query": (4, 128, 128),
        "key": (4, 128, 64), "value": (4, 128, 64), "attention_out": (4, 128, 128),
        "feed_norm": (4, 128), "gate": (4, 128, 352), "up": (4, 128, 352),
        "down": (4, 352, 128), "final_norm": (128,), "output": (128, 261),
    }  # fmt: skip
    random = np.random.default_rng(0)
    return {
        f"{group}/{name}": random.standard_normal((scale * shape[0], *shape[1:])).astype(np.float32)
        for group in ("first", "params", "second")
        for name, shape in shapes.items()
    }


def compare(folder: Path, scale: int, rounds: int) -> dict[str, float]:
    create_rank(folder / "rank-0", awaits=1)
    arrays = leaves(scale)
    layout = state.Layout.of(arrays)
    stage = Stage(open_rank(folder / "rank-0", write=True))
    stage.prepare(layout)
    (folder / "copies").touch()
    room = -(-layout.length // 4096) * 4096
    shared = np.frombuffer(map_buffers(folder / "copies", 0, room), np.uint8)
    targets = [  # two by turns, as staging has
        [(arrays[leaf.name], state.view(half, leaf)) for leaf in layout.leaves]
        for half in (shared[:room], shared[room:])
    ]
    copied = sum(array.nbytes for array in arrays.values())
    other = np.zeros(4 << 20)
    times: dict[str, list[float]] = {"memcpy": [], "staging": []}
    ways: dict[str, Callable[[int], object]] = {
        "memcpy": lambda number: [np.copyto(to, array) for array, to in targets[number % 2]],
        "staging": lambda number: stage.write(arrays, number, 0),
    }
    for number in range(rounds):
        for name, way in ways.items():
            other += 1
            began = time.thread_time()
            way(number)
            times[name].append(time.thread_time() - began)
    found = {f"{name}_ms_median": 1e3 * median(values[2:]) for name, values in times.items()}
    found["ratio"] = found["staging_ms_median"] / found["memcpy_ms_median"]
    found["megabytes"] = copied / 1e6
    return found


def measure(arguments: argparse.Namespace) -> list[Figure]:
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="mizzen-bench-", dir="/dev/shm") as name:
        for scale in (1, 8):
            found = compare(Path(name), scale, arguments.rounds)
            size = f"{found['megabytes']:.0f} MB"
            figures += [
                Figure(f"memcpy of {size}, CPU", found["memcpy_ms_median"], "ms"),
                Figure(f"staging of {size}, CPU", found["staging_ms_median"], "ms"),
                Figure(f"staging / memcpy of {size}", found["ratio"], "x", LIMIT),
            ]
    return figures


if __name__ == "__main__":
    raise SystemExit(main(__doc__ or "", measure, (("rounds", 40, "measurements of each"),)))
