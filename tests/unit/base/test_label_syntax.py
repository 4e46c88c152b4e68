"""Every problem with a label is told, as upstream tells them."""

from __future__ import annotations

import pytest

from mizzen.base.label_syntax import key_problems, value_problems


@pytest.mark.parametrize(
    ("key", "beginnings"),
    [
        ("a", []),
        ("example.com/a", []),
        ("", ["name part must be non-empty", "name part must consist of"]),
        ("/a", ["prefix part must be non-empty"]),
        ("A/b", ["prefix part a lowercase RFC 1123 subdomain"]),
        ("a/b/c", ["a valid label key must consist of"]),
        ("é" * 40, ["name part must be no more than 63 bytes", "name part must consist of"]),
    ],
)
def test_keys(key: str, beginnings: list[str]) -> None:
    found = key_problems(key)
    assert len(found) == len(beginnings)
    assert all(problem.startswith(start) for problem, start in zip(found, beginnings, strict=True))


def test_values() -> None:
    assert value_problems("") == value_problems("a.b") == []
    assert len(value_problems("-" * 64)) == 2
