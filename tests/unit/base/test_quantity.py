"""What is a quantity and what only looks like one."""

from __future__ import annotations

from fractions import Fraction

import pytest

from mizzen.base import quantity


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.441", Fraction(1441, 1000)),
        ("1e3", Fraction(1000)),
        (".5", Fraction(1, 2)),
        ("5.", Fraction(5)),
        ("+1", Fraction(1)),
        ("1e-3", Fraction(1, 1000)),
        ("0.1Gi", Fraction(2**30, 10)),
        ("2000E", Fraction(2000 * 10**18)),
    ],
)
def test_what_go_reads_is_read(text: str, value: Fraction) -> None:
    assert quantity.parse(text) == value


@pytest.mark.parametrize(
    "text", ["1 Gi", " 1", "1\n", "٣", "0x10", "1e999999999", "NaN", "", "1_0", "--1", "1e", "Gi"]
)
def test_what_is_none_is_refused_and_named(text: str) -> None:
    with pytest.raises(ValueError, match="quantity"):
        quantity.parse(text)
