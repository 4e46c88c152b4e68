"""One thread that makes state durable, yielding to everything else."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
from collections import Counter
from collections.abc import Callable, Mapping

log = logging.getLogger("mizzen.node")
LOWEST_NICE = 19


class DurableWriter:
    """One thread for all jobs; requests for a job that is already waiting are dropped."""

    def __init__(self) -> None:
        self._queue: queue.Queue[Callable[[], None] | None] = queue.Queue()
        self._waiting: set[str] = set()
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._thread: threading.Thread | None = None

    def statistics(self) -> Mapping[str, int]:
        return {"waiting": len(self._waiting), **self._counts}

    def submit(self, job: str, work: Callable[[], None]) -> None:
        """Runs `work` in the thread soon, unless the job has work waiting."""
        with self._lock:
            if job in self._waiting:
                return
            self._waiting.add(job)

        def run() -> None:
            with self._lock:
                self._waiting.discard(job)
            work()
            self._counts["done"] += 1

        self._queue.put(run)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="durable", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Finishes what waits, then ends the thread."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(timeout=10.0)

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_NICE)
        while (work := self._queue.get()) is not None:
            try:
                work()
            except Exception:
                log.exception("durable checkpoints: one piece of work failed")
