"""One formation as the user sees it: restore, data, mean, step."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mizzen.base import segment
from mizzen.base.segment import Line
from mizzen.train import state as form
from mizzen.train.activity import Activity
from mizzen.train.environment import Environment
from mizzen.train.errors import TrainError
from mizzen.train.files import Words
from mizzen.train.framework import Formation, Framework
from mizzen.train.sampler import Sampler
from mizzen.train.staging import Stage, newest, steps_ever_done


class Dataset(Protocol):
    """Rows that can be asked for by number, such as a numpy array or a memory-mapped one."""

    def __len__(self) -> int: ...

    def __getitem__(self, indices: NDArray[np.uint64], /) -> NDArray[Any]: ...


class Training(Protocol):
    """A world's view of the job it belongs to, which outlives it (`mizzen.train.job.Job`)."""

    environment: Environment
    steps: int
    seed: int
    stage_every: int
    framework: Framework
    gang: Words
    words: Words
    stage: Stage
    activity: Activity

    def begin(self, init_state: Callable[[], Any]) -> tuple[Any, form.Layout]: ...

    def template(self, init_state: Callable[[], Any]) -> tuple[Any, form.Layout]: ...

    def end_of_pause(self) -> None: ...

    def change_wanted(self, generation: int) -> bool: ...

    def say_durability(self) -> None: ...


