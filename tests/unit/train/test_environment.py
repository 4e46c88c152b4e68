"""Tests of what a worker reads from its environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from mizzen.train.environment import read
from mizzen.train.errors import TrainError
from mizzen.train.files import open_gang, open_rank

POD = {"MIZZEN_SEGMENTS": "/seg", "MIZZEN_RANK": "1", "MIZZEN_SIZE_MAX": "3", "POD_IP": "127.9.0.2"}  # fmt: skip


def test_a_pods_environment_is_taken_as_it_is() -> None:
    found = read({**POD, "MIZZEN_CHECKPOINTS": "/ck", "MIZZEN_OUTPUT": "/out", "MIZZEN_JOB": "a/b"})
    assert found.rank_file == Path("/seg/rank-1")
    assert (found.rank, found.size_max, found.pod_ip, found.alone) == (1, 3, "127.9.0.2", False)
    assert (found.checkpoints, found.output, found.job) == (Path("/ck"), Path("/out"), "a/b")


def test_the_rank_file_may_be_named_apart() -> None:
    assert read({**POD, "MIZZEN_RANK_FILE": "/other/file"}).rank_file == Path("/other/file")


def test_a_missing_or_wrong_number_is_named() -> None:
    with pytest.raises(TrainError, match="MIZZEN_RANK is missing"):
        read({"MIZZEN_SEGMENTS": "/seg"})
    with pytest.raises(TrainError, match="MIZZEN_RANK is 'one', not a whole number"):
        read({**POD, "MIZZEN_RANK": "one"})


def test_without_mizzen_it_is_a_world_of_one(tmp_path: Path) -> None:
    found = read({"MIZZEN_OUTPUT": str(tmp_path)})
    assert (found.rank, found.size_max, found.alone) == (0, 1, True)
    open_gang(found.segments / "gang")
    open_rank(found.rank_file, write=True)


def test_a_segment_file_that_is_missing_short_or_foreign_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainError, match="gang cannot be opened: No such file"):
        open_gang(tmp_path / "gang")
    (tmp_path / "gang").write_bytes(b"short")
    with pytest.raises(TrainError, match="gang is shorter than its 4096 byte header"):
        open_gang(tmp_path / "gang")
    (tmp_path / "gang").write_bytes(bytes(4096))
    with pytest.raises(TrainError, match="begins with 0x0"):
        open_gang(tmp_path / "gang")
