"""Quantities as the API server reads, compares and writes them. Expectations: upstream's own."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mizzen.base import quantity as plain
from mizzen.scheduler.core.dra.quantity import Quantity, parse


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("0", "0"), ("1", "1"), ("1000", "1k"), ("1024", "1024"), ("1Ki", "1Ki"), ("2048Ki", "2Mi"),
        ("0.5", "500m"), ("1.5", "1500m"), ("1.500", "1.500"), ("1.5Gi", "1536Mi"), ("1e3", "1e3"),
        ("10e3", "10e3"), ("1000e3", "1e6"), ("12E", "12E"), ("0.5Ki", "512"), ("100m", "100m"),
        ("1000m", "1"), ("-1", "-1"), ("+1", "+1"), ("0.0000000001", "1n"), ("1025Ki", "1025Ki"),
        ("1Ei", "1Ei"), ("9Ei", "9223372036854775807"), (" 2Gi ", "2Gi"), ("00", "0"), ("5.", "5."), ("Gi", "0"), ("-", "0"), ("2.5e18", "2500e15"),
    ],
)  # fmt: skip
def test_is_written_as_upstream_writes_it(text: str, written: str) -> None:
    assert str(parse(text)) == written


@pytest.mark.parametrize("text", ["", "five", "1KiB", "1 Gi", "--1", "1e", "1i", "1..2", True])
def test_what_is_none_says_so(text: object) -> None:
    with pytest.raises(ValueError, match="quantity"):
        parse(text)


amounts = st.builds(
    lambda number, fraction, unit: f"{number}{fraction}{unit}",
    st.integers(-(10**9), 10**9),
    st.sampled_from(["", ".5", ".25", ".001"]),
    st.sampled_from(["", "m", "k", "M", "G", "Ki", "Mi", "Gi", "e3", "u"]),
)


@given(amounts, amounts)
def test_compares_by_amount(left: str, right: str) -> None:
    a, b = plain.parse(left), plain.parse(right)
    assert parse(left).compare(parse(right)) == (a > b) - (a < b)


@given(amounts)
def test_what_is_written_is_the_same_amount(text: str) -> None:
    assert plain.parse(str(parse(text))) == plain.parse(text)
    assert Fraction(parse(text).nano, 10**9) == plain.parse(text)


def test_whole_numbers_are_rounded_away_from_zero() -> None:
    assert [parse(t).whole() for t in ("1500m", "-1500m", "0.1", "3")] == [2, -2, 1, 3]


def test_the_same_amount_in_another_form_is_not_the_same_structure() -> None:
    assert parse("1Ki").compare(parse("1024")) == 0
    assert not parse("1Ki").same(parse("1024"))
    assert parse("1024").same(parse("1024"))
    assert not parse("1.5Gi").same(parse("1.5Gi"))  # held big: upstream compares addresses
    assert Quantity(1).beside(parse("1.5Gi")).big
