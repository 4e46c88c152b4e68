"""What a process holds of its store's file is bounded, and nothing of it is lost."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mizzen.store import mapped
from mizzen.store.lmdb_file import LmdbFile
from mizzen.store.mapped import MappedPages

_MIB = 1 << 20


def _held(path: Path) -> int:
    """Bytes of the file that this process has mapped and in memory, by /proc/PID/smaps."""
    total, is_ours = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        words = line.split()
        if not words[0].endswith(":"):
            is_ours = words[-1] == str(path)
        elif words[0] == "Rss:" and is_ours:
            total += int(words[1]) << 10
    return total


@pytest.fixture
def low_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped, "MAPPED_BYTES_MAX", 2 * _MIB)


def _writes(count: int) -> Iterator[tuple[str, bytes, bytes | None]]:
    for number in range(count):
        yield "t", b"%08d" % number, os.urandom(3000)


@pytest.mark.usefixtures("low_bound")
def test_of_a_file_that_grows_little_stays_mapped(tmp_path: Path) -> None:
    with closing(LmdbFile(tmp_path, ("t",), sync=False)) as file:
        written = list(_writes(8000))
        for start in range(0, len(written), 10):
            file.write(written[start : start + 10])
            file.get("t", written[start][1])
        assert (tmp_path / "data.mdb").stat().st_size > 24 * _MIB
        assert _held(tmp_path / "data.mdb") < 8 * _MIB
        assert list(file.scan("t", b"")) == [(key, value) for _, key, value in written]
        assert _held(tmp_path / "data.mdb") < 8 * _MIB, "who reads all of it holds no more"


def test_without_proc_everything_works_and_nothing_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapped, "_STATM", tmp_path / "statm")
    monkeypatch.setattr(mapped, "_MAPS", tmp_path / "maps")
    with closing(LmdbFile(tmp_path, ("t",), sync=False)) as file:
        for write in _writes(200):
            file.write([write])
        assert len(list(file.scan("t", b""))) == 200


def test_private_maps_of_the_file_are_left_alone(tmp_path: Path) -> None:
    """Pages of theirs that were written to are nowhere else."""
    path = tmp_path / "file"
    path.write_bytes(b"a" * mmap.PAGESIZE)
    with path.open("r+b") as file:
        private = mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE)
        shared = mmap.mmap(file.fileno(), 0, flags=mmap.MAP_SHARED)
        private[0:1] = shared[1:2] = b"b"
        assert _held(path) == 2 * mmap.PAGESIZE
        MappedPages(file.fileno()).let_go()
        assert _held(path) == mmap.PAGESIZE
        assert (private[0:2], shared[0:2]) == (b"ba", b"ab")
        private.close()
        shared.close()
