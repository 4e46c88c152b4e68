"""A store that forgets when the process ends."""

from __future__ import annotations

from mizzen.store.engine import Engine
from mizzen.store.log import MemoryLog
from mizzen.store.store import HISTORY_BYTES_MAX, HISTORY_REVISIONS


class MemoryStore(Engine):
    """`Store` for tests and simulations: same rules, nothing durable."""

    def __init__(
        self, *, keep: int = HISTORY_REVISIONS, keep_bytes: int = HISTORY_BYTES_MAX
    ) -> None:
        super().__init__(MemoryLog(keep, keep_bytes), None)
