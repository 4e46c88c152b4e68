"""Rank files of pods outside gangs."""

from __future__ import annotations

from pathlib import Path

from mizzen.base import segment
from mizzen.node.training.rank_files import PodRankFiles, folders_of


def test_a_pods_file_is_made_once_readied_and_goes_with_the_pod(tmp_path: Path) -> None:
    files = PodRankFiles(tmp_path)
    files.prepare("one")  # it has none: no device
    assert list(tmp_path.iterdir()) == []
    file = files.file("one")
    assert files.file("one") is file
    file.set(segment.RANK_OFFSET_OWN_STEPS, 5)
    files.prepare("one")
    assert file.get(segment.RANK_OFFSET_OWN_STEPS) == 0
    (folder,) = folders_of(["one"])
    assert file.path.parent == tmp_path / folder
    files.forget("one")
    assert not file.path.exists()


def test_files_that_are_closed_stay_until_all_go(tmp_path: Path) -> None:
    files = PodRankFiles(tmp_path)
    path = files.file("one").path
    files.close()
    assert path.exists()
    files.remove_all()
    assert not path.exists()
