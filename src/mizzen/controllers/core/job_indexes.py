"""Completion indexes as Jobs write them: "0-2,5"."""

from __future__ import annotations

from collections.abc import Iterable


def parse(text: str) -> set[int]:
    """The indexes of `text`. Errors: ValueError for anything but ranges of numbers."""
    found: set[int] = set()
    for part in text.split(",") if text else ():
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


def render(indexes: Iterable[int]) -> str:
    """The shortest text; runs of two or more are ranges, as upstream writes them."""
    runs: list[list[int]] = []
    for index in sorted(indexes):
        if runs and runs[-1][1] == index - 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)
