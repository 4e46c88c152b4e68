"""Frameworks are found by their names."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mizzen.train.adapters import load
from mizzen.train.environment import Environment, read
from mizzen.train.errors import TrainError
from mizzen.train.framework import Plain


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return read({"MIZZEN_OUTPUT": str(tmp_path)})


def test_no_name_is_plain_numpy(environment: Environment) -> None:
    assert isinstance(load(None, environment), Plain)


def test_an_unknown_name_is_told_with_those_that_there_are(environment: Environment) -> None:
    with pytest.raises(
        TrainError, match=r'\'tensorflow\' is not known; there are "jax".* and None'
    ):
        load("tensorflow", environment)


def test_another_distributions_framework_is_found_by_its_entry_point(
    environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere.py").write_text(
        "from mizzen.train.framework import Plain\n"
        "class Other(Plain):\n    def __init__(self, environment): self.rank = environment.rank\n"
        "FRAMEWORK = Other\n"
    )
    info = tmp_path / "elsewhere-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: elsewhere\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[mizzen.train.frameworks]\nother = elsewhere\n")
    monkeypatch.syspath_prepend(tmp_path)
    found = load("other", environment)
    assert type(found) is sys.modules["elsewhere"].Other and found.rank == 0
