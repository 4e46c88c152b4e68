"""The durable store of one machine."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mizzen.store.engine import Engine
from mizzen.store.inspection import FORMAT
from mizzen.store.lmdb_log import LmdbLog
from mizzen.store.store import HISTORY_BYTES_MAX, HISTORY_REVISIONS


class LocalStore(Engine):
    """`Store` on LMDB in the folder `path`, written by this process alone.

    `format`: what may be in it, as the oldest version that is to open it understands.
    `mark`: a file outside of the folder that says, once it is there, that there was a store.
    Errors: BlockingIOError when another process has it open for writing; records.Damaged, also
    where there was a store and is none.
    """

    def __init__(
        self,
        path: Path,
        *,
        mark: Path | None = None,
        keep: int = HISTORY_REVISIONS,
        keep_bytes: int = HISTORY_BYTES_MAX,
        format: int = FORMAT,
    ) -> None:
        log = LmdbLog(path, keep, keep_bytes, mark, format)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mizzen-store")
        super().__init__(log, self._thread)

    async def close(self) -> None:
        await super().close()
        self._thread.shutdown()