class World:
    """Ranks 0..size-1 from one change of size to the next.

    `done` counts the completed steps of the whole training: the step being computed is number
    `done`, from 0. After the last step of this formation `world.data` ends.
    """

    def __init__(self, job: Training, formation: Formation) -> None:
        self._job = job
        self.formation = formation
        self.rank, self.size = formation.rank, formation.size
        self.done = 0
        self.leaving = False
        self._restored = False
        self._is_summed = formation.size == 1  # in the step that is being computed
        self._ever_done = steps_ever_done(job.environment.segments)
        self._rows: list[list[object]] = []

    def restore(self, init_state: Callable[[], Any]) -> Any:
        """The state after the newest complete step: staged by any rank, durable, or fresh.

        `init_state` also gives the structure: what was staged must have the same leaves.
        Errors: TrainError when it has not.
        """
        job, environment = self._job, self._job.environment
        found = newest(environment.places)
        self._restored = True
        if found is None:
            state, layout = job.begin(init_state)
        else:
            template, layout = job.template(init_state)
            form.check_same(layout, found.layout, found.where)
            self.done = found.step
            state = job.framework.unflatten(template, found.arrays)
        job.stage.prepare(layout)
        job.words.set(segment.RANK_OFFSET_STEPS_DONE, max(self.done, self._ever_done))
        self.leaving = self.done >= job.steps
        return state

    def data(self, dataset: Dataset, global_batch: int) -> Iterator[NDArray[Any]]:
        """This rank's rows of each step's global batch, until the formation or the job ends.

        Errors: TrainError when the batch cannot be shared evenly by every size the job may have.
        """
        self._check_batch(global_batch)
        if not self._restored:
            raise TrainError("world.data comes after world.restore, which says where to go on")
        sampler = Sampler(len(dataset), global_batch, self._job.seed)
        self._job.end_of_pause()
        while not self.leaving:
            step = self.done
            indices = sampler.rows(step, self.rank, self.size)
            rows = dataset[indices]
            self._rows = [[int(i), _digest(row)] for i, row in zip(indices, rows, strict=True)]
            yield rows
            if self.done == step:
                raise TrainError(
                    f"step {step} was computed but not reported: call world.step(state, loss=...)"
                    " once for each batch"
                )

    def sum(self, tree: Any) -> Any:
        """The float32 sum over all ranks; every rank calls it, each as often as the others.

        The order of addition is not fixed: only sums that float32 holds exactly come out the same
        for every number of ranks (examples/first_light/model.py rounds its gradients for that).
        """
        if self.rank == 0 and self.size > 1:
            self._announce_leave(self.done)
        self._is_summed = True
        return self._job.framework.sum(tree, self.done)

    def mean(self, tree: Any) -> Any:
        """The mean over all ranks, otherwise as `sum`."""
        return self._job.framework.scale(self.sum(tree), 1 / self.size)

    def step(self, state: Any, *, loss: Any = None) -> None:
        """Completes one step: logs its rows, stages the state, reports, looks whether to leave."""
        job, words = self._job, self._job.words
        number = self.done
        if not self._is_summed:
            raise TrainError(
                f"step {number} was completed without world.mean or world.sum, so each of the"
                f" {self.size} ranks would train a state of its own: call one of them in each step"
            )
        self._is_summed = self.size == 1
        value = float("nan") if loss is None else float(loss)
        self._log(number, value)
        self.leaving = self._must_leave(number)
        began = job.activity.since_ns
        line = Line.REDONE_STEP if number < self._ever_done else Line.USEFUL_STEP
        due = (number + 1) % job.stage_every == 0 or self.leaving
        leaves = job.framework.flatten(state) if due else {}  # waits for what still computes
        computed = job.activity.reading()
        if due:
            job.stage.write(leaves, number + 1, job.seed)
        now = job.activity.end(line, number, at=computed)
        job.activity.end(Line.CHECKPOINT_STALL, number)
        self.done = number + 1
        words.set(segment.RANK_OFFSET_LOSS, struct.unpack("<Q", struct.pack("<d", value))[0])
        words.set(segment.RANK_OFFSET_STEP_NS, now - began)
        words.set(segment.RANK_OFFSET_HEARTBEAT, now)
        words.set(segment.RANK_OFFSET_STEPS_DONE, max(self.done, self._ever_done))
        words.set(segment.RANK_OFFSET_OWN_STEPS, words.get(segment.RANK_OFFSET_OWN_STEPS) + 1)
        job.say_durability()

    def _check_batch(self, global_batch: int) -> None:
        sizes = range(1, self._job.environment.size_max + 1)
        bad = [size for size in sizes if global_batch % size]
        if bad or global_batch < 1:
            raise TrainError(
                f"global_batch {global_batch} cannot be shared evenly by {bad or [1]} workers;"
                f" take a multiple of {int(np.lcm.reduce(list(sizes)))}"
            )

    def _must_leave(self, number: int) -> bool:
        """True if step `number`, just computed, is this formation's last."""
        if number + 1 >= self._job.steps:
            return True
        if self.rank == 0:
            if self.size == 1:
                return self._job.change_wanted(self.formation.generation)
            self._announce_leave(number + 1)
        target, last = segment.unpack_leave(self._job.gang.get(segment.GANG_OFFSET_LEAVE))
        return target > self.formation.generation and number >= last

    def _announce_leave(self, last: int) -> None:
        """Rank 0: when another formation is wanted, `last` becomes the last step of this one."""
        gang, generation = self._job.gang, self.formation.generation
        if segment.unpack_leave(gang.get(segment.GANG_OFFSET_LEAVE))[0] > generation:
            return
        if self._job.change_wanted(generation):
            gang.set(segment.GANG_OFFSET_LEAVE, segment.pack_leave(generation + 1, last))

    def _log(self, number: int, loss: float) -> None:
        """One JSON line: which rows this rank fed in this step, for an independent check."""
        entry: dict[str, object] = {
            "step": number,
            "rank": self.rank,
            "size": self.size,
            "rows": self._rows,
            "loss": None if loss != loss else loss,
            "time": time.time_ns(),
        }
        _print(json.dumps(entry, separators=(",", ":")) + "\n")


def _print(line: str) -> None:
    """Straight to standard output, whole, whatever buffering the program set up."""
    data = line.encode()
    while data:
        data = data[os.write(1, data) :]


def _digest(row: NDArray[Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(row).tobytes()).hexdigest()[:16]
