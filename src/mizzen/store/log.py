"""The interface of the durable log: appends transactions and reads history."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Protocol

from mizzen.store.store import Record, Stored


class Log(Protocol):
    """The durable part of a store: current objects and history, changed one transaction at a time."""

    @property
    def oldest(self) -> int:
        """History holds every record after this revision."""
        ...

    @property
    def restored(self) -> int:
        """The revision from which on it goes on as a copy that was put back, 0 if it is none.

        What was given out between the copy and this revision is gone, so no watch begins before.
        """
        ...

    def load(self) -> tuple[int, int, Iterable[Stored]]:
        """(newest revision, its time in ns, all objects)."""
        ...

    def append(self, transactions: Sequence[Sequence[Record]]) -> list[str]:
        """Makes each transaction durable or not, whole; returns for each why not, "" where it is
        durable. May block. Errors: OSError where it is not known what is."""
        ...

    def read(self, since: int, limit: int, bytes_max: int) -> list[Record]:
        """Records after `since`, oldest first: up to `limit` and `bytes_max`, but at least one."""
        ...

    def find(self, revision: int) -> Record | None: ...

    def close(self) -> None: ...


class MemoryLog:
    """A log that forgets when the process ends: for tests and simulations."""

    def __init__(self, keep: int, keep_bytes: int) -> None:
        self._records: deque[Record] = deque()
        self._keep, self._keep_bytes = keep, keep_bytes
        self._bytes = 0
        self._oldest = 0

    @property
    def oldest(self) -> int:
        return self._oldest

    @property
    def restored(self) -> int:
        return 0

    def load(self) -> tuple[int, int, Iterable[Stored]]:
        return 0, 0, ()

    def append(self, transactions: Sequence[Sequence[Record]]) -> list[str]:
        for records in transactions:
            self._records.extend(records)
            self._bytes += sum(len(record.data) for record in records)
        while len(self._records) > self._keep or self._bytes > self._keep_bytes:
            oldest = self._records.popleft()
            self._bytes -= len(oldest.data)
            self._oldest = oldest.revision
        return [""] * len(transactions)

    def read(self, since: int, limit: int, bytes_max: int) -> list[Record]:
        start = self._index_after(since)
        found: list[Record] = []
        for index in range(start, min(start + limit, len(self._records))):
            bytes_max -= len(self._records[index].data)
            if found and bytes_max < 0:
                break
            found.append(self._records[index])
        return found

    def find(self, revision: int) -> Record | None:
        index = self._index_after(revision - 1)
        if index < len(self._records) and self._records[index].revision == revision:
            return self._records[index]
        return None

    def close(self) -> None:
        pass

    def _index_after(self, revision: int) -> int:
        low, high = 0, len(self._records)
        while low < high:
            middle = (low + high) // 2
            if self._records[middle].revision <= revision:
                low = middle + 1
            else:
                high = middle
        return low
