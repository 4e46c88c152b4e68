"""Durable copies: whole or not there, newest first, three of them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import zlib
from pathlib import Path
from random import Random

import pytest

from mizzen.base import segment
from mizzen.base.checkpoint_manifest import Manifest
from mizzen.node.training import durable
from mizzen.node.training.segments import RankFile

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
    crc32 = zlib.crc32(b"state" * 100)
    assert manifest == {"step": 7, "bytes": 500, "checksum": 99, "crc32": crc32}
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


def test_whatever_a_worker_writes_into_its_words_is_told_as_a_fault(tmp_path: Path) -> None:
    file = RankFile(tmp_path / "rank-0")
    stage(file, 0, 7, b"old")
    staged = durable.newest(tmp_path, {"rank-0": file.get})
    assert staged is not None
    chance = Random(5)
    for _ in range(200):
        for word in (
            segment.RANK_OFFSET_BUFFERS_AT,
            segment.RANK_OFFSET_STATE_BYTES,
            segment.RANK_OFFSET_LENGTH0,
        ):
            file.set(word, chance.choice([0, 1, 4096, 1 << 40, (1 << 63) - 1, (1 << 64) - 1]))
        with contextlib.suppress(OSError):
            durable.copy(staged, tmp_path / "out", file.get)
        assert [p.name for p in (tmp_path / "out").iterdir()] in ([], ["step-7"])


def made(target: Path, step: int, data: bytes = b"state") -> Path:
    """A durable copy as the agent leaves it."""
    folder = target / f"step-{step}"
    folder.mkdir(parents=True)
    (folder / "state").write_bytes(data)
    manifest = Manifest(step, len(data), 99, zlib.crc32(data))
    (folder / "manifest.json").write_bytes(manifest.to_json())
    return folder


def left(target: Path) -> list[str]:
    return sorted(p.name for p in target.iterdir())


def test_three_are_kept(tmp_path: Path) -> None:
    for step in (2, 10, 9, 30, 4):
        made(tmp_path, step)
    (tmp_path / "programs").mkdir()
    whole, damaged = durable.examine(tmp_path)
    assert damaged == {}
    durable.retain(tmp_path, whole)
    assert left(tmp_path) == ["programs", "step-10", "step-30", "step-9"]
    assert whole == {9, 10, 30}


def test_what_is_damaged_is_named_and_displaces_nothing_that_is_whole(tmp_path: Path) -> None:
    made(tmp_path, 10)
    flipped = made(tmp_path, 93) / "state"
    flipped.write_bytes(b"stete")
    (made(tmp_path, 94) / "manifest.json").write_text("[]")
    (made(tmp_path, 95) / "manifest.json").write_text('{"step": 95, "bytes": null}')
    (made(tmp_path, 96) / "state").write_bytes(b"")
    (made(tmp_path, 97) / "state").unlink()
    (made(tmp_path, 98) / "manifest.json").write_text("[" * 4000)
    link = made(tmp_path, 99) / "state"
    link.unlink()
    link.symlink_to("/dev/zero")
    os.mkfifo(made(tmp_path, 100) / "pipe")
    pipe = tmp_path / "step-100" / "manifest.json"
    pipe.unlink()
    os.mkfifo(pipe)
    (tmp_path / "step-odd").mkdir()
    (tmp_path / "step-odd" / "manifest.json").write_text("{}")
    (tmp_path / ".step-5.tmp").mkdir()
    whole, damaged = durable.examine(tmp_path)
    assert whole == {10} and sorted(damaged) == [93, 94, 95, 96, 97, 98, 99, 100]
    assert damaged[93] == "its bytes do not match their checksum"
    assert damaged[94] == "its manifest is no object but list"
    assert damaged[96] == "it has 0 bytes, not 5"
    assert not (tmp_path / ".step-5.tmp").exists()
    for step in (11, 12):
        made(tmp_path, step)
        whole.add(step)
        durable.retain(tmp_path, whole)
    assert left(tmp_path) == ["step-10", "step-11", "step-12", "step-odd"]


def test_while_too_few_are_whole_the_damaged_ones_stay(tmp_path: Path) -> None:
    (made(tmp_path, 93) / "state").write_bytes(b"stete")
    made(tmp_path, 10)
    durable.retain(tmp_path, {10})
    assert left(tmp_path) == ["step-10", "step-93"]


def test_room_is_made_by_what_is_missed_least_and_never_by_the_last(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        made(tmp_path, step)
    (made(tmp_path, 9) / "state").write_bytes(b"stete")
    whole = {1, 2, 3}
    for rest in (["step-1", "step-2", "step-3"], ["step-2", "step-3"], ["step-3"]):
        assert durable.make_room(tmp_path, whole) and left(tmp_path) == rest
    assert not durable.make_room(tmp_path, whole) and left(tmp_path) == ["step-3"]
    assert not durable.make_room(tmp_path, set()), "nothing is removed where nothing is whole"


FULL = """
import sys
from pathlib import Path
from mizzen.node.training import durable
from unit.node.training.test_durable import made, stage
from mizzen.node.training.segments import RankFile
file, target, whole = RankFile(Path(sys.argv[1]) / "rank-0"), Path(sys.argv[2]), set()
for step in range(1, 6):
    stage(file, step % 2, step, bytes([step]) * 4096)
    made_room = durable.keep(durable.newest(file.path.parent, {"rank-0": file.get}), target, file.get, whole)
    print(made_room, sorted(whole), *sorted(p.name for p in target.iterdir()))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system")
def test_on_a_full_disk_the_newest_state_takes_the_place_of_the_oldest(tmp_path: Path) -> None:
    """Room for two copies, of a page for the state and one for the manifest each."""
    target, shared = tmp_path / "full", tmp_path / "shm"
    target.mkdir()
    shared.mkdir()
    script = 'mount -t tmpfs -o size=20k none "$1" && exec "$2" -c "$3" "$4" "$1"'
    words = ["sh", "-c", script, "sh", str(target), sys.executable, FULL, str(shared)]
    path = os.pathsep.join([str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        ["unshare", "-m", *words],
        capture_output=True, text=True, timeout=30, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    last = done.stdout.splitlines()[-1:]
    assert last == ["True [4, 5] step-4 step-5"], done
