"""Whose a job's folders are, and what becomes of a former job's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mizzen.host.mutual_tls import MutualTls
from mizzen.node.config import NodeConfig
from mizzen.node.training.folders import JobFolders, claim, owner_of

Later = dict[str, Callable[[], None]]


@pytest.fixture
def config(tmp_path: Path) -> NodeConfig:
    places = [tmp_path / name for name in ("node", "shm", "cp", "out")]
    return NodeConfig("testnode", *places, 201, MutualTls(Path(), Path(), Path()))


def test_a_former_jobs_state_goes_and_what_it_saved_is_put_aside(config: NodeConfig) -> None:
    later: Later = {}
    folders = JobFolders(config, later.__setitem__)
    for uid in ("1" * 10, "2" * 10):
        folders.take_over("space/job", uid)
        folders.make("space/job")
        assert owner_of(folders.segments("space/job")) == uid
        for place in (folders.segments, folders.checkpoints, folders.output):
            (place("space/job") / f"of-{uid}").touch()
    assert not (folders.segments("space/job") / "of-1111111111").exists()
    for place in (folders.checkpoints, folders.output):
        aside = place("space/job.11111111")
        assert (aside / "of-1111111111").exists() and not (aside / "of-2222222222").exists()
    (aside,) = later
    assert (config.shm / aside / "of-1111111111").exists()
    later[aside]()
    assert not (config.shm / aside).exists()


def test_segments_go_with_their_own_job_alone(config: NodeConfig) -> None:
    later: Later = {}
    folders = JobFolders(config, later.__setitem__)
    folders.take_over("space/job", "new")
    folders.discard("space/job", "old")
    assert not later
    folders.discard("space/job", "new")
    assert len(later) == 1 and not folders.segments("space/job").exists()


def test_an_owner_that_is_no_plain_file_is_an_error_and_is_not_waited_for(tmp_path: Path) -> None:
    claim(tmp_path, "uid")
    assert owner_of(tmp_path) == "uid"
    (tmp_path / "owner").unlink()
    assert owner_of(tmp_path) == ""
    (tmp_path / "owner").mkdir()
    with pytest.raises(OSError, match="not a regular file"):
        owner_of(tmp_path)
