"""Tests of formations: ranks as threads that meet at barriers, the test as their agent."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mizzen.base import segment
from mizzen.base.ring import Ring
from mizzen.base.segment import Control, Line, RankState
from mizzen.train.environment import Environment
from mizzen.train.errors import TrainError
from mizzen.train.files import create_gang, create_rank, open_gang, open_rank
from mizzen.train.framework import Formation, Plain
from mizzen.train.job import Job
from mizzen.train.sampler import Sampler

DATA = np.arange(50, dtype=np.int64)[:, None] * 3
WAIT_S = 5


class Meeting:
    """What a network is to processes: formations of threads, found by generation."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._barriers: dict[int, threading.Barrier] = {}
        self.sums: dict[int, list[float]] = {}

    def join(self, formation: Formation) -> threading.Barrier:
        with self._lock:
            barrier = self._barriers.setdefault(
                formation.generation, threading.Barrier(formation.size)
            )
            assert barrier.parties == formation.size, "ranks form the same generation with one size"
            self.sums.setdefault(formation.generation, [0.0] * formation.size)
        return barrier


class Threads(Plain):
    """A framework whose ranks are threads of this process."""

    def __init__(self, meeting: Meeting) -> None:
        self._meeting = meeting

    def connect(self, formation: Formation) -> None:
        self._formation = formation
        self._barrier = self._meeting.join(formation)
        self._barrier.wait(WAIT_S)

    def disconnect(self) -> None:
        self._barrier.wait(WAIT_S)

    def sum(self, tree: Any, step: int) -> Any:
        slots = self._meeting.sums[self._formation.generation]
        slots[self._formation.rank] = float(tree)
        self._barrier.wait(WAIT_S)
        result = sum(slots)
        self._barrier.wait(WAIT_S)
        return result


