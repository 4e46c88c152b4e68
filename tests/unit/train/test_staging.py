"""Tests of the staged state's two buffers and of choosing the newest."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mizzen.base import segment
from mizzen.base.checkpoint import Manifest, Shard
from mizzen.checkpoints.tier import Places, open_tiers
from mizzen.train import state
from mizzen.train.errors import TrainError
from mizzen.train.files import create_rank, open_rank
from mizzen.train.staging import Stage, newest, steps_ever_done


def arrays(value: float) -> dict[str, Any]:
    return {"w": np.full((100, 50), value, np.float32), "b": np.full(3, value, np.float64)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for rank in range(3):
        create_rank(tmp_path / f"rank-{rank}", awaits=1)
    return tmp_path


def stage(folder: Path, rank: int, *steps: int) -> None:
    target = Stage(open_rank(folder / f"rank-{rank}", write=True))
    target.prepare(state.Layout.of(arrays(0)))
    for step in steps:
        target.write(arrays(step), step, seed=1)


def look(folder: Path, own: int = 0) -> tuple[int, float, str] | None:
    found = newest(Places(folder, folder / "checkpoints", f"rank-{own}"))
    if found is None:
        return None
    return found.step, float(found.arrays["w"][7, 7]), Path(found.where).name


def test_nothing_staged_is_nothing_found(folder: Path) -> None:
    assert look(folder) is None


def test_the_newest_of_all_ranks_is_taken_and_ones_own_of_equals(folder: Path) -> None:
    stage(folder, 0, 4, 5)
    stage(folder, 1, 4, 5, 6)
    stage(folder, 2, 4, 5, 6)
    assert look(folder, own=2) == (6, 6.0, "rank-2")
    assert look(folder, own=0) == (6, 6.0, "rank-1")


def test_a_worker_killed_while_it_copies_leaves_the_state_before(folder: Path) -> None:
    stage(folder, 0, 1, 2, 3)
    words = open_rank(folder / "rank-0", write=True)
    assert {words.get(o) for o in (segment.RANK_OFFSET_BUFFER0, segment.RANK_OFFSET_BUFFER1)} == {3, 4}  # fmt: skip
    words.set(segment.RANK_OFFSET_BUFFER0, 0)  # buffer 0 held step 3, the last one
    assert look(folder) == (2, 2.0, "rank-0")


def test_a_buffer_with_wrong_bytes_is_passed_over(folder: Path) -> None:
    stage(folder, 0, 8)
    stage(folder, 1, 9)
    path = folder / "rank-1"
    with path.open("r+b") as file:
        file.seek(segment.BUFFERS_OFFSET + 600)
        file.write(b"\xff\xff")
    assert look(folder, own=1) == (8, 8.0, "rank-0")


def test_stages_reuse_their_buffers_after_a_restart(folder: Path) -> None:
    stage(folder, 0, 1, 2)
    size = (folder / "rank-0").stat().st_size
    stage(folder, 0, 3)
    assert (folder / "rank-0").stat().st_size == size
    assert look(folder) == (3, 3.0, "rank-0")


def durable(folder: Path, step: int, *, cut: int = 0, flip: int = 0, old: bool = False) -> None:
    place = folder / "checkpoints" / f"step-{step}"
    place.mkdir(parents=True)
    layout = state.Layout.of(arrays(step))
    buffer = np.zeros(layout.length, np.uint8)
    total = state.write(buffer, layout, arrays(step), step, seed=1)
    crc32 = None if old else zlib.crc32(buffer.data)
    manifest = Manifest(step, (Shard("state", int(buffer.size), total, crc32),))
    (place / "manifest.json").write_bytes(manifest.to_json())
    if flip:
        buffer[flip] ^= 1
    (place / "state").write_bytes(buffer.tobytes()[: buffer.size - cut])


def test_durable_state_is_used_when_shared_memory_is_gone(folder: Path) -> None:
    durable(folder, 10)
    durable(folder, 20)
    assert look(folder) == (20, 20.0, "step-20")


def test_a_durable_state_cut_short_gives_way_to_an_older_one(folder: Path) -> None:
    durable(folder, 10)
    durable(folder, 20, cut=64)
    assert look(folder) == (10, 10.0, "step-10")


def test_every_byte_of_a_durable_state_counts(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    durable(folder, 10)
    durable(folder, 20, flip=4096 + 700)  # in a page that the samples of the checksum leave out
    assert look(folder) == (10, 10.0, "step-10")
    said = capsys.readouterr().err
    assert "step-20: its bytes do not match their checksum" in said and "passed over" in said


def test_a_shard_whose_bytes_nobody_summed_is_read(folder: Path) -> None:
    durable(folder, 10, old=True)
    assert look(folder) == (10, 10.0, "step-10")


def test_odd_manifests_are_passed_over(folder: Path) -> None:
    durable(folder, 10)
    for step, text in ((20, "[]"), (21, '{"checksum": null}'), (22, ""), (23, "[" * 4000)):
        durable(folder, step)
        (folder / "checkpoints" / f"step-{step}" / "manifest.json").write_text(text)
    assert look(folder) == (10, 10.0, "step-10")


def test_training_does_not_begin_anew_where_all_that_is_durable_is_damaged(folder: Path) -> None:
    durable(folder, 10, flip=700)
    durable(folder, 20, cut=64)
    with pytest.raises(TrainError, match=r"all 2 durable checkpoints in .* are damaged"):
        look(folder)
    stage(folder, 0, 5)
    assert look(folder) == (5, 5.0, "rank-0")


def test_staged_wins_over_older_durable_and_loses_to_newer(folder: Path) -> None:
    stage(folder, 0, 15)
    durable(folder, 10)
    assert look(folder) == (15, 15.0, "rank-0")
    durable(folder, 20)
    assert look(folder) == (20, 20.0, "step-20")


def test_steps_ever_done_is_the_most_of_any_rank(folder: Path) -> None:
    for rank, steps in ((0, 3), (1, 9), (2, 0)):
        open_rank(folder / f"rank-{rank}", write=True).set(segment.RANK_OFFSET_STEPS_DONE, steps)
    assert steps_ever_done(folder) == 9


def test_no_room_is_one_clear_message(folder: Path) -> None:
    huge = state.Layout((), b"", 1 << 50)
    with pytest.raises(TrainError, match=r"no room for .* MiB of staged state"):
        Stage(open_rank(folder / "rank-0", write=True)).prepare(huge)


def test_shards_of_several_ranks_are_one_state_once_all_are_staged(folder: Path) -> None:
    """Rows 0, 1 and 2 to 5 of one array, and what every rank has; rank 2 is a replica of rank 1."""
    table = np.arange(24, dtype=np.float32).reshape(6, 4)
    for rank, index, rows in ((0, 0, slice(0, 2)), (1, 1, slice(2, 6)), (2, 1, slice(2, 6))):
        words = open_rank(folder / f"rank-{rank}", write=True)
        target = Stage(words)
        piece = {"table": table[rows], "count": np.asarray(7)}
        layout = state.Layout.of(piece, {"table": ((rows.start, 0), (6, 4))})
        target.prepare(layout, (index, 2))
        target.write(piece, 7, seed=1)
        found = newest(Places(folder, folder / "checkpoints"))
        assert (found is None) == (rank == 0), "one shard of two is no state"
    assert found is not None and found.step == 7
    assert (found.arrays["table"] == table).all() and found.arrays["count"] == 7
    memory, local = open_tiers(Places(folder, folder / "checkpoints"))
    (entry,) = memory.list()
    assert local.put(memory.get(entry))
    durable = newest(Places(folder=folder / "checkpoints"))
    assert durable is not None and (durable.arrays["table"] == table).all()
    (folder / "checkpoints" / "step-7" / "shard-1").write_bytes(b"")
    assert newest(Places(folder=folder / "checkpoints")) is None, "a shard is missing"
