"""Durable copies of staged state, written behind by a thread that yields to everything else.

A copy is made beside its place, its manifest last, synced and renamed: a folder with a manifest is
whole. `base/checkpoint_manifest.py` says what the manifest holds.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import queue
import shutil
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mizzen.base import segment
from mizzen.base.checkpoint_manifest import BYTES_MAX, Manifest, parse, step_of
from mizzen.host import private

log = logging.getLogger("mizzen.node")
KEPT = 3
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
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


def keep(staged: Staged, target: Path, get: Words, whole: set[int]) -> bool:
    """Copies the buffer, for lack of room in place of older copies; `whole` is kept true.

    False when the worker wrote over it meanwhile. Errors: OSError.
    """
    while True:
        try:
            if not copy(staged, target, get):
                return False
            break
        except OSError as error:
            if error.errno not in NO_ROOM or not make_room(target, whole):
                raise
    whole.add(staged.step)
    retain(target, whole)
    return True


def copy(staged: Staged, target: Path, get: Words) -> bool:
    """Copies the buffer to `<target>/step-<n>`; False when the worker wrote over it meanwhile.

    Errors: OSError (a full disk, say), nothing is left behind then.
    """
    final = target / f"step-{staged.step}"
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
        crc32 = _copy_bytes(staged.path, offset, length, temporary / "state") if whole else 0
        if not whole or get(word_at) != staged.word:
            return False
        manifest = Manifest(staged.step, length, checksum, crc32)
        _write_synced(temporary / "manifest.json", manifest.to_json())
        _sync_folder(temporary)
        private.remove_tree(target, final.name)  # an earlier copy that is not whole
        os.replace(temporary, final)
        _sync_folder(target)
        return True
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def examine(target: Path) -> tuple[set[int], dict[int, str]]:
    """Steps of the copies that are whole, every byte read, and what is wrong with the others.

    What a killed agent left half copied is removed. Errors: OSError.
    """
    for path in target.glob(".step-*.tmp"):
        private.remove_tree(target, path.name)
    whole: set[int] = set()
    damaged: dict[int, str] = {}
    for step, folder in _copies(target):
        fault = _fault_of(folder, step)
        if fault:
            damaged[step] = fault
        else:
            whole.add(step)
    return whole, damaged


def retain(target: Path, whole: set[int]) -> None:
    """Removes all but the newest whole copies; the manifest goes first.

    What is not whole goes only once there are as many whole ones as are kept, and counts for
    nothing before: a damaged copy of a late step displaces none that can be used.
    """
    kept = set(sorted(whole)[-KEPT:])
    for step, folder in _copies(target):
        if step not in kept and (step in whole or len(kept) == KEPT):
            _remove(folder)
    whole &= kept


def make_room(target: Path, whole: set[int]) -> bool:
    """Removes what is missed least to make room for a newer copy: a damaged one, else the oldest
    whole one but the last. False when nothing is left to remove."""
    found = sorted(_copies(target))
    damaged = [entry for entry in found if entry[0] not in whole]
    older = [entry for entry in found if entry[0] in whole][:-1]
    if not whole or not (damaged or older):
        return False
    step, folder = [*damaged, *older][0]
    _remove(folder)
    whole.discard(step)
    return not folder.exists()


def _copies(target: Path) -> list[tuple[int, Path]]:
    """The folders of checkpoints, whole or not, by their steps."""
    found = ((step_of(path.name), path) for path in private.real_folders(target))
    return [(step, path) for step, path in found if step is not None]


def _fault_of(folder: Path, step: int) -> str:
    """Why the copy is not whole, "" when it is."""
    try:
        manifest = parse(private.read_end(folder / "manifest.json", BYTES_MAX + 1))
        size, crc32 = _sum_of(folder / "state")
    except (OSError, ValueError) as error:
        return str(error)
    if manifest.step != step:
        return f"its manifest is of step {manifest.step}"
    if manifest.bytes != size:
        return f"it has {size} bytes, not {manifest.bytes}"
    if manifest.crc32 is not None and manifest.crc32 != crc32:
        return "its bytes do not match their checksum"
    return ""


def _sum_of(path: Path) -> tuple[int, int]:
    """Bytes and CRC-32 of a file."""
    size = crc32 = 0
    with open(private.open_file(path), "rb", buffering=0) as file:
        while piece := file.read(CHUNK_BYTES):
            size, crc32 = size + len(piece), zlib.crc32(piece, crc32)
    return size, crc32


def _remove(folder: Path) -> None:
    with contextlib.suppress(OSError):
        (folder / "manifest.json").unlink()
    private.remove_tree(folder.parent, folder.name)


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


def _copy_bytes(source: Path, offset: int, length: int, target: Path) -> int:
    """Through the page cache in pieces; all calls let other threads run. Returns the CRC-32."""
    source_fd = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    target_fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        if offset + length > os.fstat(source_fd).st_size:  # the worker writes what it likes there
            raise OSError(f"{source} ends before its state does")
        done = crc32 = 0
        while done < length:
            piece = os.pread(source_fd, min(CHUNK_BYTES, length - done), offset + done)
            if not piece:
                raise OSError(f"{source} ends before its state does")
            crc32 = zlib.crc32(piece, crc32)
            view = memoryview(piece)
            while view:
                view = view[os.write(target_fd, view) :]
            done += len(piece)
        os.fsync(target_fd)
        return crc32
    finally:
        os.close(source_fd)
        os.close(target_fd)


def _write_synced(path: Path, data: bytes) -> None:
    with open(path, "xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
