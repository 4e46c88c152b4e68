"""What staging costs against a bare memcpy of the same arrays, in one run, by turns.

Run: python bench/train_staging.py [--rounds 30]. Prints JSON: medians in ms of CPU and their ratio for a
state like the example's (36 leaves, 10 MB) and one eight times its size. Between measurements
32 MB of other memory are touched, as a training step does, so neither side finds its data in
the cache. The checksum and all bookkeeping are part of staging; preparing the buffers is not. Both copy
into shared memory that is already mapped.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

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


def measure(folder: Path, scale: int, rounds: int) -> dict[str, float]:
    create_rank(folder / "rank-0", awaits=1)
    arrays = leaves(scale)
    layout = state.Layout.of(arrays)
    stage = Stage(open_rank(folder / "rank-0", write=True))
    stage.prepare(layout)
    (folder / "copies").touch()
    room = -(-layout.length // 4096) * 4096
    shared = np.frombuffer(map_buffers(folder / "copies", 0, room, write=True), np.uint8)
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
    return {name: round(value, 3) for name, value in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=40)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="mizzen-bench-", dir="/dev/shm") as name:
        results = [measure(Path(name), scale, rounds) for scale in (1, 8)]
    worst = max(result["ratio"] for result in results)
    print(json.dumps({"results": results, "limit": LIMIT, "within": worst <= LIMIT}, indent=1))


if __name__ == "__main__":
    main()
