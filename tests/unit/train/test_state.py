"""Tests of the state's bytes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mizzen.base.checkpoint import ALIGNMENT
from mizzen.train import state
from mizzen.train.errors import TrainError


def arrays() -> dict[str, Any]:
    random = np.random.default_rng(0)
    return {
        "params/matrix": random.standard_normal((300, 700)).astype(np.float32),
        "params/odd": random.standard_normal(13).astype(np.float16),
        "flag": np.array(True),
        "count": np.int64(5),
        "empty": np.zeros((0, 4)),
        "transposed": random.standard_normal((5, 3)).T,
    }


def staged(step: int = 3) -> tuple[np.ndarray, int]:
    layout = state.Layout.of(arrays())
    buffer = np.zeros(layout.length, np.uint8)
    return buffer, state.write(buffer, layout, arrays(), step, seed=11)


def test_what_was_written_is_read() -> None:
    buffer, total = staged()
    layout, step = state.parse(buffer)
    assert step == 3
    assert layout == state.Layout.of(arrays())
    assert total == state.checksum(buffer)
    found = state.read(buffer, layout)
    for name, value in arrays().items():
        assert found[name].dtype == value.dtype
        np.testing.assert_array_equal(found[name], value)


@settings(max_examples=60, deadline=None)
@given(at=st.integers(0, 10**9))
def test_sixteen_pages_written_over_anywhere_change_the_checksum(at: int) -> None:
    buffer, total = staged()
    start = at % (buffer.size - 16 * 4096)
    buffer[start : start + 16 * 4096] ^= 0x55
    assert state.checksum(buffer) != total


def test_leaves_are_aligned_and_apart() -> None:
    leaves = state.Layout.of(arrays()).leaves
    assert all(leaf.offset % ALIGNMENT == 0 for leaf in leaves)
    for before, after in pairwise(leaves):
        assert before.offset + before.length <= after.offset


def test_bytes_cut_short_or_foreign_are_no_state() -> None:
    buffer, _ = staged()
    with pytest.raises(ValueError, match="cut short"):
        state.parse(buffer[: buffer.size // 2 // 64 * 64])
    with pytest.raises(ValueError, match="begin like a state"):
        state.parse(np.zeros(4096, np.uint8))


def test_another_shape_is_named() -> None:
    here = state.Layout.of({"w": np.zeros((2, 3), np.float32)})
    there = state.Layout.of({"w": np.zeros((2, 4), np.float32)})
    with pytest.raises(TrainError, match=r"leaf 'w' is float32\[2, 4\] there and float32\[2, 3\] here"):  # fmt: skip
        state.check_same(here, there, "rank-0")
    with pytest.raises(TrainError, match="absent here"):
        state.check_same(state.Layout.of({}), there, "rank-0")
