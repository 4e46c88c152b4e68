"""What every tier promises, for all that are found; and checkpoints that an older Mizzen wrote."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from mizzen.base import registry
from mizzen.base.checkpoint import HEAD, MAGIC, Layout, Leaf, Shard
from mizzen.checkpoints import choice
from mizzen.checkpoints.tier import TIERS, Checkpoint, Damaged, Gone, Places, Tier, open_tiers
from mizzen.train.checkpoint import load_newest
from mizzen.train.files import create_rank

RECORDED = Path(__file__).parent / "recorded"
NAMES = registry.names("mizzen.checkpoints.tiers")


@dataclass
class Given:
    """A shard from nowhere, which may be written over while it is read."""

    shard: Shard
    data: bytes
    intact: bool = True

    def read_into(self, buffer: memoryview, offset: int) -> None:
        buffer[:] = self.data[offset : offset + len(buffer)]

    def is_intact(self) -> bool:
        return self.intact


def made(step: int, shards: int = 1) -> Checkpoint:
    """A checkpoint of one array of bytes, cut into so many shards."""
    sources: list[Given] = []
    for index in range(shards):
        piece = np.full(1000 * (index + 1), step, np.uint8)
        layout = Layout.of({"a": piece})
        head = HEAD.pack(MAGIC, len(layout.table), step, 0) + layout.table
        data = bytearray(layout.length)
        (leaf,) = layout.leaves
        data[: len(head)] = head
        data[leaf.offset : leaf.offset + leaf.length] = piece.tobytes()
        shard = Shard("any", len(data), step, None, layout.leaves)
        sources.append(Given(shard, bytes(data)))
    return Checkpoint(step, tuple(sources), "nowhere")


def read(found: Checkpoint) -> list[bytes]:
    return [b"".join(bytes(p) for p in choice.pieces(source)) for source in found.sources]


@pytest.fixture(params=NAMES)
def tier(request: pytest.FixtureRequest, tmp_path: Path) -> Tier:
    (tmp_path / "segments").mkdir()
    for rank in range(2):
        create_rank(tmp_path / "segments" / f"rank-{rank}", awaits=1)
    places = Places(
        tmp_path / "segments", tmp_path / "folder", variables={TIERS: str(request.param)}
    )
    (found,) = open_tiers(places)
    return found


def test_nothing_is_there_before_anything_is_put(tier: Tier) -> None:
    assert list(tier.list()) == [] and choice.examine(tier) == (set(), {})


@pytest.mark.parametrize("shards", [1, 2])
def test_what_was_put_is_listed_and_read_shard_by_shard(tier: Tier, shards: int) -> None:
    for step in (3, 4):
        assert tier.put(made(step, shards))
    assert sorted(entry.step for entry in tier.list()) == [3, 4]
    for entry in tier.list():
        wanted, found = made(entry.step, shards), tier.get(entry)
        assert found.step == entry.step and read(found) == read(wanted)
        for ours, theirs in zip(found.sources, wanted.sources, strict=True):
            assert ours.is_intact() and ours.shard.checksum == theirs.shard.checksum
            assert ours.shard.leaves == theirs.shard.leaves
        assert choice.fault_of(tier, entry) == ""
    assert [entry.step for _, entry in choice.newest_first([tier])] == [4, 3]


def test_a_rank_file_that_is_being_made_is_passed_over(tier: Tier, tmp_path: Path) -> None:
    tier.put(made(3))
    (tmp_path / "segments" / "rank-9").touch()
    assert [entry.step for entry in tier.list()] == [3]


def test_what_is_written_over_while_it_is_put_is_not_there(tier: Tier) -> None:
    tier.put(made(3))
    late = made(4)
    (source,) = late.sources
    assert isinstance(source, Given)
    source.intact = False
    assert not tier.put(late)
    assert [entry.step for entry in tier.list()] == [3]


def test_what_is_deleted_is_gone_and_the_rest_is_not(tier: Tier) -> None:
    for step in (3, 4):
        tier.put(made(step))
    (old,) = (entry for entry in tier.list() if entry.step == 3)
    tier.delete(old)
    tier.delete(old)
    assert [entry.step for entry in tier.list()] == [4]
    with pytest.raises((Gone, Damaged)):
        tier.get(old)


def test_an_unknown_tier_is_told_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match='there is no tier "tape"; there are local, memory'):
        open_tiers(Places(variables={TIERS: "memory,tape"}))


def test_checkpoints_of_version_1_are_read_as_they_were_written(tmp_path: Path) -> None:
    """Recorded from the code of 2026-11-28, before manifests had a version."""
    step, arrays = load_newest(RECORDED / "v1")
    assert step == 7 and list(arrays) == ["params/embedding", "params/bias", "adam/count"]
    assert (arrays["params/embedding"] == np.arange(24).reshape(4, 6) * 7 / 8).all()
    assert arrays["params/embedding"].dtype == np.float32
    assert np.allclose(arrays["params/bias"], np.linspace(-1, 1, 5) + 7, rtol=0, atol=0)
    assert arrays["adam/count"] == 7 and arrays["adam/count"].dtype == np.int32
    copy = tmp_path / "v1"
    shutil.copytree(RECORDED / "v1", copy)
    (tier,) = open_tiers(Places(folder=copy))
    assert choice.examine(tier) == ({6, 7}, {})
    state = bytearray((copy / "step-7" / "state").read_bytes())
    state[300] ^= 1
    (copy / "step-7" / "state").write_bytes(state)
    assert load_newest(copy)[0] == 6
    assert choice.examine(tier) == ({6}, {7: "its bytes do not match their checksum"})


def test_a_leaf_says_where_in_the_global_array_it_lies() -> None:
    piece = np.zeros((2, 3), np.float16)
    layout = Layout.of({"w": piece}, {"w": ((4, 0), (6, 3))})
    assert Layout.parse(layout.table) == layout
    (leaf,) = layout.leaves
    assert leaf == Leaf("w", "float16", (2, 3), leaf.offset, 12, (4, 0), (6, 3))
    assert not leaf.is_whole and leaf.offset % 64 == 0
    with pytest.raises(ValueError, match="outside"):
        Layout.of({"w": piece}, {"w": ((5, 0), (6, 3))})
