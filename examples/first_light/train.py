"""Trains the small Llama of model.py on the standard library's source text.

Alone:     python examples/first_light/train.py --steps 50
As a job:  mizzen train examples/first_light/train.py --workers 3
"""

from __future__ import annotations

import argparse
import functools
import threading
from pathlib import Path
from typing import Any

import data
import export
import model
import numpy as np

from mizzen import train

GLOBAL_BATCH = 6  # rows in each step: 1, 2 and 3 workers share them evenly
ROW = 256  # bytes in each row


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--export-at", type=int, default=0, help="after this many steps write model.gguf"
    )
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    job = train.init(steps=asked.steps, seed=asked.seed, framework="jax")
    text = data.StandardLibrary(ROW)
    shape = model.Shape()
    fresh = functools.partial(model.init_state, shape, asked.seed)
    example, nothing = fresh(), model.no_gradients(shape)
    accumulate = job.compile(
        functools.partial(model.accumulate, shape),
        lambda _: (example["params"], nothing, text[np.arange(1)][0]),
    )
    update = job.compile(
        functools.partial(model.update, rows=GLOBAL_BATCH),
        lambda _: (example, nothing, np.int32(0)),
    )
    exports: list[threading.Thread] = []
    for world in job.worlds():
        state = world.restore(fresh)
        for rows in world.data(text, GLOBAL_BATCH):
            total = nothing
            for row in rows:  # one at a time: the same program whatever the number of ranks
                total = accumulate(state["params"], total, row)
            total = world.sum(total)
            loss = float(total["loss"]) / GLOBAL_BATCH
            state = update(state, total, np.int32(world.done))
            world.step(state, loss=loss)
            if world.rank == 0 and world.done == asked.export_at:
                exports.append(_export(shape, state, job.output / "model.gguf"))
        if world.rank == 0 and world.done == asked.steps:
            exports.append(_export(shape, state, job.output / "final.gguf"))
    for thread in exports:
        thread.join()


def _export(shape: model.Shape, state: dict[str, Any], path: Path) -> threading.Thread:
    """Writes the model beside the training: the arrays never change, so a thread may read them."""
    params = {name: np.asarray(value) for name, value in state["params"].items()}
    thread = threading.Thread(target=export.write_gguf, args=(shape, params, path))
    thread.start()
    return thread


if __name__ == "__main__":
    main()
