"""The order of the data: an exact shuffle that is a pure function of (seed, position).

A Feistel network permutes 0..2**b - 1; outputs beyond the data set are sent through again
("cycle walking"), which leaves a permutation of 0..n - 1. There is no index to store, and the
order of rows does not depend on how many workers share them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mizzen.train.errors import TrainError

Indices = NDArray[np.uint64]
_ROUNDS = 4
_GOLDEN = 0x9E3779B97F4A7C15  # splitmix64's increment and first multiplier
_MIX = 0xBF58476D1CE4E5B9
_MASK64 = (1 << 64) - 1


@dataclass(frozen=True)
class Sampler:
    """Rows of every step: `count` rows in the data set, `global_batch` of them in each step."""

    count: int
    global_batch: int
    seed: int

    def rows(self, step: int, rank: int = 0, size: int = 1) -> Indices:
        """Indices, in order, of the rows that `rank` of `size` computes in `step`.

        Ranks hold neighbouring parts: joined by rank they are the rows of rank 0 of 1. Each
        epoch is its own shuffle; a step may reach over the end of one into the next.
        """
        first = step * self.global_batch + self.global_batch * rank // size
        last = step * self.global_batch + self.global_batch * (rank + 1) // size
        positions = np.arange(first, last, dtype=np.uint64)
        epochs = positions // np.uint64(self.count)
        result = np.empty_like(positions)
        for epoch in np.unique(epochs):
            chosen = epochs == epoch
            within = positions[chosen] - epoch * np.uint64(self.count)
            result[chosen] = permute(within, self.count, _key(self.seed, int(epoch)))
        return result


def permute(positions: Indices, count: int, key: int) -> Indices:
    """The index of each position in the shuffle of 0..count - 1 named by `key`.

    Source: M. Luby and C. Rackoff, "How to Construct Pseudorandom Permutations".
    """
    if count < 1:
        raise TrainError("the data set is empty: it must hold at least one row")
    if count == 1:
        return np.zeros_like(positions)
    bits = max((count - 1).bit_length(), 2)
    half = (bits + 1) // 2
    keys = [_splitmix(key + number * _GOLDEN) | 1 for number in range(_ROUNDS)]
    result = _feistel(positions, half, keys)
    while (outside := result >= count).any():
        result[outside] = _feistel(result[outside], half, keys)
    return result


def _feistel(values: Indices, half: int, keys: list[int]) -> Indices:
    mask, shift = np.uint64((1 << half) - 1), np.uint64(half)
    left, right = values >> shift, values & mask
    for key in keys:
        mixed = (right + np.uint64(key)) * np.uint64(_GOLDEN)
        mixed ^= mixed >> np.uint64(29)
        mixed *= np.uint64(_MIX)
        mixed ^= mixed >> np.uint64(32)
        left, right = right, left ^ (mixed & mask)
    return (left << shift) | right


def _key(seed: int, epoch: int) -> int:
    return _splitmix((seed & _MASK64) ^ _splitmix(epoch + 1))


def _splitmix(value: int) -> int:
    """splitmix64's finaliser on one Python integer."""
    value = (value + _GOLDEN) & _MASK64
    value = ((value ^ (value >> 30)) * _MIX) & _MASK64
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK64
    return value ^ (value >> 31)
