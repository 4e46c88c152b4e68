"""Items ordered by a small integer key that changes often: the least key at or above a bound."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush

_SLACK = 64  # stale entries of one heap that are tolerated beyond four times the live ones


class Buckets:
    """Items with equal key share a bucket; in a bucket the lowest item comes first.

    `keys` is the caller's, by item; the caller tells of each change after making it. An item of
    key 0 is in no bucket. Cost: O(log n) for a change, O(1) and a shift of one integer of as many
    bits as the largest key for a question. Stale heap entries are dropped when they come up.
    """

    __slots__ = ("_counts", "_heaps", "_keys", "_mask")

    def __init__(self, keys: Sequence[int], items: Iterable[int]) -> None:
        self._keys = keys
        self._heaps: dict[int, list[int]] = {}
        self._mask = 0
        for item in items:
            key = keys[item]
            if key:
                self._heaps.setdefault(key, []).append(item)
        self._counts = {key: len(heap) for key, heap in self._heaps.items()}
        for key, heap in self._heaps.items():
            heapify(heap)
            self._mask |= 1 << key

    def moved(self, item: int, old: int, new: int) -> None:
        """The item's key was `old` and now is `new`."""
        counts = self._counts
        if old:
            left = counts[old] = counts[old] - 1
            if not left:
                self._mask &= ~(1 << old)
                self._heaps[old] = []
        if new:
            count = counts[new] = counts.get(new, 0) + 1
            self._mask |= 1 << new
            heap = self._heaps.setdefault(new, [])
            if len(heap) > 4 * count + _SLACK:
                keys = self._keys
                heap[:] = sorted({i for i in heap if keys[i] == new})
            heappush(heap, item)

    def least(self, at_least: int) -> int:
        """The lowest item of the least key that is `at_least` (1 or more); -1 without one."""
        mask = self._mask >> at_least
        if not mask:
            return -1
        return self.first(at_least + (mask & -mask).bit_length() - 1)

    def first(self, key: int) -> int:
        """The lowest item of a bucket that is not empty."""
        heap, keys = self._heaps[key], self._keys
        while keys[heap[0]] != key:
            heappop(heap)
        return heap[0]

    def lowest(self, key: int, count: int) -> list[int]:
        """The lowest items of a bucket, at most `count`."""
        heap, keys = self._heaps.get(key, []), self._keys
        found: list[int] = []
        while heap and len(found) < count:
            item = heappop(heap)
            if keys[item] == key and (not found or found[-1] != item):
                found.append(item)
        for item in found:
            heappush(heap, item)
        return found

    def descending(self) -> list[tuple[int, int]]:
        """(key, items that have it), the largest key first."""
        return sorted(((k, n) for k, n in self._counts.items() if n), reverse=True)
