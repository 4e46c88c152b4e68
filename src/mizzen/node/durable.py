"""Durable copies of staged state, written behind by a thread that yields to everything else.

A copy is made beside its place, synced, renamed, and gets its manifest last: a folder with a
manifest is whole. `base/segment.py` says what the manifest holds.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mizzen.base import segment

KEPT = 3
CHUNK_BYTES = 4 * 2**20
LOWEST_NICE = 19


@dataclass(frozen=True, slots=True)
class Staged:
    """A complete buffer in a rank file: `word` is its step word (completed steps + 1)."""

    path: Path
    which: int
    word: int

    @property
    def step(self) -> int:
        return self.word - 1


Words = Callable[[int], int]


def newest(folder: Path, words: Mapping[str, Words]) -> Staged | None:
    """The newest complete buffer among the rank files named in `words`; lowest name wins ties."""
    best: Staged | None = None
    for name, get in sorted(words.items()):
        if not get(segment.RANK_OFFSET_STATE_BYTES):
            continue
        for which, at in ((0, segment.RANK_OFFSET_BUFFER0), (1, segment.RANK_OFFSET_BUFFER1)):
            word = get(at)
            if word and (best is None or word > best.word):
                best = Staged(folder / name, which, word)
    return best


def copy(staged: Staged, target: Path, get: Words) -> bool:
    """Copies the buffer to `<target>/step-<n>`; False when the worker wrote over it meanwhile.

    Errors: OSError (a full disk, say), nothing is left behind then.
    """
    final = target / f"step-{staged.step}"
    if (final / "manifest.json").exists():
        return True
    word_at = (segment.RANK_OFFSET_BUFFER0, segment.RANK_OFFSET_BUFFER1)[staged.which]
    length = get((segment.RANK_OFFSET_LENGTH0, segment.RANK_OFFSET_LENGTH1)[staged.which])
    checksum = get((segment.RANK_OFFSET_CHECKSUM0, segment.RANK_OFFSET_CHECKSUM1)[staged.which])
    capacity = get(segment.RANK_OFFSET_STATE_BYTES)
    offset = get(segment.RANK_OFFSET_BUFFERS_AT) + staged.which * capacity
    temporary = target / f".step-{staged.step}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        whole = get(word_at) == staged.word and 0 < length <= capacity
        if whole:
            _copy_bytes(staged.path, offset, length, temporary / "state")
        if not whole or get(word_at) != staged.word:
            return False
        shutil.rmtree(final, ignore_errors=True)  # an earlier copy without its manifest
        os.replace(temporary, final)
        _sync_folder(target)
        manifest = {"step": staged.step, "bytes": length, "checksum": checksum}
        _write_synced(final / "manifest.json", json.dumps(manifest).encode())
        _sync_folder(final)
        return True
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def retain(target: Path, keep: int = KEPT) -> None:
    """Removes all but the newest whole copies; the manifest goes first."""
    whole = [(int(p.parent.name[5:]), p) for p in target.glob("step-*/manifest.json")]
    for _, manifest in sorted(whole)[: max(len(whole) - keep, 0)]:
        with contextlib.suppress(OSError):
            manifest.unlink()
        shutil.rmtree(manifest.parent, ignore_errors=True)


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
            try:
                work()
                self._counts["copies"] += 1
            except OSError as error:
                self._counts["failed"] += 1
                print(f"mizzen node: no durable checkpoint of {job}: {error}", flush=True)

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
            work()


def _copy_bytes(source: Path, offset: int, length: int, target: Path) -> None:
    """Through the page cache in pieces; both calls let other threads run."""
    source_fd = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    target_fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        done = 0
        while done < length:
            piece = os.pread(source_fd, min(CHUNK_BYTES, length - done), offset + done)
            if not piece:
                raise OSError(f"{source} ends before its state does")
            view = memoryview(piece)
            while view:
                view = view[os.write(target_fd, view) :]
            done += len(piece)
        os.fsync(target_fd)
    finally:
        os.close(source_fd)
        os.close(target_fd)


def _write_synced(path: Path, data: bytes) -> None:
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
