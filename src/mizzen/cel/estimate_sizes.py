"""Ranges of sizes, and sums of unsigned numbers of 64 bits that stop at the highest.

Source: google/cel-go checker/cost.go, v0.26.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

MOST = 2**64 - 1


def capped(number: int) -> int:
    return min(number, MOST)


def times(one: int, other: int) -> int:
    return capped(one * other)


def priced(size: int, factor: float) -> int:
    """The size times a factor, rounded up."""
    if size > 0 and factor > 0 and float(size) > MOST / factor:
        return MOST
    return capped(math.ceil(float(size) * factor))


class Size(NamedTuple):
    """Of a text, a list or a map: how much it may be at least and at most."""

    least: int
    most: int

    def plus(self, other: Size) -> Size:
        return Size(capped(self.least + other.least), capped(self.most + other.most))

    def times(self, other: Size) -> Size:
        return Size(times(self.least, other.least), times(self.most, other.most))

    def union(self, other: Size) -> Size:
        return Size(min(self.least, other.least), max(self.most, other.most))

    def priced(self, factor: float) -> int:
        """What it costs at most, rounded up."""
        return priced(self.most, factor)


UNKNOWN = Size(0, MOST)


def fixed(size: int) -> Size:
    return Size(size, size)


@dataclass(frozen=True, slots=True)
class Called:
    """What a call costs at most, and how large its result is where that is known."""

    cost: int
    result: Size | None = None
