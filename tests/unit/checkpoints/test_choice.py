"""Which checkpoints are whole, which are kept, and what a full disk takes."""

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
from mizzen.base.checkpoint import Manifest, Shard
from mizzen.checkpoints import choice
from mizzen.checkpoints.tier import Damaged, Entry, Gone
from mizzen.checkpoints.tiers.local import Local
from mizzen.checkpoints.tiers.memory import Memory
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
    memory = Memory(tmp_path)
    assert choice.newest_first([memory]) == []
    stage(first, 0, 4, b"a")
    stage(second, 1, 5, b"b")
    assert choice.newest_first([memory]) == [
        (memory, Entry(5, "rank-1:1")),
        (memory, Entry(4, "rank-0:0")),
    ]


def test_a_copy_is_whole_with_its_manifest(tmp_path: Path) -> None:
    file, memory = RankFile(tmp_path / "rank-0"), Memory(tmp_path)
    stage(file, 1, 7, b"state" * 100)
    assert Local(tmp_path / "out").put(memory.get(Entry(7, "rank-0:1")))
    folder = tmp_path / "out" / "step-7"
    assert (folder / "state").read_bytes() == b"state" * 100
    manifest = json.loads((folder / "manifest.json").read_text())
    crc32 = zlib.crc32(b"state" * 100)
    shard = {"file": "state", "bytes": 500, "checksum": 99, "crc32": crc32, "leaves": []}
    assert manifest == {"version": 2, "step": 7, "shards": [shard]}
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["step-7"]


def test_a_buffer_written_over_meanwhile_leaves_nothing(tmp_path: Path) -> None:
    file, memory = RankFile(tmp_path / "rank-0"), Memory(tmp_path)
    stage(file, 0, 7, b"old")
    found = memory.get(Entry(7, "rank-0:0"))
    file.set(segment.RANK_OFFSET_BUFFER0, 0)
    assert not Local(tmp_path / "out").put(found)
    assert list((tmp_path / "out").iterdir()) == []
    with pytest.raises(Gone):
        memory.get(Entry(7, "rank-0:0"))


def test_whatever_a_worker_writes_into_its_words_is_told_as_a_fault(tmp_path: Path) -> None:
    file, memory = RankFile(tmp_path / "rank-0"), Memory(tmp_path)
    stage(file, 0, 7, b"old")
    chance = Random(5)
    (tmp_path / "out").mkdir()
    for _ in range(200):
        for word in (
            segment.RANK_OFFSET_BUFFERS_AT,
            segment.RANK_OFFSET_STATE_BYTES,
            segment.RANK_OFFSET_LENGTH0,
            segment.RANK_OFFSET_SHARD,
        ):
            file.set(word, chance.choice([0, 1, 4096, 1 << 40, (1 << 63) - 1, (1 << 64) - 1]))
        for entry in memory.list():
            with contextlib.suppress(OSError, Damaged):
                Local(tmp_path / "out").put(memory.get(entry))
        assert [p.name for p in (tmp_path / "out").iterdir()] in ([], ["step-7"])


def made(target: Path, step: int, data: bytes = b"state") -> Path:
    """A durable copy as the agent leaves it."""
    folder = target / f"step-{step}"
    folder.mkdir(parents=True)
    (folder / "state").write_bytes(data)
    manifest = Manifest(step, (Shard("state", len(data), 99, zlib.crc32(data)),))
    (folder / "manifest.json").write_bytes(manifest.to_json())
    return folder


def left(target: Path) -> list[str]:
    return sorted(p.name for p in target.iterdir())


def test_three_are_kept(tmp_path: Path) -> None:
    for step in (2, 10, 9, 30, 4):
        made(tmp_path, step)
    (tmp_path / "programs").mkdir()
    whole, damaged = choice.examine(Local(tmp_path))
    assert damaged == {}
    choice.retain(Local(tmp_path), whole)
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
    whole, damaged = choice.examine(Local(tmp_path))
    assert whole == {10} and sorted(damaged) == [93, 94, 95, 96, 97, 98, 99, 100]
    assert damaged[93] == "its bytes do not match their checksum"
    assert damaged[94] == "its manifest is no object but list"
    assert damaged[96] == "it has 0 bytes, not 5"
    assert not (tmp_path / ".step-5.tmp").exists()
    for step in (11, 12):
        made(tmp_path, step)
        whole.add(step)
        choice.retain(Local(tmp_path), whole)
    assert left(tmp_path) == ["step-10", "step-11", "step-12", "step-odd"]


def test_while_too_few_are_whole_the_damaged_ones_stay(tmp_path: Path) -> None:
    (made(tmp_path, 93) / "state").write_bytes(b"stete")
    made(tmp_path, 10)
    choice.retain(Local(tmp_path), {10})
    assert left(tmp_path) == ["step-10", "step-93"]


def test_room_is_made_by_what_is_missed_least_and_never_by_the_last(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        made(tmp_path, step)
    (made(tmp_path, 9) / "state").write_bytes(b"stete")
    whole = {1, 2, 3}
    for rest in (["step-1", "step-2", "step-3"], ["step-2", "step-3"], ["step-3"]):
        assert choice.make_room(Local(tmp_path), whole) and left(tmp_path) == rest
    assert not choice.make_room(Local(tmp_path), whole) and left(tmp_path) == ["step-3"]
    assert not choice.make_room(Local(tmp_path), set()), "nothing is removed where nothing is whole"


FULL = """
import sys
from pathlib import Path
from mizzen.checkpoints import choice
from mizzen.checkpoints.tiers.local import Local
from mizzen.checkpoints.tiers.memory import Memory
from unit.checkpoints.test_choice import made, stage
from mizzen.node.training.segments import RankFile
file, target, whole = RankFile(Path(sys.argv[1]) / "rank-0"), Path(sys.argv[2]), set()
for step in range(1, 6):
    stage(file, step % 2, step, bytes([step]) * 4096)
    memory = Memory(file.path.parent)
    _, newest = choice.newest_first([memory])[0]
    made_room = choice.keep(Local(target), memory.get(newest), whole)
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
    path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        ["unshare", "-m", *words],
        capture_output=True, text=True, timeout=30, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    last = done.stdout.splitlines()[-1:]
    assert last == ["True [4, 5] step-4 step-5"], done
