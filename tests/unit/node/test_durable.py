"""Durable copies: whole or not there, newest first, three of them."""

from __future__ import annotations

import json
from pathlib import Path

from mizzen.base import segment
from mizzen.node import durable
from mizzen.node.segments import RankFile

CAPACITY = 4096


def stage(file: RankFile, which: int, step: int, data: bytes) -> None:
    """What a worker does."""
    at = segment.BUFFERS_OFFSET + which * CAPACITY
    with open(file.path, "r+b") as out:
        out.truncate(segment.BUFFERS_OFFSET + 2 * CAPACITY)
        out.seek(at)
        out.write(data)
    file.set(segment.RANK_OFFSET_BUFFERS_AT, segment.BUFFERS_OFFSET)
    file.set(segment.RANK_OFFSET_STATE_BYTES, CAPACITY)
    file.set((segment.RANK_OFFSET_LENGTH0, segment.RANK_OFFSET_LENGTH1)[which], len(data))
    file.set((segment.RANK_OFFSET_CHECKSUM0, segment.RANK_OFFSET_CHECKSUM1)[which], 99)
    file.set((segment.RANK_OFFSET_BUFFER0, segment.RANK_OFFSET_BUFFER1)[which], step + 1)


def test_the_newest_complete_buffer_of_all_ranks(tmp_path: Path) -> None:
    first, second = RankFile(tmp_path / "rank-0"), RankFile(tmp_path / "rank-1")
    words = {"rank-0": first.get, "rank-1": second.get}
    assert durable.newest(tmp_path, words) is None
    stage(first, 0, 4, b"a")
    stage(second, 1, 5, b"b")
    found = durable.newest(tmp_path, words)
    assert found == durable.Staged(tmp_path / "rank-1", 1, 6) and found.step == 5


def test_a_copy_is_whole_with_its_manifest(tmp_path: Path) -> None:
    file = RankFile(tmp_path / "rank-0")
    stage(file, 1, 7, b"state" * 100)
    staged = durable.newest(tmp_path, {"rank-0": file.get})
    assert staged is not None and durable.copy(staged, tmp_path / "out", file.get)
    folder = tmp_path / "out" / "step-7"
    assert (folder / "state").read_bytes() == b"state" * 100
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest == {"step": 7, "bytes": 500, "checksum": 99}
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["step-7"]


def test_a_buffer_written_over_meanwhile_leaves_nothing(tmp_path: Path) -> None:
    file = RankFile(tmp_path / "rank-0")
    stage(file, 0, 7, b"old")
    staged = durable.Staged(file.path, 0, 8)
    looks = 0

    def get(offset: int) -> int:
        nonlocal looks
        if offset == segment.RANK_OFFSET_BUFFER0:
            looks += 1
            return 8 if looks == 1 else 0
        return file.get(offset)

    assert not durable.copy(staged, tmp_path / "out", get)
    assert list((tmp_path / "out").iterdir()) == []


def test_three_are_kept(tmp_path: Path) -> None:
    for step in (2, 10, 9, 30, 4):
        folder = tmp_path / f"step-{step}"
        folder.mkdir()
        (folder / "manifest.json").write_text("{}")
    (tmp_path / "programs").mkdir()
    durable.retain(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "programs",
        "step-10",
        "step-30",
        "step-9",
    ]