@dataclass
class Bench:
    """A job's files, its ranks as threads, and the control word in the test's hand."""

    folder: Path
    steps: int
    size_max: int = 3
    on_step: Callable[[int], None] = lambda step: None
    fed: dict[int, dict[int, list[int]]] = field(default_factory=dict)
    sizes: dict[int, int] = field(default_factory=dict)
    failures: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        create_gang(self.folder / "gang", Control(0, 0))
        self.gang = open_gang(self.folder / "gang")
        self.meeting = Meeting()
        self.threads: list[threading.Thread] = []
        self.latest: dict[int, threading.Thread] = {}
        self.lock = threading.Lock()

    def control(self, generation: int, size: int, flags: int = 0) -> None:
        word = segment.pack_control(Control(generation, size, flags))
        self.gang.set(segment.GANG_OFFSET_CONTROL, word)

    def start(self, rank: int, awaits: int = 1) -> None:
        path = self.folder / f"rank-{rank}"
        if not path.exists():
            create_rank(path, awaits)
        open_rank(path, write=True).set(segment.RANK_OFFSET_AWAITS, awaits)
        thread = threading.Thread(target=self._run, args=(rank,), daemon=True)
        self.threads.append(thread)
        self.latest[rank] = thread
        thread.start()

    def is_running(self, rank: int) -> bool:
        return rank in self.latest and self.latest[rank].is_alive()

    def join(self) -> None:
        """Waits for rank 0, then sends home ranks that still wait for a formation that never comes."""
        self.threads[0].join(WAIT_S)
        control = segment.unpack_control(self.gang.get(segment.GANG_OFFSET_CONTROL))
        self.control(control.generation, control.size, segment.FLAG_STOP)
        for thread in self.threads:
            thread.join(WAIT_S)
        if self.failures:
            raise self.failures[0]
        assert not any(thread.is_alive() for thread in self.threads), "a rank hangs"

    def word(self, rank: int, offset: int) -> int:
        return open_rank(self.folder / f"rank-{rank}", write=False).get(offset)

    def job(self, rank: int) -> Job:
        environment = Environment(
            self.folder, self.folder / f"rank-{rank}", rank, self.size_max, "a/b",
            self.folder / "checkpoints", self.folder, "127.0.0.1", alone=False,
        )  # fmt: skip
        return Job(environment, self.steps, 5, 1, Threads(self.meeting))

    def _run(self, rank: int) -> None:
        try:
            for world in self.job(rank).worlds():
                state = world.restore(lambda: {"w": np.zeros(4)})
                for rows in world.data(DATA, 6):
                    loss = world.mean(rows.sum())
                    state = {"w": state["w"] + loss}
                    with self.lock:
                        self.fed.setdefault(world.done, {})[rank] = (rows[:, 0] // 3).tolist()
                        assert self.sizes.setdefault(world.done, world.size) == world.size
                    if rank == 0:
                        self.on_step(world.done)
                    world.step(state, loss=loss)
        except (TrainError, AssertionError, threading.BrokenBarrierError) as error:
            self.failures.append(error)

    def check_data(self) -> None:
        """Every step was fed once, with the rows of an undisturbed run."""
        sampler = Sampler(len(DATA), 6, 5)
        assert sorted(self.fed) == list(range(self.steps))
        for step, parts in self.fed.items():
            joined = [row for _, rows in sorted(parts.items()) for row in rows]
            assert joined == sampler.rows(step).tolist(), f"step {step} of {self.sizes[step]}"


def test_three_ranks_finish_together(tmp_path: Path) -> None:
    bench = Bench(tmp_path, steps=10)
    for rank in range(3):
        bench.start(rank)
    bench.control(1, 3)
    bench.join()
    bench.check_data()
    for rank in range(3):
        assert bench.word(rank, segment.RANK_OFFSET_STATE) == RankState.FINISHED
        assert bench.word(rank, segment.RANK_OFFSET_STEPS_DONE) == 10
        assert bench.word(rank, segment.RANK_OFFSET_GENERATION) == 1
        assert bench.word(rank, segment.RANK_OFFSET_OWN_STEPS) == 10


def test_a_step_in_which_the_ranks_did_not_meet_is_refused(tmp_path: Path) -> None:
    bench = Bench(tmp_path, steps=10, size_max=2)
    refused: list[str] = []

    def run(rank: int) -> None:
        for world in bench.job(rank).worlds():
            state = world.restore(lambda: {"w": np.zeros(4)})
            for _ in world.data(DATA, 6):
                try:
                    world.step(state, loss=0.0)
                except TrainError as error:
                    refused.append(str(error))
                    return

    bench.control(1, 2)
    for rank in range(2):
        create_rank(tmp_path / f"rank-{rank}", 1)
    threads = [threading.Thread(target=run, args=(rank,), daemon=True) for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert len(refused) == 2 and "without world.mean or world.sum" in refused[0]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(changes=st.dictionaries(st.integers(0, 28), st.sampled_from([1, 2, 3]), max_size=6))
def test_whatever_the_changes_all_ranks_agree_and_no_step_is_lost(
    tmp_path_factory: pytest.TempPathFactory, changes: dict[int, int]
) -> None:
    """The control word changes at arbitrary steps, sometimes twice before anybody looked."""
    bench = Bench(tmp_path_factory.mktemp("gang"), steps=30)
    now = {"generation": 1, "size": 3}

    def change(step: int) -> None:
        size = changes.get(step)
        if size is None:
            return
        before = now["size"]
        if any(bench.is_running(rank) for rank in range(before, size)):
            return  # a pod's rank is given out again only when its process is gone
        now["size"], now["generation"] = size, now["generation"] + 1
        for rank in range(before, size):
            bench.start(rank, awaits=now["generation"])
        bench.control(now["generation"], size)

    bench.on_step = change
    for rank in range(3):
        bench.start(rank)
    bench.control(1, 3)
    bench.join()
    bench.check_data()


def test_the_leaving_rank_says_so_and_the_others_go_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path, steps=12)
    bench.on_step = lambda step: bench.control(2, 2) if step == 4 else None
    for rank in range(3):
        bench.start(rank)
    bench.control(1, 3)
    bench.join()
    bench.check_data()
    assert bench.word(2, segment.RANK_OFFSET_STATE) == RankState.LEFT
    assert bench.word(0, segment.RANK_OFFSET_STATE) == RankState.FINISHED
    assert [bench.sizes[step] for step in range(12)] == [3] * 6 + [2] * 6


def test_a_formation_of_one_leaves_at_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path, steps=12)

    def change(step: int) -> None:
        if step == 4:
            bench.start(1, awaits=2)
            bench.control(2, 2)

    bench.on_step = change
    bench.start(0)
    bench.control(1, 1)
    bench.join()
    bench.check_data()
    assert [bench.sizes[step] for step in range(12)] == [1] * 5 + [2] * 7


