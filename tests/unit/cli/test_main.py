"""What a bug of the command line leaves on the machine."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pytest

from mizzen.cli import main


def test_details_of_a_bug_go_to_a_new_file_of_the_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody can lay a link in its place: no name is used twice, and none can be guessed."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    codes = [main._report_bug(ValueError("odd")) for _ in range(2)]  # pyright: ignore[reportPrivateUsage]
    assert codes == [1, 1]
    said = re.findall(r"internal error: ValueError: .*details in (\S+)\)", capsys.readouterr().err)
    assert len(set(said)) == 2
    for trace in map(Path, said):
        assert trace.parent == tmp_path and trace.stat().st_mode & 0o777 == 0o600
        assert "ValueError" in trace.read_text()


def test_a_bug_is_told_where_no_file_can_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    main._report_bug(ValueError("odd"))  # pyright: ignore[reportPrivateUsage]
    assert "ValueError: odd (a bug; its details cannot be written" in capsys.readouterr().err
