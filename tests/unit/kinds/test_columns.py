"""Ages as apimachinery's `duration.HumanDuration` writes them."""

from __future__ import annotations

import pytest

from mizzen.kinds.columns import human_duration, since

S, M, H, D = 1, 60, 3600, 86400


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"), (119, "119s"), (2 * M, "2m"), (3 * M + 20, "3m20s"), (10 * M, "10m"), (179 * M, "179m"),
        (3 * H, "3h"), (7 * H + 30 * M, "7h30m"), (8 * H + 30 * M, "8h"), (47 * H, "47h"), (2 * D, "2d"),
        (2 * D + 5 * H, "2d5h"), (8 * D, "8d"), (729 * D, "729d"), (730 * D, "2y"), (800 * D, "2y70d"),
        (3000 * D, "8y"), (-5, "<invalid>"),
    ],
)  # fmt: skip
def test_durations(seconds: int, text: str) -> None:
    assert human_duration(seconds * 10**9) == text


def test_ages() -> None:
    assert since("1970-01-01T00:00:00Z", 90 * 10**9) == "90s"
    assert since(None, 0) == "<unknown>" and since("never", 0) == "<unknown>"
