"""Tests of the data order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mizzen.train.errors import TrainError
from mizzen.train.sampler import Sampler, permute


@settings(max_examples=40, deadline=None)
@given(count=st.integers(1, 3000), key=st.integers(0, 2**64 - 1))
def test_every_row_comes_exactly_once(count: int, key: int) -> None:
    shuffled = permute(np.arange(count, dtype=np.uint64), count, key)
    assert sorted(shuffled.tolist()) == list(range(count))


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(1, 500),
    seed=st.integers(0, 2**32),
    step=st.integers(0, 10_000),
    size=st.sampled_from([1, 2, 3, 6]),
)
def test_ranks_joined_are_the_global_batch_whatever_their_number(
    count: int, seed: int, step: int, size: int
) -> None:
    sampler = Sampler(count, 6, seed)
    joined = np.concatenate([sampler.rows(step, rank, size) for rank in range(size)])
    assert joined.tolist() == sampler.rows(step).tolist()


def test_each_epoch_is_whole_and_ordered_differently() -> None:
    sampler = Sampler(count=60, global_batch=6, seed=1)
    first = np.concatenate([sampler.rows(step) for step in range(10)]).tolist()
    second = np.concatenate([sampler.rows(step) for step in range(10, 20)]).tolist()
    assert sorted(first) == sorted(second) == list(range(60))
    assert first != second


def test_a_step_reaches_over_the_end_of_an_epoch() -> None:
    sampler = Sampler(count=10, global_batch=6, seed=1)
    rows = np.concatenate([sampler.rows(step) for step in range(5)]).tolist()
    assert [sorted(rows[at : at + 10]) for at in (0, 10, 20)] == [list(range(10))] * 3


def test_neighbours_are_not_correlated() -> None:
    rows = permute(np.arange(100_003, dtype=np.uint64), 100_003, key=99).astype(np.float64)
    assert abs(np.corrcoef(rows[:-1], rows[1:])[0, 1]) < 0.02


def test_an_empty_data_set_is_refused() -> None:
    with pytest.raises(TrainError, match="data set is empty"):
        permute(np.zeros(1, np.uint64), 0, 1)
