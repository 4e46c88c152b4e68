"""docs/cli.md is what the commands say; `make docs` writes it anew."""

from __future__ import annotations

from pathlib import Path

from mizzen.cli import reference

PAGE = Path(__file__).parents[3] / "docs" / "cli.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == reference.text(), "run `make docs`"