def test_a_stop_lets_everyone_leave_after_the_same_step(tmp_path: Path) -> None:
    bench = Bench(tmp_path, steps=1000)
    bench.on_step = lambda s: bench.control(1, 3, segment.FLAG_STOP) if s == 3 else None
    for rank in range(3):
        bench.start(rank)
    bench.control(1, 3)
    bench.join()
    assert sorted(bench.fed) == list(range(5))
    for rank in range(3):
        assert bench.word(rank, segment.RANK_OFFSET_STATE) == RankState.LEFT
        assert bench.word(rank, segment.RANK_OFFSET_STEPS_DONE) == 5


def test_intervals_touch_and_every_step_is_useful_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path, steps=8)
    bench.on_step = lambda step: bench.control(2, 1) if step == 3 else None
    for rank in range(2):
        bench.start(rank)
    bench.control(1, 2)
    bench.join()
    view = open_rank(tmp_path / "rank-0", write=False).view
    intervals, _, _ = Ring(view).read(0)
    assert all(a.end == b.start for a, b in pairwise(intervals))
    assert [i.step for i in intervals if i.line == Line.USEFUL_STEP] == list(range(8))
    lines = [i.line for i in intervals]
    assert lines[0] == Line.STARTING
    assert lines.count(Line.REFORMING) == 1


def test_steps_done_before_are_labelled_redone(tmp_path: Path) -> None:
    create_rank(tmp_path / "rank-0", awaits=1)
    words = open_rank(tmp_path / "rank-0", write=True)
    words.set(segment.RANK_OFFSET_STEPS_DONE, 3)  # its states were lost with the machine
    bench = Bench(tmp_path, steps=5)
    bench.start(0)
    bench.control(1, 1)
    bench.join()
    intervals, _, _ = Ring(words.view).read(0)
    steps = [i.line for i in intervals if i.line in (Line.USEFUL_STEP, Line.REDONE_STEP)]
    assert steps == [Line.REDONE_STEP] * 3 + [Line.USEFUL_STEP] * 2


def one(folder: Path) -> Job:
    create_rank(folder / "rank-0", awaits=1)
    bench = Bench(folder, steps=5)
    bench.control(1, 1)
    return bench.job(0)


def fresh() -> dict[str, Any]:
    return {"w": np.zeros(4)}


def test_a_batch_that_some_size_cannot_share_is_refused(tmp_path: Path) -> None:
    for world in one(tmp_path).worlds():
        world.restore(fresh)
        with pytest.raises(TrainError, match=r"cannot be shared evenly by \[3\] workers; take a multiple of 6"):  # fmt: skip
            next(world.data(DATA, 4))
        break


def test_data_before_restore_is_refused(tmp_path: Path) -> None:
    for world in one(tmp_path).worlds():
        with pytest.raises(TrainError, match=r"comes after world\.restore"):
            next(world.data(DATA, 6))
        break


def test_a_batch_without_step_is_refused(tmp_path: Path) -> None:
    for world in one(tmp_path).worlds():
        world.restore(fresh)
        batches = world.data(DATA, 6)
        next(batches)
        with pytest.raises(TrainError, match="step 0 was computed but not reported"):
            next(batches)
        break


def test_leaving_the_inner_loop_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainError, match="ended by itself"):
        for world in one(tmp_path).worlds():
            world.restore(fresh)


def test_a_state_of_another_shape_is_refused(tmp_path: Path) -> None:
    bench = Bench(tmp_path, steps=5)
    bench.start(0)
    bench.control(1, 1)
    bench.join()
    open_rank(tmp_path / "rank-0", write=True).set(segment.RANK_OFFSET_GENERATION, 0)
    for world in bench.job(0).worlds():
        with pytest.raises(TrainError, match="leaf 'w' is float64"):
            world.restore(lambda: {"w": np.zeros(5)})
        break


def test_a_gang_needs_a_framework() -> None:
    with pytest.raises(TrainError, match='framework="jax"'):
        Plain().connect(Formation(1, 2, 0, "127.0.0.1", 29500))
