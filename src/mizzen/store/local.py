"""The durable store of one machine."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mizzen.store.engine import Engine
from mizzen.store.lmdb_log import LmdbLog
from mizzen.store.store import HISTORY_BYTES_MAX, HISTORY_REVISIONS


class LocalStore(Engine):
    """`Store` on LMDB in the folder `path`, written by this process alone.

    Errors: BlockingIOError when another process has it open for writing; records.Damaged.
    """

    def __init__(
        self,
        path: Path,
        *,
        keep: int = HISTORY_REVISIONS,
        keep_bytes: int = HISTORY_BYTES_MAX,
    ) -> None:
        log = LmdbLog(path, keep, keep_bytes)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mizzen-store")
        super().__init__(log, self._thread)

    async def close(self) -> None:
        await super().close()
        self._thread.shutdown()
