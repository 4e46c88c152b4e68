"""Canonical quantities, as `kubectl get -o yaml` shows them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mizzen.base.quantity import parse
from mizzen.kinds.quantities import canonical, problem


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("0", "0"), ("0Gi", "0"), ("0.5", "500m"), ("1", "1"), ("1.0", "1"), ("1000m", "1"),
        ("1500m", "1500m"), ("1000", "1k"), ("1024", "1024"), ("1024Mi", "1Gi"), ("1.5Gi", "1536Mi"),
        ("0.5Gi", "512Mi"), ("100Ki", "100Ki"), ("1e3", "1e3"), ("12e6", "12e6"), ("5G", "5G"), ("1E", "1E"),
        ("0.0000000001", "1n"), ("-1500m", "-1500m"),
        ("8E", "8E"), ("2000E", "2000E"), ("10Ei", "9223372036854775807"),
        ("9" * 4000, "9223372036854775807"), ("-10Ei", "-9223372036854775807"),
    ],
)  # fmt: skip
def test_canonical(text: str, result: str) -> None:
    assert canonical(text) == result


def test_what_is_no_quantity() -> None:
    with pytest.raises(ValueError, match="not a number with a unit"):
        canonical("lots")


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "must match the regular"), ("abc", "must match the regular"), ("1 Ki", "must match the"),
     ("1Kx", "must match"), ("1KK", "suffix"), ("1mi", "suffix"), (".", "numeric part")],
)  # fmt: skip
def test_why_upstream_takes_it_for_none(text: str, words: str) -> None:
    assert words in problem(text)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["", "m", "k", "M", "Ki", "Mi", "Gi", "e3"]))
def test_the_value_stays(number: int, suffix: str) -> None:
    text = f"{number}{suffix}"
    assert parse(canonical(text)) == parse(text)
    assert canonical(canonical(text)) == canonical(text)
