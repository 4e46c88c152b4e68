"""docs/api-reference.md is what the kinds say; `make docs` writes it anew."""

from __future__ import annotations

from pathlib import Path

from mizzen.kinds import reference

PAGE = Path(__file__).parents[3] / "docs" / "api-reference.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == reference.text(), "run `make docs`"


def test_every_kind_and_field_of_ours_is_there() -> None:
    text = reference.text()
    (pods,) = [
        line for line in text.splitlines() if line.startswith("| v1 | Pod | pods, po | yes |")
    ]
    assert "binding" in pods and "status" in pods
    assert "| `spec.scaling.targetConcurrency` | integer | `8` |" in text
    assert "| `spec.operations[].op` |" in text
