"""Numbers as people type them."""

from __future__ import annotations

from argparse import ArgumentTypeError

import pytest

from mizzen.cli.numbers import SECONDS_MAX, WHOLE_MAX, seconds, whole


def test_whole_numbers_are_within_their_bounds() -> None:
    read = whole(1, 100)
    assert [read(text) for text in ("1", "007", "100")] == [1, 7, 100]
    assert whole()(str(WHOLE_MAX)) == WHOLE_MAX
    for text in ("0", "101", "-1", "--1", "", " 1", "1e2", "²", "٣", "1_0", "9" * 5000):
        with pytest.raises(ArgumentTypeError, match="is not a number from 1 to 100"):
            read(text)


def test_times_are_finite() -> None:
    assert [seconds(text) for text in ("0", "0.5", "1e3")] == [0, 0.5, 1000]
    for text in ("nan", "inf", "-1", "x", "", str(SECONDS_MAX * 2)):
        with pytest.raises(ArgumentTypeError, match="is not a time"):
            seconds(text)
