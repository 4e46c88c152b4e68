"""Sets of completion indexes as Jobs write them, "0-2,5": kept as runs, however many they hold.

Source: batch/v1 JobStatus.completedIndexes; pkg/controller/job/indexed_job_utils.go.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_DIGITS_MAX = 10  # of an int32


@dataclass(frozen=True, slots=True)
class Indexes:
    """A set of indexes; `runs` are inclusive, ascending, and do not touch."""

    runs: tuple[tuple[int, int], ...] = ()

    @staticmethod
    def of(indexes: Iterable[int]) -> Indexes:
        return _joined((index, index) for index in indexes)

    @staticmethod
    def parse(text: str) -> Indexes:
        """The indexes of `text`. Errors: ValueError unless it is ascending numbers and ranges."""
        runs: list[tuple[int, int]] = []
        for part in text.split(",") if text else ():
            first, dash, last = part.partition("-")
            run = (_number(first), _number(last if dash else first))
            if run[1] < run[0] or (runs and run[0] <= runs[-1][1]):
                raise ValueError(f"{part[:50]!r} does not come after what stands before it")
            runs.append(run)
        return _joined(runs)

    def __contains__(self, index: int) -> bool:
        at = bisect_right(self.runs, (index, 1 << 62)) - 1
        return at >= 0 and index <= self.runs[at][1]

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self.runs)

    def __bool__(self) -> bool:
        return bool(self.runs)

    def __or__(self, other: Indexes) -> Indexes:
        return _joined((*self.runs, *other.runs))

    def __and__(self, other: Indexes) -> Indexes:
        found: list[tuple[int, int]] = []
        mine, theirs = 0, 0
        while mine < len(self.runs) and theirs < len(other.runs):
            (first, last), (low, high) = self.runs[mine], other.runs[theirs]
            if low <= last and first <= high:
                found.append((max(first, low), min(last, high)))
            if last < high:
                mine += 1
            else:
                theirs += 1
        return Indexes(tuple(found))

    def __str__(self) -> str:
        """The shortest text; runs of two or more are ranges, as upstream writes them."""
        return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in self.runs)

    def __sub__(self, other: Indexes) -> Indexes:
        found: list[tuple[int, int]] = []
        for first, last in self.runs:
            for low, high in (other & Indexes(((first, last),))).runs:
                if first < low:
                    found.append((first, low - 1))
                first = high + 1
            if first <= last:
                found.append((first, last))
        return Indexes(tuple(found))

    def below(self, limit: int) -> Indexes:
        return self & Indexes(((0, limit - 1),)) if limit > 0 else Indexes()

    def absent(self, limit: int) -> Iterator[int]:
        """The indexes below `limit` that are not in here, ascending."""
        following = 0
        for first, last in (*self.runs, (limit, limit)):
            yield from range(following, min(first, limit))
            following = last + 1


def _joined(runs: Iterable[tuple[int, int]]) -> Indexes:
    joined: list[tuple[int, int]] = []
    for first, last in sorted(runs):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return Indexes(tuple(joined))


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX):
        raise ValueError(f"{text[:50]!r} is not an index")
    return int(text)
